package sweep

import (
	"errors"
	"syscall"
)

// isRefused: the host itself said no, so there is one.
func isRefused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET)
}

// isUnreachable: a router said that there is no such host, or may not be
// reached.
func isUnreachable(err error) bool { return errors.Is(err, syscall.EHOSTUNREACH) }

// isNoRoute: no router knows the way, this machine included.
func isNoRoute(err error) bool { return errors.Is(err, syscall.ENETUNREACH) }
