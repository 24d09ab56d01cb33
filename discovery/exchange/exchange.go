// Package exchange is the life cycle that the datagram protocols share:
// constant questions to the segment behind every interface, a window for the
// answers, groups that are listened to, and questions to single hosts of routed
// networks. A protocol says what is asked and how an answer is read; sockets,
// timing, bounds and status are here.
package exchange

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"camcensus/discovery"
)

// Broadcast is where a question goes that every host of a segment shall hear,
// those of foreign subnets included.
var Broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Conversation is what a protocol says.
type Conversation struct {
	// Sockets are opened for the time of one Ask.
	Sockets []Socket
	// Questions go to every interface.
	Questions []Question
	// Window is how long answers are awaited, from the start of Ask on.
	Window time.Duration
	// Groups are listened to all the time.
	Groups []netip.AddrPort
	// Unicast questions go to every host of the routed networks in scope.
	Unicast []Unicast
	// Read tells what one datagram is. It is pure and keeps no reference to raw.
	Read func(raw []byte) []Heard
}

// Socket is one socket of each interface, or one for all of them where the
// port is fixed.
type Socket struct {
	V6   bool
	Port uint16     // 0: an ephemeral port
	Join netip.Addr // a group whose traffic to Port is heard as well
	TTL  int        // of what is sent to groups, 0: 1
}

// Question is sent from one socket, the same bytes at each of the times.
type Question struct {
	Socket  int // index into Sockets
	To      netip.AddrPort
	At      func() []time.Duration
	Message func(token string) []byte // token is a fresh UUID
}

// Unicast is a question to one host. Where its answers repeat the token they
// prove that the host itself was asked.
type Unicast struct {
	Port    uint16
	Message func(token string) []byte
}

// Heard is what a datagram turned out to be. A zero Kind means that its sender
// lives and nothing more.
type Heard struct {
	Kind      string
	Raw       []byte
	Key       string // what makes it a repeat of another, "" for Raw
	Token     string // the token that it repeats, "" for none
	Announced bool
	Departed  bool
	Part      int // see discovery.Sighting
	// Hosts are the addresses that the answer gives for the host it is about.
	// Where the sender is none of them it speaks for another (an mDNS
	// reflector).
	Hosts []netip.Addr
}

// At returns the times as they are.
func At(times ...time.Duration) func() []time.Duration {
	return func() []time.Duration { return times }
}

// Source runs a conversation.
type Source struct {
	env   discovery.Env
	talk  Conversation
	board *Board
	gate  *gate
	next  uint64 // where the unicast questions go on in the next cycle
	// asking is true while answers to our own questions arrive at the groups.
	asking atomic.Bool
}

// Settings of a protocol that does nothing but converse.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
}

// Protocol completes the descriptor of such a protocol, which writes records of
// its own name.
func Protocol(p discovery.Protocol, talk func() Conversation) discovery.Protocol {
	p.Kinds = []string{p.Name}
	p.Settings = func() any { return &Settings{Enabled: discovery.Enabled{Enabled: "true"}} }
	p.New = func(env discovery.Env, settings any) (discovery.Source, error) {
		s, ok := settings.(*Settings)
		if !ok {
			return nil, fmt.Errorf("%s: settings are %T", p.Name, settings)
		}
		return New(env, NewBoard(p.Name, s.Auto()), talk()), nil
	}
	return p
}

// New returns the source of a conversation, which says on the board how it
// fares.
func New(env discovery.Env, board *Board, talk Conversation) *Source {
	return &Source{env: env, talk: talk, board: board, gate: newGate()}
}

// Status implements discovery.Source.
func (s *Source) Status() []discovery.Status { return s.board.Status() }

// Asking reports whether a window for answers is open.
func (s *Source) Asking() bool { return s.asking.Load() }

// Listen hears the groups on every interface until ctx ends. A group that
// cannot be joined is tried again.
func (s *Source) Listen(ctx context.Context, sink discovery.Sink) error {
	var open sync.WaitGroup
	for _, i := range s.env.Wire.Scope().Interfaces {
		s.board.Begin(i.Name, Listening)
		s.board.Begin(i.Name, Listening6)
		for _, group := range s.talk.Groups {
			if Carries(i, group.Addr().Is6()) {
				open.Go(func() {
					discovery.Retry(ctx, func() error { return s.hear(ctx, i.Name, group, sink) })
				})
			}
		}
	}
	open.Wait()
	return nil
}

// hear delivers what arrives at a group until ctx ends or the socket fails.
func (s *Source) hear(ctx context.Context, iface string, group netip.AddrPort, sink discovery.Sink) error {
	part := Listening.of(group.Addr().Is6())
	conn, err := s.env.Wire.ListenGroup(ctx, group, []string{iface})
	if err == nil {
		s.board.Work(iface, part)
		if err = s.receive(ctx, conn, nil, sink); err == nil {
			return nil
		}
		s.board.Begin(iface, part)
	}
	s.board.Fail(iface, part, err)
	return err
}

// Carries reports whether an interface can put a question of that family to a
// segment.
func Carries(i discovery.Interface, v6 bool) bool {
	if !i.Up || !i.Multicast && !i.Loopback {
		return false
	}
	if v6 {
		return i.Addr6().IsValid() && !i.Loopback
	}
	return i.Addr4().IsValid()
}

// receive delivers what arrives at one socket until ctx ends: the error is nil
// then.
func (s *Source) receive(ctx context.Context, conn *discovery.UDPConn, asked *asked, sink discovery.Sink) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer func() {
		stop()
		conn.Close()
	}()
	buffer := make([]byte, 65535)
	for {
		d, err := conn.Receive(buffer)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		s.deliver(d, buffer[:d.N], asked, sink)
	}
}

// deliver turns one datagram into sightings.
func (s *Source) deliver(d discovery.Datagram, raw []byte, asked *asked, sink discovery.Sink) {
	from := d.From.Addr()
	scope := s.env.Wire.Scope()
	if own(scope, from) || !s.gate.open(from, d.Time) {
		return
	}
	place := d.Interface
	if n, ok := scope.NetworkOf(from); ok && !n.Connected {
		place = ""
	}
	for _, h := range s.talk.Read(raw) {
		solicited := asked.repeats(from, h.Token)
		ip, about := Subject(scope, from, h.Hosts)
		if !about {
			h = Heard{Key: "reflected"}
		}
		key := h.Key
		if key == "" {
			key = string(h.Raw)
		}
		if !s.gate.fresh(ip, key, solicited, d.Time) {
			continue
		}
		sink(discovery.Sighting{
			Time: d.Time, Source: s.board.source, Interface: place, IP: ip, Port: d.From.Port(),
			Kind: h.Kind, Raw: h.Raw, Part: h.Part, Solicited: solicited,
			Announced: h.Announced, Departed: h.Departed,
		})
	}
}

// Subject is the host that an answer is about: its sender, or the host in scope
// that the sender speaks for. About hosts elsewhere nothing is believed.
func Subject(scope *discovery.Scope, from netip.Addr, hosts []netip.Addr) (ip netip.Addr, about bool) {
	if slices.Contains(hosts, from) {
		return from, true
	}
	elsewhere := false
	for _, h := range hosts {
		if h.IsLinkLocalUnicast() || h.IsLoopback() {
			continue
		}
		if scope.Contains(h) {
			return h, true
		}
		elsewhere = true
	}
	return from, !elsewhere
}

// own reports one of this machine's addresses: its questions come back to it
// where they were broadcast.
func own(scope *discovery.Scope, ip netip.Addr) bool {
	for _, i := range scope.Interfaces {
		if i.Has(ip) {
			return true
		}
	}
	return false
}
