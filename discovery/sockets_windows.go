package discovery

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

func setOptions(raw syscall.RawConn, o options) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		h := windows.Handle(fd)
		if o.reuse {
			failed = windows.SetsockoptInt(h, windows.SOL_SOCKET, windows.SO_REUSEADDR, 1)
		}
		failed = errors.Join(failed, windows.SetsockoptInt(h, windows.SOL_SOCKET, windows.SO_BROADCAST, 1))
	})
	return errors.Join(err, failed)
}
