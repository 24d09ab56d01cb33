//go:build !linux

package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
)

// options are set on a socket before it is bound.
type options struct {
	v6     bool
	reuse  bool
	device string // not to be had here
}

// openGroupSockets shares the wildcard address and drops what was not sent to
// the group: these systems cannot be relied on to bind to a group.
func openGroupSockets(ctx context.Context, to netip.AddrPort, ifaces []Interface) ([]*udpSocket, error) {
	s, err := openUDPSocket(ctx, binding{v6: to.Addr().Is6(), port: to.Port(), reuse: true, ttl: 1})
	if err != nil {
		return nil, err
	}
	s.group = to.Addr()
	for _, i := range ifaces {
		if err := s.join(to.Addr(), i); err != nil {
			return nil, errors.Join(fmt.Errorf("join on %s: %w", i.Name, err), s.close())
		}
	}
	return []*udpSocket{s}, nil
}
