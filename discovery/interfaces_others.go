//go:build !linux

package discovery

import (
	"context"
	"fmt"
	"net"
	"time"
)

// WatchInterfaces calls changed every two seconds until ctx ends: it is not
// known here when an interface changes.
func WatchInterfaces(ctx context.Context, changed func()) {
	for Sleep(ctx, 2*time.Second) == nil {
		changed()
	}
}

// Interfaces lists the system's interfaces.
func Interfaces() ([]Interface, error) {
	all, err := netInterfaces()
	if err != nil {
		return nil, fmt.Errorf("discovery: list interfaces: %w", err)
	}
	return all, nil
}

// netInterfaces asks package net, which every system has.
func netInterfaces() ([]Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	out := make([]Interface, 0, len(all))
	for _, one := range all {
		i := Interface{
			Name: one.Name, Index: one.Index, MAC: one.HardwareAddr, MTU: one.MTU,
			Up:           one.Flags&net.FlagUp != 0,
			Running:      one.Flags&net.FlagRunning != 0,
			Broadcast:    one.Flags&net.FlagBroadcast != 0,
			Multicast:    one.Flags&net.FlagMulticast != 0,
			Loopback:     one.Flags&net.FlagLoopback != 0,
			PointToPoint: one.Flags&net.FlagPointToPoint != 0,
			Virtual:      virtualName(one.Name),
		}
		addrs, err := one.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			if p, ok := prefixOf(a); ok {
				i.Prefixes = append(i.Prefixes, p)
			}
		}
		out = append(out, i)
	}
	return out, nil
}
