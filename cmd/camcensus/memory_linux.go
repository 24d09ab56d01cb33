package main

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// leaveProgramPages lets go of the program's own pages that were used for a
// while (reading the rules, the registry, a cycle): clean copies of the file,
// of which what is needed again comes back from the page cache. Where it fails
// nothing is lost but memory.
func leaveProgramPages() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	for _, m := range cleanMappings(maps, self) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED)
	}
}

type mapping struct{ start, end uintptr }

// cleanMappings are those of a file in smaps, proc(5), that cannot be written to
// and of which no page is the process's own: the loader of a
// position-independent program has written to some before it closed them.
func cleanMappings(smaps io.Reader, file string) (clean []mapping) {
	var m mapping
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		if from, to, ok := strings.Cut(fields[0], "-"); ok {
			start, err := strconv.ParseUint(from, 16, 64)
			end, err2 := strconv.ParseUint(to, 16, 64)
			m = mapping{}
			if err == nil && err2 == nil && len(fields) == 6 && fields[5] == file && !strings.Contains(fields[1], "w") {
				m = mapping{uintptr(start), uintptr(end)}
			}
			continue
		}
		if fields[0] == "Anonymous:" && len(fields) > 1 && fields[1] == "0" && m.end > 0 {
			clean = append(clean, m)
		}
	}
	return clean
}
