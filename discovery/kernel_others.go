//go:build !linux

package discovery

import (
	"net"
	"net/netip"
)

// kernelNeighbour cannot be asked here: every host counts as to be asked for.
func kernelNeighbour(int, netip.Addr) (neighbourState, net.HardwareAddr) {
	return neighbourUnknown, nil
}

// kernelRoute cannot be asked here.
func kernelRoute(netip.Addr) hop { return hop{} }
