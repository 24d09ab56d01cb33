package discovery

import (
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// kernelNeighbour asks the kernel's neighbour table for one host.
func kernelNeighbour(index int, ip netip.Addr) (neighbourState, net.HardwareAddr) {
	family := unix.AF_INET
	if ip.Is6() {
		family = unix.AF_INET6
	}
	req := nl.NewNetlinkRequest(unix.RTM_GETNEIGH, 0)
	req.AddData(&netlink.Ndmsg{Family: uint8(family), Index: uint32(index)})
	req.AddData(nl.NewRtAttr(unix.NDA_DST, ip.AsSlice()))
	msgs, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWNEIGH)
	if err != nil || len(msgs) == 0 {
		return neighbourUnknown, nil
	}
	n, err := netlink.NeighDeserialize(msgs[0])
	if err != nil {
		return neighbourUnknown, nil
	}
	switch {
	case n.State&(netlink.NUD_REACHABLE|netlink.NUD_PERMANENT|netlink.NUD_NOARP) != 0:
		return neighbourReachable, n.HardwareAddr
	case n.State&(netlink.NUD_STALE|netlink.NUD_DELAY|netlink.NUD_PROBE) != 0:
		return neighbourStale, n.HardwareAddr
	}
	return neighbourUnknown, nil
}

// kernelRoute asks the routing table to whom a packet to ip is handed: a
// gateway, or the host itself where the route says that it is on a link.
func kernelRoute(ip netip.Addr) hop {
	routes, err := netlink.RouteGet(ip.AsSlice())
	if err != nil || len(routes) == 0 {
		return hop{}
	}
	r := routes[0]
	link, err := netlink.LinkByIndex(r.LinkIndex)
	if err != nil || link.Attrs().RawFlags&(unix.IFF_NOARP|unix.IFF_LOOPBACK) != 0 {
		return hop{} // a tunnel: nobody is asked for a MAC
	}
	next := hop{index: r.LinkIndex, ip: ip}
	if via, ok := r.Via.(*netlink.Via); ok { // IPv4 by an IPv6 gateway, RFC 8950
		next.ip = addr(via.Addr)
	} else if len(r.Gw) > 0 {
		next.ip = addr(r.Gw)
	}
	return next
}
