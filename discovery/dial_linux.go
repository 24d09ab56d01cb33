package discovery

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// dialOptions puts off the choice of a source port to the connect, so that a
// sweep does not run out of ports bound to one address.
func dialOptions(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
}
