// Package dhip finds what Dahua built, under whatever label, by the search that
// its own tool uses (UDP 37810, a small header and JSON). Only the search
// exists here.
package dhip

import (
	"bytes"
	"net/netip"
	"time"

	"camcensus/discovery"
	"camcensus/discovery/exchange"
)

const port = 37810

var group = netip.MustParseAddr("239.255.255.251")

// Protocol describes the source.
var Protocol = exchange.Protocol(discovery.Protocol{
	Name:     "dhip",
	Summary:  "cameras, recorders, door stations and access terminals that Dahua built (DHIP, UDP 37810)",
	Fields:   Fields,
	Requests: requests(),
}, conversation)

func conversation() exchange.Conversation {
	// The search has no place for a token, so its answers never count as
	// asked of that host alone.
	message := func(string) []byte { return search() }
	to, all := netip.AddrPortFrom(group, port), netip.AddrPortFrom(exchange.Broadcast, port)
	return exchange.Conversation{
		Sockets: []exchange.Socket{{}},
		Questions: []exchange.Question{
			{To: to, At: exchange.At(0, time.Second), Message: message},
			{To: all, At: exchange.At(500*time.Millisecond, 1500*time.Millisecond), Message: message},
		},
		Window:  4500 * time.Millisecond,
		Groups:  []netip.AddrPort{to},
		Unicast: []exchange.Unicast{{Port: port, Message: message}},
		Read:    Hear,
	}
}

// Hear keeps the JSON of an answer; the evidence is that alone.
func Hear(raw []byte) []exchange.Heard {
	body := Body(raw)
	switch {
	case body == nil:
		return nil
	case bytes.Contains(body, []byte("client.notifyDevInfo")):
		return []exchange.Heard{{Kind: "dhip", Raw: body}}
	}
	return []exchange.Heard{{Key: "question"}}
}
