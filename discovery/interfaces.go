package discovery

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Interface is one network interface as the system shows it now.
type Interface struct {
	Name     string
	Index    int
	MAC      net.HardwareAddr
	Prefixes []netip.Prefix // own addresses with their prefix lengths, zones removed
	MTU      int

	Up           bool // switched on
	Running      bool // has a link
	Broadcast    bool
	Multicast    bool
	Loopback     bool
	PointToPoint bool
	Tentative    bool // the kernel still makes sure that an IPv6 address is nobody else's
	Virtual      bool // a bridge of containers or virtual machines
}

// zone names the interface in a link-local address by its index: package net
// remembers for a minute which index a name had, and an interface that was
// pulled and plugged in again has another.
func (i Interface) zone() string { return strconv.Itoa(i.Index) }

// Addr4 is the interface's first IPv4 address, invalid when it has none.
func (i Interface) Addr4() netip.Addr {
	for _, p := range i.Prefixes {
		if p.Addr().Is4() {
			return p.Addr()
		}
	}
	return netip.Addr{}
}

// Addr6 is the address that IPv6 packets on the link leave from: the
// link-local one, else the first; invalid when there is none.
func (i Interface) Addr6() netip.Addr {
	first := netip.Addr{}
	for _, p := range i.Prefixes {
		if !p.Addr().Is6() {
			continue
		}
		if p.Addr().IsLinkLocalUnicast() {
			return p.Addr()
		}
		if !first.IsValid() {
			first = p.Addr()
		}
	}
	return first
}

// Has reports whether ip is one of the interface's own addresses.
func (i Interface) Has(ip netip.Addr) bool {
	for _, p := range i.Prefixes {
		if p.Addr() == ip {
			return true
		}
	}
	return false
}

// containerPrefixes begin the names of bridges that container and virtual
// machine software makes.
var containerPrefixes = []string{
	"docker", "br-", "virbr", "cni", "podman", "lxcbr", "lxdbr", "incusbr",
	"flannel", "cali", "weave", "cilium", "kube", "nerdctl", "vmnet", "vboxnet",
}

func virtualName(name string) bool {
	for _, p := range containerPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

func prefixOf(a net.Addr) (netip.Prefix, bool) {
	n, ok := a.(*net.IPNet)
	if !ok {
		return netip.Prefix{}, false
	}
	ip, ok := netip.AddrFromSlice(n.IP)
	if !ok {
		return netip.Prefix{}, false
	}
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(ip.Unmap().WithZone(""), ones), true
}
