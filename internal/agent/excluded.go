package agent

import (
	"fmt"
	"net/netip"
	"slices"

	"camcensus/discovery"
	"camcensus/internal/inventory"
)

// mayBeExcluded tells whether an IPv6 address could be one of a host that is
// excluded by its IPv4 address: nothing in the one tells the other. Where an
// exclusion names IPv4 addresses of the interface's networks, an IPv6 address
// is asked only when its device is known by an IPv4 address too.
func (a *Agent) mayBeExcluded(ip netip.Addr, device string) bool {
	if !ip.Is6() {
		return false
	}
	n, ok := a.wire.Scope().NetworkOf(ip)
	if !ok || !n.Connected || !excludesIPv4(a.wire.Scope(), n.Interface) {
		return false
	}
	d, _ := a.inventory.Device(device)
	for _, s := range d.IPs {
		if other, err := netip.ParseAddr(s); err == nil && other.Is4() {
			return false
		}
	}
	return true
}

// excludesIPv4 tells whether an exclusion names IPv4 addresses on the wire of
// an interface.
func excludesIPv4(scope *discovery.Scope, iface string) bool {
	for _, e := range scope.Exclusions {
		p, ok := prefixOf(e.Match)
		if !ok || !p.Addr().Is4() {
			continue
		}
		for _, n := range scope.Networks {
			if n.Interface == iface && n.Prefix.Overlaps(p) {
				return true
			}
		}
	}
	return false
}

// Neighbour tells whether a device stands beside the scope: none of its
// addresses is in scope, and one belongs to a network of the machine's own
// interfaces, so that it is no stray from elsewhere. Where the scope has all
// IPv4 networks of an interface, a host that is known by a link-local IPv6
// address alone stands on that very wire and beside nothing.
func (a *Agent) Neighbour(d inventory.Device) bool {
	scope, own := a.wire.Scope(), false
	for _, s := range d.IPs {
		ip, err := netip.ParseAddr(s)
		if err != nil {
			continue
		}
		if scope.Contains(ip) {
			return false
		}
		for _, i := range scope.Interfaces {
			own = own || slices.ContainsFunc(i.Prefixes, func(p netip.Prefix) bool { return p.Contains(ip) }) &&
				!(ip.Is6() && ip.IsLinkLocalUnicast() && i.Name == d.Interface && wholeIPv4(scope, i))
		}
	}
	return own
}

// wholeIPv4 tells whether every IPv4 network of an interface is in scope.
func wholeIPv4(scope *discovery.Scope, i discovery.Interface) bool {
	any := false
	for _, p := range i.Prefixes {
		if !p.Addr().Is4() {
			continue
		}
		any = true
		if !slices.ContainsFunc(scope.Networks, func(n discovery.Network) bool {
			return n.Interface == i.Name && n.Prefix.Bits() <= p.Bits() && n.Prefix.Contains(p.Addr())
		}) {
			return false
		}
	}
	return any
}

// exclusionNotes say where an exclusion by IPv4 address keeps IPv6 hosts from
// being asked.
func exclusionNotes(scope *discovery.Scope) []string {
	var notes []string
	told := map[string]bool{}
	for _, n := range scope.Networks {
		if !n.Connected || !n.Prefix.Addr().Is6() || told[n.Interface] || !excludesIPv4(scope, n.Interface) {
			continue
		}
		told[n.Interface] = true
		notes = append(notes, fmt.Sprintf("An exclusion names IPv4 addresses on %s: hosts that are known there by an IPv6 address alone are heard, not asked. "+
			"Exclude by MAC to have them asked.", n.Interface))
	}
	return notes
}

// conflictNotes name the addresses that two MACs claim.
func conflictNotes(scope *discovery.Scope, all []discovery.Conflict) []string {
	var notes []string
	for n, c := range all {
		if n == maxConflictNotes {
			notes = append(notes, fmt.Sprintf("Two MACs claim each of %d further addresses.", len(all)-n))
			break
		}
		what := "both are listed, and questions reach only the one that answers for the address"
		if scope.Claimed(c.IP) {
			what = "one of them is excluded, so that what is heard from the address is listed, and nothing is asked there"
		}
		notes = append(notes, fmt.Sprintf("%s and %s both claim %s, by conflict, by forgery, or the one in the other's place: %s.", c.MACs[0], c.MACs[1], c.IP, what))
	}
	return notes
}

const maxConflictNotes = 16

// gatewayNotes name the routed networks that an exclusion cuts off.
func gatewayNotes(wire *discovery.Wire) []string {
	var notes []string
	scope := wire.Scope()
	for _, n := range scope.Networks {
		if n.Connected || len(scope.Exclusions) == 0 {
			continue
		}
		host := n.Prefix.Addr()
		if !n.Prefix.IsSingleIP() {
			host = host.Next()
		}
		if gateway, why, yes := wire.ExcludedGateway(host); yes && !n.Prefix.Contains(gateway) {
			notes = append(notes, fmt.Sprintf("%s is reached by way of %s alone (%s): nothing is sent there.", n.Prefix, gateway, why))
		}
	}
	return notes
}

// leftOutNotes say which questions to a segment the allowance cut short.
func leftOutNotes(all []discovery.LeftOut) []string {
	var notes []string
	for _, l := range all {
		notes = append(notes, fmt.Sprintf("%s on %s: %d packets to groups were left out: an interface carries at most 60 in a cycle.", l.Source, l.Interface, l.Packets))
	}
	return notes
}

// prefixOf reads an address or a prefix.
func prefixOf(text string) (netip.Prefix, bool) {
	if ip, err := netip.ParseAddr(text); err == nil {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	return p, err == nil
}
