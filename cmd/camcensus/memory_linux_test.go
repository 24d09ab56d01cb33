package main

import (
	"slices"
	"strings"
	"testing"
)

// TestOnlyCleanPagesAreLetGo: of a position-independent program the loader has
// written to pages that are read-only afterwards; those are in no file.
func TestOnlyCleanPagesAreLetGo(t *testing.T) {
	const smaps = `00400000-00fe8000 r-xp 00000000 fe:00 11092860                           /usr/bin/camcensus
Size:              12192 kB
Rss:               10784 kB
Private_Dirty:         0 kB
Anonymous:             0 kB
00fe8000-01ebc000 r--p 00be8000 fe:00 11092860                           /usr/bin/camcensus
Rss:               13584 kB
Anonymous:          8192 kB
01ebc000-01fff000 rw-p 01abc000 fe:00 11092860                           /usr/bin/camcensus
Anonymous:             0 kB
7f398fb20000-7f398fc20000 r--p 00000000 00:00 0 
Anonymous:             0 kB
7f3990000000-7f3990001000 r--p 00000000 fe:00 77                         /usr/lib/other.so
Anonymous:             0 kB
7f3990002000-7f3990003000 r--p 00000000 fe:00 11092860                   /usr/bin/camcensus
Anonymous:             0 kB
VmFlags: rd mr mw me dw
`
	want := []mapping{{0x400000, 0xfe8000}, {0x7f3990002000, 0x7f3990003000}}
	if got := cleanMappings(strings.NewReader(smaps), "/usr/bin/camcensus"); !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}
