//go:build unix && !linux

package discovery

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

func setOptions(raw syscall.RawConn, o options) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		if o.reuse {
			failed = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
		}
		failed = errors.Join(failed, unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1))
	})
	return errors.Join(err, failed)
}
