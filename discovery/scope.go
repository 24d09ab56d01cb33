package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// Connected is the word for the interfaces' own networks in ScopeOptions.
const Connected = "connected"

// claimsMost bounds the addresses that excluded MACs may claim.
const claimsMost = 1 << 16

// connectedBits is the shortest IPv4 prefix that "connected" takes by itself.
const connectedBits = 20

// Network is a prefix in scope.
type Network struct {
	Prefix    netip.Prefix
	Interface string     // "" when routed
	Connected bool       // hosts are on the link of Interface
	Local     netip.Addr // our own address there, invalid when routed
}

// ScopeOptions is what the config says of the scope.
type ScopeOptions struct {
	Interfaces []string // empty: all that DESIGN section 6 lets in
	Networks   []string // "connected" or prefixes or addresses; empty: connected
	Exclude    []Exclusion
}

// NotInScope is a network that could have been meant and is not asked.
type NotInScope struct {
	Network string // a prefix, or an interface's name when it has none
	Reason  string
}

// Scope is who may be addressed. It is safe for concurrent use; only the MACs
// that Learn is told change after NewScope.
type Scope struct {
	Networks   []Network
	Interfaces []Interface // those that packets may leave by
	NotInScope []NotInScope
	Exclusions []Exclusion
	Notes      []string

	ordered  []Network // longest prefix first
	addrs    map[netip.Addr]int
	prefixes []excludedPrefix
	macs     map[[6]byte]int

	mu     sync.RWMutex
	claims map[netip.Addr]claim // addresses at which an excluded MAC was seen
}

// NewScope works out the scope from the interfaces as they are now.
func NewScope(all []Interface, o ScopeOptions) (*Scope, error) {
	s := &Scope{
		Exclusions: slices.Clone(o.Exclude),
		addrs:      map[netip.Addr]int{},
		macs:       map[[6]byte]int{},
		claims:     map[netip.Addr]claim{},
	}
	if err := s.exclude(); err != nil {
		return nil, err
	}
	wanted := o.Networks
	if len(wanted) == 0 {
		wanted = []string{Connected}
	}
	usable := s.usable(all, o.Interfaces)
	if slices.Contains(wanted, Connected) {
		s.addConnected(all, usable, o.Interfaces)
	}
	for _, text := range wanted {
		if text == Connected {
			continue
		}
		if err := s.addNamed(usable, text); err != nil {
			return nil, err
		}
	}
	s.finish(usable)
	return s, nil
}

// parsePrefix reads a prefix or a single address; host bits are cleared.
func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return p, err
		}
		if p.Addr().Is4In6() {
			if p.Bits() < 96 {
				return p, fmt.Errorf("prefix %s: IPv4 in IPv6", text)
			}
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Masked(), nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	ip = ip.Unmap().WithZone("")
	return netip.PrefixFrom(ip, ip.BitLen()), nil
}

// usable are the interfaces that packets could leave by at all.
func (s *Scope) usable(all []Interface, named []string) []Interface {
	var out []Interface
	for _, i := range all {
		if len(named) > 0 && !slices.Contains(named, i.Name) {
			continue
		}
		if i.Loopback && !slices.Contains(named, i.Name) {
			continue
		}
		if i.Up {
			out = append(out, i)
		}
	}
	for _, name := range named {
		at := slices.IndexFunc(all, func(i Interface) bool { return i.Name == name })
		switch {
		case at < 0:
			s.refuse(name, "no such interface now: it is used once it is there")
		case !all[at].Up:
			s.refuse(name, "the interface is down: it is used once it is up")
		}
	}
	return out
}

func (s *Scope) refuse(network, reason string) {
	s.NotInScope = append(s.NotInScope, NotInScope{Network: network, Reason: reason})
}

// addConnected takes the interfaces' own networks by the rules of DESIGN
// section 6 and lists the others with the reason.
func (s *Scope) addConnected(all, usable []Interface, named []string) {
	for _, i := range all {
		if i.Loopback && !slices.Contains(named, i.Name) {
			continue
		}
		if !slices.ContainsFunc(usable, func(u Interface) bool { return u.Index == i.Index }) {
			if len(named) > 0 && !slices.Contains(named, i.Name) && i.Up {
				for _, p := range i.Prefixes {
					if p.Addr().Is4() {
						s.refuse(p.Masked().String(), "on "+i.Name+", which is not among the interfaces: add it there")
					}
				}
			}
			continue
		}
		for _, p := range i.Prefixes {
			if reason := refusal(i, p, slices.Contains(named, i.Name)); reason != "" {
				s.refuse(p.Masked().String(), reason)
				continue
			}
			s.add(Network{Prefix: p.Masked(), Interface: i.Name, Connected: true, Local: p.Addr()})
		}
	}
}

// refusal says why "connected" leaves a network out; "" when it takes it.
func refusal(i Interface, p netip.Prefix, named bool) string {
	ip := p.Addr()
	switch {
	case i.PointToPoint || !i.Broadcast && !i.Loopback:
		return "point-to-point link " + i.Name + ": add to networks"
	case i.Virtual && !named:
		return "bridge of containers or virtual machines " + i.Name + ": add to networks"
	case !i.Loopback && !Private(ip):
		return "public addresses on " + i.Name + ": add to networks"
	case ip.Is4() && p.Bits() < connectedBits:
		return fmt.Sprintf("larger than /%d on %s: add to networks", connectedBits, i.Name)
	case ip.Is4() && p.Bits() == 32, ip.Is6() && p.Bits() == 128:
		return "a single address on " + i.Name + ": add to networks"
	case ip.IsLinkLocalUnicast() && ip.Is6() && !carriesPrivate(i):
		return "link-local beside public or larger networks on " + i.Name + ": add to networks"
	}
	return ""
}

// carriesPrivate reports whether an interface's link-local IPv6 may be used:
// when nothing else of the interface is refused as public or too large.
func carriesPrivate(i Interface) bool {
	only := true
	for _, p := range i.Prefixes {
		if p.Addr().IsLinkLocalUnicast() && p.Addr().Is6() {
			continue
		}
		only = false
		if Private(p.Addr()) && (p.Addr().Is6() || p.Bits() >= connectedBits) {
			return true
		}
	}
	return only
}

var sharedSpace = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

// Private reports whether an address is of RFC 1918, RFC 4193, RFC 6598 or
// link-local: not routed on the Internet.
func Private(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsPrivate() || ip.IsLinkLocalUnicast() || sharedSpace.Contains(ip)
}

// addNamed takes a network that the config names: the parts of it that lie on
// our own links are connected, the rest is routed.
func (s *Scope) addNamed(usable []Interface, text string) error {
	p, err := parsePrefix(strings.TrimSpace(text))
	if err != nil {
		return fmt.Errorf("network %q: neither \"connected\", a prefix nor an address", text)
	}
	switch ip := p.Addr(); {
	case ip.IsMulticast() || ip.IsUnspecified():
		return fmt.Errorf("network %q: not a network of hosts", text)
	case ip.Is4() && p.Bits() < 8:
		return fmt.Errorf("network %q: wider than /8", text)
	}
	whole := false
	for _, i := range usable {
		for _, own := range i.Prefixes {
			n := Network{Prefix: p, Interface: i.Name, Connected: !i.PointToPoint, Local: own.Addr()}
			switch {
			case own.Addr().Is4() != p.Addr().Is4() || !own.Overlaps(p):
				continue
			case own.Bits() > p.Bits(): // our link is a part of it
				n.Prefix = own.Masked()
			default:
				whole = true
			}
			if i.PointToPoint {
				n.Interface, n.Local = "", netip.Addr{}
			}
			s.add(n)
		}
	}
	if whole {
		return nil
	}
	if p.Addr().IsLoopback() {
		return fmt.Errorf("network %q: on the loopback interface, which is used only when interfaces names it (needs interfaces: [lo])", text)
	}
	if p.Addr().IsLinkLocalUnicast() {
		s.refuse(p.String(), "link-local, and no interface in use has it")
		return nil
	}
	s.add(Network{Prefix: p})
	return nil
}

func (s *Scope) add(n Network) {
	for at, have := range s.Networks {
		if have.Prefix == n.Prefix && have.Interface == n.Interface {
			s.Networks[at] = n
			return
		}
	}
	s.Networks = append(s.Networks, n)
	s.NotInScope = slices.DeleteFunc(s.NotInScope, func(x NotInScope) bool { return x.Network == n.Prefix.String() })
}

// finish builds the indexes and keeps the interfaces that carry a network.
func (s *Scope) finish(usable []Interface) {
	s.ordered = slices.Clone(s.Networks)
	slices.SortStableFunc(s.ordered, func(a, b Network) int { return b.Prefix.Bits() - a.Prefix.Bits() })
	for _, i := range usable {
		if slices.ContainsFunc(s.Networks, func(n Network) bool { return n.Interface == i.Name }) {
			s.Interfaces = append(s.Interfaces, i)
		}
	}
	for _, n := range s.Networks {
		if len(s.macs) > 0 && !n.Connected {
			s.Notes = append(s.Notes, fmt.Sprintf("%s is routed: an exclusion by MAC holds there only once the MAC's address is known", n.Prefix))
		}
		if n.Prefix.Addr().Is4() && n.Prefix.Bits() < 16 {
			s.Notes = append(s.Notes, fmt.Sprintf("%s holds %d addresses: a sweep of it takes long", n.Prefix, 1<<(32-n.Prefix.Bits())))
		}
	}
}

// Contains reports whether ip lies in a network in scope. Exclusions are
// another question.
func (s *Scope) Contains(ip netip.Addr) bool {
	_, ok := s.NetworkOf(ip)
	return ok
}

// NetworkOf returns the narrowest network in scope that ip lies in.
func (s *Scope) NetworkOf(ip netip.Addr) (Network, bool) {
	ip = ip.Unmap().WithZone("")
	for _, n := range s.ordered {
		if n.Prefix.Contains(ip) {
			return n, true
		}
	}
	return Network{}, false
}

// networkOn is NetworkOf among the networks of one interface: link-local
// prefixes are the same on all of them.
func (s *Scope) networkOn(ip netip.Addr, iface string) (Network, bool) {
	ip = ip.Unmap().WithZone("")
	for _, n := range s.ordered {
		if n.Prefix.Contains(ip) && (n.Interface == iface || !n.Connected) {
			return n, true
		}
	}
	return Network{}, false
}

// InterfaceTo is by which interface a host is reached that was heard on one: the
// tap on a trunk hears the frames of its VLANs as well, and two interfaces on
// one segment hear each other's.
func (s *Scope) InterfaceTo(ip netip.Addr, heard string) string {
	if n, ok := s.networkOn(ip, heard); ok && n.Connected {
		return heard
	}
	if n, ok := s.NetworkOf(ip); ok && n.Connected {
		return n.Interface
	}
	return heard
}

// Interface returns the interface of that name, if packets may leave by it.
func (s *Scope) Interface(name string) (Interface, bool) {
	for _, i := range s.Interfaces {
		if i.Name == name {
			return i, true
		}
	}
	return Interface{}, false
}
