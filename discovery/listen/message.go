package listen

import (
	"bytes"
	"net"
	"net/netip"
	"slices"

	"camcensus/discovery"
	"camcensus/discovery/dhcp"
	"camcensus/discovery/ndp"
	"camcensus/internal/packet"
)

// maxRaw bounds what is kept of one datagram.
const maxRaw = 64 << 10

// heard is what a payload turned out to be; a zero Kind means that its sender
// lives and nothing more.
type heard struct {
	kind                string
	raw                 []byte
	announced, departed bool
}

// dialect is a protocol that is heard at a UDP port.
type dialect struct {
	port uint16
	read func(payload []byte) []heard
}

// dialects are the ports that are captured. Where read is nil the sender's
// address is all that is kept: its protocol's own source hears the rest.
var dialects = []dialect{
	{port: 3702, read: readWSD},
	{port: 5353, read: readMDNS},
	{port: 1900, read: readSSDP},
	{port: 37020, read: readSADP},
	{port: 37810, read: readDHIP},
	{port: 23456}, // TVT
	{port: 34569}, // XMeye
	{port: 7711},  // Hanwha's answers
	{port: 1758},  // Bosch's answers
	{port: 10669}, // Panasonic's answers
	{port: 10001}, // Ubiquiti
}

func ports() []uint16 {
	out := []uint16{dhcp.ServerPort}
	for _, d := range dialects {
		out = append(out, d.port)
	}
	return out
}

// Sightings reads who a frame shows and what it says.
func Sightings(f *packet.Frame, ci discovery.CaptureInfo) []discovery.Sighting {
	switch f.Protocol {
	case packet.ARP:
		return arpSighting(f, ci)
	case packet.UDP:
		return datagramSightings(f, ci)
	case packet.EchoRequest, packet.Other:
		return nil
	}
	if s, ok := ndp.Sighting(f, ci); ok {
		s.Source = name
		return []discovery.Sighting{s}
	}
	return nil
}

func arpSighting(f *packet.Frame, ci discovery.CaptureInfo) []discovery.Sighting {
	// A sender of 0.0.0.0 only tries whether an address is free (RFC 5227).
	if f.From.IsUnspecified() || f.From.IsMulticast() || f.From == broadcast || f.Sender[0]&1 != 0 || f.Sender == [6]byte{} {
		return nil
	}
	return []discovery.Sighting{{
		Time: ci.Time, Source: name, Interface: ci.Interface, VLAN: max(ci.VLAN, f.VLAN),
		IP: f.From, MAC: net.HardwareAddr(bytes.Clone(f.Sender[:])), Kind: "arp", Announced: f.From == f.To,
	}}
}

func datagramSightings(f *packet.Frame, ci discovery.CaptureInfo) []discovery.Sighting {
	if f.ToPort == dhcp.ServerPort {
		if s, ok := dhcp.Sighting(f, ci); ok {
			s.Source = name
			return []discovery.Sighting{s}
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
	var out []discovery.Sighting
	for _, h := range read(f) {
		s := base
		s.Kind, s.Raw = h.kind, h.raw
		// An announcement is said to all; an answer to another's question is
		// none.
		s.Announced, s.Departed = h.announced && f.To.IsMulticast(), h.departed
		if h.kind != "" {
			s.Truncated = ci.Truncated
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return []discovery.Sighting{base}
	}
	return out
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

func read(f *packet.Frame) []heard {
	at := slices.IndexFunc(dialects, func(d dialect) bool { return d.port == f.FromPort })
	if at < 0 {
		at = slices.IndexFunc(dialects, func(d dialect) bool { return d.port == f.ToPort })
	}
	if at < 0 || dialects[at].read == nil {
		return nil
	}
	return dialects[at].read(f.Payload)
}

// readWSD tells answers and announcements from questions by the name of the
// body's element, whatever its prefix and namespace.
func readWSD(b []byte) []heard {
	switch {
	case bytes.Contains(b, []byte("ProbeMatches")), bytes.Contains(b, []byte("ResolveMatches")):
		return []heard{{kind: "wsd", raw: b}}
	case bytes.Contains(b, []byte(":Hello")), bytes.Contains(b, []byte("<Hello")):
		return []heard{{kind: "wsd", raw: b, announced: true}}
	case bytes.Contains(b, []byte(":Bye")), bytes.Contains(b, []byte("<Bye")):
		return []heard{{kind: "wsd", raw: b, departed: true}}
	}
	return nil
}

func readSSDP(b []byte) []heard {
	switch {
	case bytes.HasPrefix(b, []byte("NOTIFY ")):
		gone := bytes.Contains(bytes.ToLower(b), []byte("ssdp:byebye"))
		return []heard{{kind: "ssdp", raw: b, announced: !gone, departed: gone}}
	case bytes.HasPrefix(b, []byte("HTTP/1.")):
		return []heard{{kind: "ssdp", raw: b}}
	}
	return nil
}

func readSADP(b []byte) []heard {
	if !bytes.Contains(b, []byte("<ProbeMatch")) {
		return nil
	}
	return []heard{{kind: "sadp", raw: b}}
}

// readDHIP keeps the JSON behind the 32 bytes of the header.
func readDHIP(b []byte) []heard {
	const header = 32
	if len(b) <= header || string(b[4:8]) != "DHIP" || !bytes.Contains(b, []byte("client.notifyDevInfo")) {
		return nil
	}
	body := bytes.TrimRight(b[header:], "\x00\r\n \t")
	if len(body) == 0 || body[0] != '{' {
		return nil
	}
	return []heard{{kind: "dhip", raw: body}}
}
