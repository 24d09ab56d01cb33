// Package wsd finds ONVIF devices by WS-Discovery: probes in both of its
// dialects over IPv4 and IPv6, unicast probes into routed networks, and Hello
// and Bye at any time.
package wsd

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"camcensus/discovery"
	"camcensus/discovery/exchange"
)

const port = 3702

var (
	group4 = netip.MustParseAddr("239.255.255.250")
	group6 = netip.MustParseAddr("ff02::c")
)

// window is how long real cameras, those on Wi-Fi among them, take to answer;
// the standard's own figure is a tenth of it.
const window = 5 * time.Second

// Protocol describes the source.
var Protocol = exchange.Protocol(discovery.Protocol{
	Name:     "wsd",
	Summary:  "ONVIF cameras and recorders, and the printers and PCs that speak WS-Discovery too (UDP 3702)",
	Fields:   Fields,
	Requests: requests(),
}, conversation)

// The sockets of conversation.
const (
	socket4 = iota
	socket6
)

func conversation() exchange.Conversation {
	talk := exchange.Conversation{
		Sockets: []exchange.Socket{socket4: {}, socket6: {V6: true}},
		Window:  window,
		Groups:  []netip.AddrPort{netip.AddrPortFrom(group4, port), netip.AddrPortFrom(group6, port)},
		Read:    Hear,
	}
	for _, q := range questions {
		talk.Questions = append(talk.Questions,
			exchange.Question{Socket: socket4, To: netip.AddrPortFrom(group4, port), At: repeats(q.sends4), Message: q.bytes},
			exchange.Question{Socket: socket6, To: netip.AddrPortFrom(group6, port), At: repeats(q.sends6), Message: q.bytes})
		if q.unicast {
			talk.Unicast = append(talk.Unicast, exchange.Unicast{Port: port, Message: q.bytes})
		}
	}
	return talk
}

// repeats are the times of SOAP-over-UDP 1.0 appendix I: the first delay is
// random, every further one twice as long, at most half a second.
func repeats(n int) func() []time.Duration {
	return func() []time.Duration {
		var times []time.Duration
		at, delay := time.Duration(0), 50*time.Millisecond+rand.N(200*time.Millisecond)
		for range n {
			times = append(times, at)
			at += delay
			delay = min(2*delay, 500*time.Millisecond)
		}
		return times
	}
}

// Hear turns one datagram into a piece of evidence for every match in it. A
// question of somebody else's shows that its sender lives.
func Hear(raw []byte) []exchange.Heard {
	e, ok := Parse(raw)
	switch {
	case !ok:
		return nil
	case e.Action == "probe", e.Action == "resolve":
		return []exchange.Heard{{Key: "question"}}
	case len(e.Matches) == 0:
		return []exchange.Heard{e.heard(raw, e.Fault)}
	}
	var list []exchange.Heard
	for n, part := range Split(raw) {
		m := e.Matches[n]
		key := strings.Join([]string{m.EPR, strings.Join(m.Types, " "), strings.Join(m.Scopes, " "), strings.Join(m.XAddrs, " ")}, "\n")
		h := e.heard(part, key)
		h.Part = n
		list = append(list, h)
	}
	return list
}

func (e Envelope) heard(raw []byte, key string) exchange.Heard {
	return exchange.Heard{
		Kind: "wsd", Raw: raw, Key: e.Action + "\n" + key, Token: bareID(e.RelatesTo),
		Announced: e.Action == "hello", Departed: e.Action == "bye",
	}
}
