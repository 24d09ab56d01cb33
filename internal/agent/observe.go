package agent

import (
	"bytes"
	"net"
	"net/netip"
	"time"
	"unicode/utf8"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/internal/inventory"
)

// observe takes one sighting into the inventory and, where it says something
// new of a host that may be asked, offers the host to the workers. It is the
// sources' Sink.
func (a *Agent) observe(s discovery.Sighting) {
	if s.Time.IsZero() {
		s.Time = a.now()
	}
	s.IP = s.IP.Unmap().WithZone("")
	if s.SwitchPort != "" && !s.IP.IsValid() {
		a.ports.note(s.MAC, s.SwitchPort)
		return
	}
	a.counts.sighting(s.Source, s.Interface, s.Time)
	if !a.crowds.holds(s) {
		a.take(s)
	} else if _, no := a.wire.Scope().ExcludedMAC(s.MAC); no && !a.crowds.proxy(s.MAC) {
		a.wire.Learn(s.IP, s.MAC) // whoever else it turns out to be, it is not asked meanwhile
	}
}

// take takes in a sighting that shows a host of its own.
func (a *Agent) take(s discovery.Sighting) {
	scope := a.wire.Scope()
	reach, ok := a.admit(scope, s)
	if !ok {
		return
	}
	at := s.MAC // where its address was seen
	if s.MAC = sender(s.IP, s.MAC); !bytes.Equal(s.MAC, at) {
		at = nil
	}
	rec := recordOf(s)
	s.Interface = scope.InterfaceTo(s.IP, s.Interface)
	judge := a.judge()
	evidence := judge.parsers.Evidence(rec)
	unasked := a.claimsExcluded(scope, s.IP, evidence) || scope.Claimed(s.IP)
	evidence = judge.namesHardware(rec, evidence)
	seen := a.inventory.Observe(inventory.Observation{
		Time: s.Time, Source: s.Source, Interface: s.Interface, IP: s.IP, MAC: s.MAC,
		Kind: s.Kind, Part: s.Part, Evidence: evidence, Record: rec, Hostname: hostname(evidence),
		Reachability: reach, SwitchPort: a.ports.of(s.MAC), Departed: s.Departed, Solicited: s.Solicited,
	})
	if seen.New || seen.Changed {
		a.unjudged.add(seen.Device)
	}
	a.divide(seen.Split)
	a.late(seen.Late)
	a.progress.sighted(seen.Device)
	if !seen.Waits {
		a.keeper.keep(seen.Device, rec)
	}
	if unasked {
		a.wire.Learn(s.IP, at)
		a.assess(seen.Device)
		return
	}
	a.follow(s, at, reach, seen)
}

// sender returns whose words a frame bears that came from an address and a MAC.
// Who formed its IPv6 link-local address from its own MAC (RFC 4291, appendix A)
// has that one; a frame with another was sent on by a repeater, or a router that
// lets such packets through.
func sender(ip netip.Addr, frame net.HardwareAddr) net.HardwareAddr {
	if !ip.Is6() || !ip.IsLinkLocalUnicast() || len(frame) != 6 {
		return frame
	}
	b := ip.As16()
	if b[11] != 0xff || b[12] != 0xfe {
		return frame
	}
	return net.HardwareAddr{b[8] ^ 2, b[9], b[10], b[13], b[14], b[15]}
}

// admit decides whether the sighting belongs to this site, and how its host
// can be reached.
func (a *Agent) admit(scope *discovery.Scope, s discovery.Sighting) (reach string, ok bool) {
	if _, no := scope.ExcludedMAC(s.MAC); no {
		a.wire.Learn(s.IP, s.MAC)
		return "", false
	}
	if !s.IP.IsValid() {
		return "layer2", len(s.MAC) == 6 && s.Interface != ""
	}
	if _, no := scope.Excluded(s.IP); no && !scope.Claimed(s.IP) {
		return "", false
	}
	if s.IP.IsUnspecified() || s.IP.IsMulticast() || a.own.has(s.IP) {
		return "", false
	}
	if scope.Contains(s.IP) {
		if s.VLAN != 0 && scope.InterfaceTo(s.IP, s.Interface) == s.Interface {
			return "layer2", true // a VLAN that this machine is no part of
		}
		return "ip", true
	}
	if s.IP.Is6() && s.IP.IsLinkLocalUnicast() {
		// The host's other addresses say how it is reached, if it has any.
		return "", onScopedInterface(scope, s.Interface)
	}
	// A foreign subnet on our own wire: a factory address, a wrong mask.
	local := s.IP.IsPrivate() || s.IP.IsLinkLocalUnicast()
	return "layer2", local && onScopedInterface(scope, s.Interface)
}

func onScopedInterface(scope *discovery.Scope, name string) bool {
	for _, n := range scope.Networks {
		if n.Connected && n.Interface == name && name != "" {
			return true
		}
	}
	return false
}

// claimsExcluded holds a MAC exclusion where only the payload names the MAC:
// such a host is not asked. It is listed all the same, lest a camera hide
// itself by a claim.
func (a *Agent) claimsExcluded(scope *discovery.Scope, ip netip.Addr, ev []fingerprint.Evidence) bool {
	for _, e := range ev {
		if e.Field != "mac" {
			continue
		}
		mac, err := net.ParseMAC(e.Value)
		if err != nil {
			continue
		}
		if _, no := scope.ExcludedMAC(mac); no {
			a.wire.Learn(ip, mac)
			return true
		}
	}
	return false
}

// follow does what a taken sighting asks for: learn at which MAC the address
// is, queue the host, or judge anew what can only be heard.
func (a *Agent) follow(s discovery.Sighting, at net.HardwareAddr, reach string, seen inventory.Seen) {
	if reach != "ip" || s.Departed || a.mayBeExcluded(s.IP, seen.Device) {
		if seen.Changed || seen.New {
			a.assess(seen.Device)
		}
		return
	}
	if s.Hearsay {
		a.wire.Note(s.IP, at)
	} else {
		a.wire.Learn(s.IP, at)
	}
	if s.IP.IsLinkLocalUnicast() && s.IP.Is6() && a.hasOtherAddress(seen.Device) {
		if seen.Changed {
			a.assess(seen.Device)
		}
		return
	}
	h := host{addr: s.IP, iface: s.Interface, tenant: tenant{mac: s.MAC, device: seen.Device}}
	if s.Source == "sweep" && s.Port != 0 {
		h.ports = []uint16{s.Port}
	}
	interval := a.config().Discovery.IdentifyInterval.D()
	if !seen.New {
		h.askedAt = lastAsked(a.inventory.Evidence(seen.Device), a.now())
	}
	a.hosts.offer(h, seen.New || seen.Changed || seen.Waits, func(askedAt time.Time) bool {
		return s.Time.Sub(askedAt) >= interval
	})
}

// hasOtherAddress tells whether the device can be asked by an address that is
// no IPv6 link-local one.
func (a *Agent) hasOtherAddress(device string) bool {
	d, ok := a.inventory.Device(device)
	if !ok {
		return false
	}
	for _, s := range d.IPs {
		if ip, err := netip.ParseAddr(s); err == nil && !(ip.Is6() && ip.IsLinkLocalUnicast()) {
			return true
		}
	}
	return false
}

// lastAsked is when the newest answer to a question of ours came in: after a
// restart the stored evidence tells whom not to ask again. What a wrong clock
// dated into the future says nothing.
func lastAsked(ev []fingerprint.Evidence, now time.Time) time.Time {
	var t time.Time
	for _, e := range ev {
		if e.Solicited && e.Seen.After(t) && !e.Seen.After(now) {
			t = e.Seen
		}
	}
	return t
}

// recordOf writes a sighting as an evidence record.
func recordOf(s discovery.Sighting) discovery.Record {
	r := discovery.Record{
		Time: s.Time.UTC(), Interface: s.Interface, VLAN: int(s.VLAN), Kind: s.Kind,
		Port: int(s.Port), Path: s.Path, Truncated: s.Truncated, Solicited: s.Solicited,
	}
	if s.Kind == "" {
		r.Kind = s.Source
	}
	if s.IP.IsValid() {
		r.IP = s.IP.String()
		r.Host = r.IP
		if s.Port != 0 {
			r.From = netip.AddrPortFrom(s.IP, s.Port).String()
		}
	}
	if len(s.MAC) == 6 {
		r.MAC = s.MAC.String()
		if r.Host == "" {
			r.Host = r.MAC
		}
	}
	setRaw(&r, s.Raw)
	return r
}

func setRaw(r *discovery.Record, raw []byte) {
	if utf8.Valid(raw) {
		r.Raw = string(raw)
		return
	}
	r.Base64 = append([]byte(nil), raw...)
}

// hostname is the name a host gave itself, by DHCP or mDNS.
func hostname(ev []fingerprint.Evidence) string {
	for _, e := range ev {
		if (e.Source == "dhcp" && e.Field == "hostname") || (e.Source == "mdns" && e.Field == "host") {
			return e.Value
		}
	}
	return ""
}
