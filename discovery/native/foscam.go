package native

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"camcensus/discovery/facts"
)

// foscam is the search of the old Foscam line, whose firmware dozens of brands
// share.
var foscam = vendor{
	name:      "foscam",
	summary:   "Foscam's old line and its clones (UDP 10000)",
	requests:  []request{{"search", foscamSearch(), "broadcast:10000", 2}},
	answers:   func(raw []byte) bool { return len(raw) >= foscamSize && bytes.HasPrefix(raw, []byte("MO_I")) },
	read:      readFoscam,
	localPort: 10000,
}

const (
	foscamSize  = 0x57
	foscamPlain = 0x17 // where the answer's own part begins
)

func foscamSearch() []byte {
	b := make([]byte, 27)
	copy(b, "MO_I")
	b[0x0f], b[26] = 4, 1
	return b
}

// readFoscam undoes the exclusive-or that some firmware puts over its answer,
// with the key that it sends along.
func readFoscam(l *facts.List, raw []byte) {
	raw = bytes.Clone(raw[:foscamSize])
	if raw[6] != 0 {
		key := bytes.Clone(raw[7:15])
		for i := foscamPlain; i < len(raw); i++ {
			raw[i] ^= key[(i-foscamPlain)%len(key)]
		}
	}
	serial := text(raw, 0x17, 13)
	l.Add("serial", serial)
	l.AddMAC("mac", serial)
	l.Add("name", text(raw, 0x24, 21))
	addIP(l, at(raw, 0x39, 4))
	l.Add("firmware", fmt.Sprintf("%d.%d.%d.%d", raw[0x4d], raw[0x4e], raw[0x4f], raw[0x50]))
	addPort(l, "port.http", binary.BigEndian, at(raw, 0x55, 2))
}
