package inventory

import (
	"os/signal"
	"syscall"
)

// limitFileSize makes every write past size bytes of a file fail, the last one
// in its middle: what a disk does that is full.
func limitFileSize(size uint64) error {
	signal.Ignore(syscall.SIGXFSZ)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: size})
}
