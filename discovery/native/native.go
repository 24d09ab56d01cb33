// Package native asks for cameras by their makers' own search protocols: a
// table of small exchanges that all have one shape. A question of constant
// bytes goes to a segment by broadcast or to a group, the answers come back to
// the asking port or to a fixed one, and each answer is read into fields.
package native

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"camcensus/discovery"
	"camcensus/discovery/exchange"
	"camcensus/discovery/facts"
)

// maxAnswer bounds one datagram; the longest honest answers are below 2 KiB.
const maxAnswer = 4 << 10

// vendor is one line of the table.
type vendor struct {
	name    string // source name and record kind
	summary string
	// requests is every message of the protocol that this program holds.
	requests []request
	// answers tells the protocol's answers from all else that arrives.
	answers func(raw []byte) bool
	// read adds the facts of an answer.
	read func(l *facts.List, raw []byte)
	// redact blanks what is secret or belongs to an account; nil where the
	// protocol carries nothing of the kind.
	redact func(raw []byte) []byte
	// localPort is where the answers come, 0 for the asking port.
	localPort uint16
	// listenGroup is a group to which devices announce themselves, "" for none.
	listenGroup string
}

// request is one message and how often it is sent in a cycle.
type request struct {
	name  string
	bytes []byte
	to    string // "broadcast:PORT" or a group with its port
	sends int
}

// vendors is the table. VStarcam and Topsee are left out on purpose: their
// answers hold clear-text passwords.
var vendors = []vendor{tvt, xmeye, hanwha, bosch, vivotek, sony, panasonic, foscam, ubiquiti, tplink, dvrip}

// Answers are awaited for a window; a question is repeated after a pause.
const (
	window = 4 * time.Second
	pause  = time.Second
)

// Protocols describes one source for each line of the table.
var Protocols = protocols()

func protocols() []discovery.Protocol {
	var list []discovery.Protocol
	for _, v := range vendors {
		list = append(list, v.protocol())
	}
	return list
}

func (v vendor) protocol() discovery.Protocol {
	p := discovery.Protocol{Name: v.name, Summary: v.summary, Fields: v.fields}
	for _, r := range v.requests {
		p.Requests = append(p.Requests, discovery.Request{Name: r.name, Bytes: r.bytes, To: r.to})
	}
	return exchange.Protocol(p, v.conversation)
}

func (v vendor) conversation() exchange.Conversation {
	talk := exchange.Conversation{
		Sockets: []exchange.Socket{{Port: v.localPort}},
		Window:  window,
		Read:    v.hear,
	}
	if v.listenGroup != "" {
		group := netip.MustParseAddrPort(v.listenGroup)
		talk.Sockets[0].Join = group.Addr()
		talk.Groups = []netip.AddrPort{group}
	}
	for n, r := range v.requests {
		var times []time.Duration
		for range r.sends {
			times = append(times, time.Duration(len(times))*pause+time.Duration(n)*pause/4)
		}
		talk.Questions = append(talk.Questions, exchange.Question{
			To: destination(r.to), At: exchange.At(times...), Message: func(string) []byte { return r.bytes },
		})
	}
	return talk
}

func destination(to string) netip.AddrPort {
	if port, ok := strings.CutPrefix(to, "broadcast:"); ok {
		to = exchange.Broadcast.String() + ":" + port
	}
	return netip.MustParseAddrPort(to)
}

// Ports are the UDP ports at which the answers of the table's protocols pass:
// where they are fixed, and where they come from.
func Ports() []uint16 {
	var ports []uint16
	for _, v := range vendors {
		if v.localPort != 0 {
			ports = append(ports, v.localPort)
		}
		for _, r := range v.requests {
			ports = append(ports, destination(r.to).Port())
		}
	}
	return ports
}

// Hear reads an answer that passed at a port, whoever had asked for it.
func Hear(port uint16, raw []byte) []exchange.Heard {
	for _, v := range vendors {
		if v.speaksAt(port) {
			if list := v.hear(raw); list != nil {
				return list
			}
		}
	}
	return nil
}

func (v vendor) speaksAt(port uint16) bool {
	return port != 0 && port == v.localPort ||
		slices.ContainsFunc(v.requests, func(r request) bool { return destination(r.to).Port() == port })
}

// hear keeps an answer without what is secret in it.
func (v vendor) hear(raw []byte) []exchange.Heard {
	if len(raw) > maxAnswer || !v.answers(raw) {
		return nil
	}
	if v.redact != nil {
		raw = v.redact(raw)
	}
	return []exchange.Heard{{Kind: v.name, Raw: raw}}
}

// fields reads one answer. Anything else has no fields.
func (v vendor) fields(kind string, raw []byte) []discovery.Field {
	if len(raw) > maxAnswer || !v.answers(raw) {
		return nil
	}
	var l facts.List
	v.read(&l, raw)
	return l.Fields()
}
