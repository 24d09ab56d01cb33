// Package ssdp finds what announces itself by UPnP's simple service discovery:
// searches in every cycle, NOTIFY at any time.
package ssdp

import (
	"net/netip"
	"strings"
	"time"

	"camcensus/discovery"
	"camcensus/discovery/exchange"
)

var group = netip.MustParseAddrPort("239.255.255.250:1900")

// Protocol describes the source.
var Protocol = exchange.Protocol(discovery.Protocol{
	Name:     "ssdp",
	Summary:  "cameras, and everything else that speaks UPnP (UDP 1900)",
	Fields:   Fields,
	Requests: requests(),
}, conversation)

func conversation() exchange.Conversation {
	return exchange.Conversation{
		Sockets: []exchange.Socket{{TTL: 2}}, // UPnP Device Architecture 1.1 section 1.3.2
		Questions: []exchange.Question{
			{To: group, At: exchange.At(0, time.Second), Message: func(string) []byte { return []byte(searchRoot) }},
			{To: group, At: exchange.At(500 * time.Millisecond), Message: func(string) []byte { return []byte(searchAxis) }},
		},
		Window: 5 * time.Second, // MX and the last search, and two seconds for the slow
		Groups: []netip.AddrPort{group},
		Read:   Hear,
	}
}

// Hear takes answers and announcements. A host that announces ten services
// says the same ten times, so only the lines that tell the maker, and the
// device before the "::", make a new message.
func Hear(raw []byte) []exchange.Heard {
	m := parse(raw)
	switch {
	case m.isSearch():
		return []exchange.Heard{{Key: "question"}}
	case !m.isAnswer() && !m.isNotify():
		return nil
	}
	device, _, _ := strings.Cut(m.get("usn"), "::")
	key := strings.Join([]string{device, m.get("server"), m.get("location"), m.get("nts"), vendorType(m)}, "\n")
	return []exchange.Heard{{
		Kind: "ssdp", Raw: raw, Key: key,
		Announced: m.isNotify() && !m.isGoodbye(), Departed: m.isGoodbye(),
	}}
}

// vendorType is the type that an answer is about where it is a maker's own.
func vendorType(m message) string {
	kind := m.get("st") + m.get("nt")
	if strings.Contains(kind, "schemas-upnp-org:service:") || strings.HasPrefix(kind, "uuid:") {
		return ""
	}
	return kind
}
