// Package sadp finds what Hikvision built, under whatever label, by the search
// that its own tool uses (UDP 37020, XML). Only inquiries exist here.
package sadp

import (
	"net/netip"
	"time"

	"camcensus/discovery"
	"camcensus/discovery/exchange"
)

const port = 37020

var group = netip.MustParseAddr("239.255.255.250")

// Protocol describes the source.
var Protocol = exchange.Protocol(discovery.Protocol{
	Name:     "sadp",
	Summary:  "cameras, recorders and door stations that Hikvision built (SADP, UDP 37020)",
	Fields:   Fields,
	Requests: requests(),
}, conversation)

// The sockets of conversation: older firmware answers to the group, newer one
// to the asking port.
const (
	fixedSocket = iota
	ownSocket
)

func conversation() exchange.Conversation {
	to, all := netip.AddrPortFrom(group, port), netip.AddrPortFrom(exchange.Broadcast, port)
	plain := func(token string) []byte { return request(inquiry, token) }
	v32 := func(token string) []byte { return request(inquiryV32, token) }
	return exchange.Conversation{
		Sockets: []exchange.Socket{fixedSocket: {Port: port, Join: group}, ownSocket: {}},
		Questions: []exchange.Question{
			{Socket: ownSocket, To: to, At: exchange.At(0, 1500*time.Millisecond), Message: plain},
			{Socket: ownSocket, To: all, At: exchange.At(500 * time.Millisecond), Message: plain},
			{Socket: fixedSocket, To: to, At: exchange.At(1000 * time.Millisecond), Message: plain},
			{Socket: ownSocket, To: to, At: exchange.At(250 * time.Millisecond), Message: v32},
			{Socket: fixedSocket, To: all, At: exchange.At(750 * time.Millisecond), Message: v32},
		},
		Window:  5 * time.Second,
		Groups:  []netip.AddrPort{to},
		Unicast: []exchange.Unicast{{Port: port, Message: plain}},
		Read:    Hear,
	}
}

// Hear takes answers to inquiries, ours and others'. Whatever else passes on
// the port shows that its sender lives.
func Hear(raw []byte) []exchange.Heard {
	root, a := parse(raw)
	switch {
	case a.isAnswer(root):
		key := a["devicesn"] + a["mac"] + a["ipv4address"] + a["softwareversion"] + a["activated"]
		return []exchange.Heard{{Kind: "sadp", Raw: withoutSalt(raw), Key: key, Token: a["uuid"]}}
	case root == "probe", root == "probematch":
		return []exchange.Heard{{Key: root}}
	}
	return nil
}
