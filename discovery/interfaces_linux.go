package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Interfaces lists the system's interfaces by netlink: unlike package net it
// tells a link that is down from an interface that is switched off.
func Interfaces() ([]Interface, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("discovery: list interfaces: %w", err)
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("discovery: list addresses: %w", err)
	}
	byIndex, tentative := map[int][]netip.Prefix{}, map[int]bool{}
	for _, a := range addrs {
		p, ok := prefixOf(a.IPNet)
		if !ok || a.Flags&unix.IFA_F_DADFAILED != 0 {
			continue // another host has it
		}
		byIndex[a.LinkIndex] = append(byIndex[a.LinkIndex], p)
		if a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_OPTIMISTIC) == unix.IFA_F_TENTATIVE {
			tentative[a.LinkIndex] = true
		}
	}
	out := make([]Interface, 0, len(links))
	for _, l := range links {
		at := l.Attrs()
		out = append(out, Interface{
			Name: at.Name, Index: at.Index, MAC: at.HardwareAddr, MTU: at.MTU,
			Prefixes:     byIndex[at.Index],
			Up:           at.Flags&net.FlagUp != 0,
			Running:      at.Flags&net.FlagRunning != 0 || at.OperState == netlink.OperUp,
			Broadcast:    at.Flags&net.FlagBroadcast != 0,
			Multicast:    at.Flags&net.FlagMulticast != 0,
			Loopback:     at.Flags&net.FlagLoopback != 0,
			PointToPoint: at.Flags&net.FlagPointToPoint != 0,
			Tentative:    tentative[at.Index],
			Virtual:      virtualName(at.Name),
		})
	}
	return out, nil
}

// WatchInterfaces calls changed whenever the kernel tells that a link or an
// address changed (rtnetlink), and once at the start, until ctx ends.
func WatchInterfaces(ctx context.Context, changed func()) {
	Retry(ctx, func() error {
		s, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
		if err != nil {
			return fmt.Errorf("discovery: subscribe to the interfaces: %w", err)
		}
		defer s.Close()
		defer context.AfterFunc(ctx, s.Close)()
		for {
			changed()
			_, _, err := s.Receive()
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil && !errors.Is(err, unix.ENOBUFS): // more changes than the socket holds
				return fmt.Errorf("discovery: hear of the interfaces: %w", err)
			}
		}
	})
}
