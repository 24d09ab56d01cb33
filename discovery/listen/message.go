package listen

import (
	"bytes"
	"net"
	"net/netip"

	"camcensus/discovery"
	"camcensus/discovery/dhcp"
	"camcensus/discovery/dhip"
	"camcensus/discovery/exchange"
	"camcensus/discovery/mdns"
	"camcensus/discovery/native"
	"camcensus/discovery/ndp"
	"camcensus/discovery/sadp"
	"camcensus/discovery/ssdp"
	"camcensus/discovery/wsd"
	"camcensus/internal/packet"
)

// maxRaw bounds what is kept of one datagram.
const maxRaw = 64 << 10

// dialects are the ports of the protocols whose own rooms read what passes
// there, beside the table of package native.
var dialects = map[uint16]func(payload []byte) []exchange.Heard{
	3702:  wsd.Hear,
	5353:  mdns.Hear,
	1900:  ssdp.Hear,
	37020: sadp.Hear,
	37810: dhip.Hear,
}

// ports are those that are captured.
func ports() []uint16 {
	out := append([]uint16{dhcp.ServerPort}, native.Ports()...)
	for port := range dialects {
		out = append(out, port)
	}
	return out
}

// word is a sighting and what makes it a repeat of another.
type word struct {
	discovery.Sighting
	key   string
	hosts []netip.Addr // that it is about, by its own word
}

// Sightings reads who a frame shows and what it says.
func Sightings(f *packet.Frame, ci discovery.CaptureInfo) []discovery.Sighting {
	var out []discovery.Sighting
	for _, w := range words(f, ci) {
		out = append(out, w.Sighting)
	}
	return out
}

func words(f *packet.Frame, ci discovery.CaptureInfo) []word {
	switch f.Protocol {
	case packet.ARP:
		return arpWord(f, ci)
	case packet.UDP:
		return datagramWords(f, ci)
	case packet.EchoRequest, packet.Other:
		return nil
	}
	if s, ok := ndp.Sighting(f, ci); ok {
		s.Source = name
		return []word{{Sighting: s}}
	}
	return nil
}

func arpWord(f *packet.Frame, ci discovery.CaptureInfo) []word {
	// A sender of 0.0.0.0 only tries whether an address is free (RFC 5227).
	if f.From.IsUnspecified() || f.From.IsMulticast() || f.From == broadcast || f.Sender[0]&1 != 0 || f.Sender == [6]byte{} {
		return nil
	}
	return []word{{Sighting: discovery.Sighting{
		Time: ci.Time, Source: name, Interface: ci.Interface, VLAN: max(ci.VLAN, f.VLAN),
		IP: f.From, MAC: net.HardwareAddr(bytes.Clone(f.Sender[:])), Kind: "arp", Announced: f.From == f.To,
	}}}
}

func datagramWords(f *packet.Frame, ci discovery.CaptureInfo) []word {
	if f.ToPort == dhcp.ServerPort {
		if s, ok := dhcp.Sighting(f, ci); ok {
			s.Source = name
			return []word{{Sighting: s}}
		}
		return nil
	}
	if f.From.IsUnspecified() || f.From.IsMulticast() || f.Source[0]&1 != 0 || f.Source == [6]byte{} || len(f.Payload) > maxRaw {
		return nil
	}
	base := discovery.Sighting{
		Time: ci.Time, Source: name, Interface: ci.Interface, VLAN: max(ci.VLAN, f.VLAN),
		IP: f.From, MAC: net.HardwareAddr(bytes.Clone(f.Source[:])), Port: f.FromPort,
	}
	list := hear(f)
	if len(list) == 0 {
		return []word{{Sighting: base}} // whatever it said, its sender lives
	}
	var out []word
	for _, h := range list {
		s := base
		s.Kind, s.Raw, s.Part = h.Kind, h.Raw, h.Part
		// An announcement is said to all; an answer to another's question is
		// none.
		s.Announced, s.Departed = h.Announced && toAll(f.To), h.Departed
		if h.Kind != "" {
			s.Truncated = ci.Truncated
		}
		out = append(out, word{Sighting: s, key: h.Key, hosts: h.Hosts})
	}
	return out
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

func toAll(ip netip.Addr) bool { return ip.IsMulticast() || ip == broadcast }

// hear lets the protocol of either port read the payload.
func hear(f *packet.Frame) []exchange.Heard {
	for _, port := range []uint16{f.FromPort, f.ToPort} {
		if read, ok := dialects[port]; ok {
			return read(f.Payload)
		}
	}
	if list := native.Hear(f.FromPort, f.Payload); list != nil {
		return list
	}
	return native.Hear(f.ToPort, f.Payload)
}

// place settles whom a word is about and what the link shows of it. A host of
// a routed network comes with its router's MAC, which is none of its own, and
// a reflector speaks for others.
func (w *word) place(scope *discovery.Scope) {
	ip, about := exchange.Subject(scope, w.IP, w.hosts)
	if !about {
		w.Kind, w.Raw, w.key = "", nil, "reflected"
	}
	if ip != w.IP {
		w.IP, w.MAC, w.Port = ip, nil, 0
	}
	if n, ok := scope.NetworkOf(w.IP); ok && !n.Connected {
		w.MAC, w.Interface = nil, ""
	}
}
