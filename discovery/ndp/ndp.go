// Package ndp finds the IPv6 hosts of a link: a multicast echo that all nodes
// answer, neighbour solicitations to those known (RFC 4861), never a sweep.
package ndp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"camcensus/discovery"
	"camcensus/internal/packet"
)

const name = "ndp"

// Settings of discovery.sources.ndp.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
}

// Protocol describes the source.
var Protocol = discovery.Protocol{
	Name:     name,
	Summary:  "asks all IPv6 hosts of the link to answer an echo, and known ones for their MAC",
	Settings: func() any { return &Settings{Enabled: discovery.Enabled{Enabled: "auto"}} },
	New: func(env discovery.Env, settings any) (discovery.Source, error) {
		s, ok := settings.(*Settings)
		if !ok {
			return nil, fmt.Errorf("ndp: settings are %T", settings)
		}
		return &Source{env: env, capture: discovery.Capture{
			Wire: env.Wire, Health: discovery.NewHealth(name, s.Auto()),
			Filter: packet.MustFilter(packet.Want{ICMPv6: true}), Remedy: "the kernel's neighbour table serves instead",
		}}, nil
	},
	Kinds:    []string{name},
	Fields:   Fields,
	Requests: requests(),
}

const (
	echoes      = 2
	echoPause   = time.Second
	answerWait  = 3 * time.Second
	solicitMost = 4096 // known addresses asked in one cycle
	heardMost   = 1 << 15
)

// Source asks the links.
type Source struct {
	env     discovery.Env
	capture discovery.Capture
}

// Listen has nothing to do: the listen source hears neighbour discovery.
func (s *Source) Listen(context.Context, discovery.Sink) error { return nil }

// Status says on which interfaces it works.
func (s *Source) Status() []discovery.Status { return s.capture.Health.All() }

// Ask puts the questions on every interface that has IPv6.
func (s *Source) Ask(ctx context.Context, round discovery.Round, sink discovery.Sink) error {
	scope := s.env.Wire.Scope()
	s.capture.Health.Keep(scope.Interfaces)
	var wg sync.WaitGroup
	var links []*link
	for _, i := range scope.Interfaces {
		if i.Loopback || len(i.MAC) != 6 || !i.Addr6().IsValid() {
			continue
		}
		conn, err := s.capture.Open(i)
		if err != nil {
			continue
		}
		l := &link{
			source: s, iface: i, conn: conn, sink: sink, heard: map[netip.Addr]bool{},
			known: knownOn(scope, i, round.Known),
		}
		links = append(links, l)
		wg.Go(func() { l.run(ctx) })
	}
	wg.Wait()
	if round.Covered != nil && ctx.Err() == nil && !s.env.Wire.Planning() {
		s.cover(scope, links, round.Covered)
	}
	if round.Progress != nil {
		round.Progress(1, 1)
	}
	return ctx.Err()
}

// cover tells what was asked in the networks of the links. Nobody can try
// every address of an IPv6 network: tried are the hosts that the echo brought
// out and those that were known. A prefix that several links have counts once.
func (s *Source) cover(scope *discovery.Scope, links []*link, covered func(discovery.Coverage)) {
	by := map[netip.Prefix]*discovery.Coverage{}
	var order []netip.Prefix
	for _, n := range scope.Networks {
		for _, l := range links {
			if !l.done || !n.Connected || n.Interface != l.iface.Name || !n.Prefix.Addr().Is6() {
				continue
			}
			c := by[n.Prefix]
			if c == nil {
				c = &discovery.Coverage{Network: n.Prefix, Source: name, Finished: s.env.Now()}
				by[n.Prefix] = c
				order = append(order, n.Prefix)
			}
			l.count(scope, c)
		}
	}
	for _, p := range order {
		covered(*by[p])
	}
}

// count adds the link's hosts in a network.
func (l *link) count(scope *discovery.Scope, c *discovery.Coverage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ip := range l.heard {
		if !c.Network.Contains(ip) || l.iface.Has(ip) {
			continue
		}
		if _, no := scope.Excluded(ip); no {
			c.Excluded++
			continue
		}
		c.Tried++
		c.Answered++
	}
	for _, ip := range l.known {
		if _, no := scope.Excluded(ip); !no && c.Network.Contains(ip) && !l.heard[ip] {
			c.Tried++
		}
	}
}

func knownOn(scope *discovery.Scope, i discovery.Interface, known []netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, ip := range known {
		ip = ip.WithZone("")
		if !ip.Is6() || ip.Is4In6() || i.Has(ip) || len(out) == solicitMost {
			continue
		}
		// A link-local address may be on any link: all are asked.
		if n, ok := scope.NetworkOf(ip); ok && n.Connected && (n.Interface == i.Name || ip.IsLinkLocalUnicast()) {
			out = append(out, ip)
		}
	}
	return out
}

// link is one interface's part of a cycle.
type link struct {
	source *Source
	iface  discovery.Interface
	conn   *discovery.PacketConn
	sink   discovery.Sink
	known  []netip.Addr

	mu    sync.Mutex
	heard map[netip.Addr]bool
	asked int  // known hosts that were solicited
	done  bool // every question was put
}

func (l *link) run(ctx context.Context) {
	var reader sync.WaitGroup
	reader.Go(func() { l.conn.ReadFrames(l.take) })
	err := l.ask(ctx)
	l.done = err == nil
	if err != nil && ctx.Err() == nil && !refused(err) {
		l.source.capture.Health.Down(l.iface.Name, err, "")
	}
	l.conn.Close()
	reader.Wait()
}

// refused reports whether Wire said no, which is no failure of the link.
func refused(err error) bool {
	return errors.Is(err, discovery.ErrListenOnly) || errors.Is(err, discovery.ErrMulticastBudget)
}

func (l *link) ask(ctx context.Context) error {
	build := packet.NewBuilder()
	for n := range echoes {
		if n > 0 && !l.pause(ctx, echoPause) {
			return ctx.Err()
		}
		frame, err := build.EchoAllNodes(l.iface.MAC, l.iface.Addr6(), 0xca3e, uint16(n+1))
		if err != nil {
			return err
		}
		if err := l.conn.WriteFrame(ctx, frame, discovery.Packet{Note: "echo to all nodes"}); err != nil {
			return err
		}
	}
	l.pause(ctx, answerWait)
	if err := l.solicit(ctx, build); err != nil {
		return err
	}
	return ctx.Err()
}

// solicit asks the known hosts that the echo did not bring out.
func (l *link) solicit(ctx context.Context, build *packet.Builder) error {
	for _, ip := range l.known {
		if l.has(ip) {
			continue
		}
		frame, err := build.Solicit(l.iface.MAC, l.iface.Addr6(), ip)
		if err != nil {
			return err
		}
		err = l.conn.WriteFrame(ctx, frame, discovery.Packet{Note: "known host"})
		switch {
		case errors.Is(err, discovery.ErrExcluded), errors.Is(err, discovery.ErrNotSighted), errors.Is(err, discovery.ErrOutOfScope):
			continue
		case err != nil:
			return err
		}
		l.asked++
	}
	if l.asked > 0 {
		l.pause(ctx, answerWait)
	}
	return nil
}

// pause waits for answers; in a dry run there are none.
func (l *link) pause(ctx context.Context, d time.Duration) bool {
	return l.source.env.Wire.Planning() || discovery.Sleep(ctx, d) == nil
}

func (l *link) has(ip netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard[ip]
}

// first notes a host and reports whether it is new in this cycle.
func (l *link) first(ip netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heard[ip] || len(l.heard) >= heardMost {
		return false
	}
	l.heard[ip] = true
	return true
}

func (l *link) take(f *packet.Frame, ci discovery.CaptureInfo) {
	if sighting, ok := Sighting(f, ci); ok && l.first(sighting.IP) {
		l.sink(sighting)
	}
}

// Sighting reads who an ICMPv6 frame shows: the sender of an echo reply, the
// target of an advertisement, whoever solicits. A frame of neighbour
// discovery that came through a router (hop limit under 255, RFC 4861 section
// 7.1) shows nobody.
func Sighting(f *packet.Frame, ci discovery.CaptureInfo) (discovery.Sighting, bool) {
	ip, mac := f.From, f.Source
	switch f.Protocol {
	case packet.EchoReply:
	case packet.Advertisement:
		if f.TTL != 255 {
			return discovery.Sighting{}, false
		}
		if f.Target.IsValid() {
			ip = f.Target
		}
		if f.Sender != [6]byte{} {
			mac = f.Sender
		}
	case packet.Solicitation:
		if f.TTL != 255 {
			return discovery.Sighting{}, false
		}
	default:
		return discovery.Sighting{}, false
	}
	if !ip.Is6() || ip.IsMulticast() || ip.IsUnspecified() || ip.Is4In6() || mac[0]&1 != 0 || mac == [6]byte{} {
		return discovery.Sighting{}, false
	}
	return discovery.Sighting{
		Time: ci.Time, Source: name, Interface: ci.Interface, VLAN: max(ci.VLAN, f.VLAN),
		IP: ip, MAC: net.HardwareAddr(mac[:]), Kind: name,
		Announced: f.Protocol == packet.Advertisement && f.To.IsMulticast(),
	}, true
}
