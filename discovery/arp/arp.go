// Package arp sweeps connected networks with ARP requests (RFC 826): the one
// question on a link that no host can leave unanswered.
package arp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/internal/packet"
)

const name = "arp"

// Settings of discovery.sources.arp.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
	// Rate is in requests per second on each interface; 0 is no limit of its
	// own. Switches with ARP inspection shut a port at 15 a second.
	Rate float64 `yaml:"rate"`
}

// Protocol describes the source.
var Protocol = discovery.Protocol{
	Name:     name,
	Summary:  "asks every address of the connected networks for its MAC (ARP)",
	Settings: func() any { return &Settings{Enabled: discovery.Enabled{Enabled: "auto"}, Rate: 12} },
	New: func(env discovery.Env, settings any) (discovery.Source, error) {
		s, ok := settings.(*Settings)
		if !ok {
			return nil, fmt.Errorf("arp: settings are %T", settings)
		}
		if s.Rate < 0 {
			return nil, fmt.Errorf("arp: rate %v: below 0", s.Rate)
		}
		return New(env, *s), nil
	},
	Kinds:    []string{name},
	Fields:   Fields,
	Requests: requests(),
}

const (
	rounds    = 2 // the silent are asked once more
	lossRound = 1 // and again when packets were lost
	roundWait = 300 * time.Millisecond
	lastWait  = 700 * time.Millisecond
)

// Source sweeps the connected networks.
type Source struct {
	env      discovery.Env
	settings Settings
	capture  discovery.Capture
}

// New returns the source.
func New(env discovery.Env, s Settings) *Source {
	return &Source{env: env, settings: s, capture: discovery.Capture{
		Wire: env.Wire, Health: discovery.NewHealth(name, s.Auto()),
		Filter: packet.MustFilter(packet.Want{ARP: true}), Remedy: "the kernel's neighbour table serves instead",
	}}
}

// Listen has nothing to do: the listen source hears ARP.
func (s *Source) Listen(context.Context, discovery.Sink) error { return nil }

// Status says where the sweep works.
func (s *Source) Status() []discovery.Status { return s.capture.Health.All() }

// Ask sweeps every interface at the same time, each at its own rate.
func (s *Source) Ask(ctx context.Context, round discovery.Round, sink discovery.Sink) error {
	scope := s.env.Wire.Scope()
	s.capture.Health.Keep(scope.Interfaces)
	var sweeps []*sweep
	total := 0
	for _, i := range scope.Interfaces {
		networks := sweepable(scope, i)
		if i.Loopback || len(networks) == 0 {
			continue
		}
		if len(i.MAC) != 6 {
			s.capture.Health.Down(i.Name, errors.New("no Ethernet address"), "")
			continue
		}
		conn, err := s.capture.Open(i)
		if err != nil {
			continue
		}
		one := s.sweep(i, networks, conn, round, sink)
		sweeps = append(sweeps, one)
		total += one.size()
	}
	var done atomic.Int64
	var wg sync.WaitGroup
	for _, one := range sweeps {
		one.progress = func(n int) {
			if now := done.Add(int64(n)); round.Progress != nil {
				round.Progress(int(now), total)
			}
		}
		wg.Go(func() { one.run(ctx) })
	}
	wg.Wait()
	return ctx.Err()
}

// sweepable are the IPv4 networks of an interface; of nested ones the outer.
func sweepable(scope *discovery.Scope, i discovery.Interface) []discovery.Network {
	var out []discovery.Network
	for _, n := range scope.Networks {
		if n.Interface != i.Name || !n.Connected || !n.Prefix.Addr().Is4() {
			continue
		}
		inner := false
		for _, other := range scope.Networks {
			inner = inner || other.Interface == i.Name && other.Prefix.Bits() < n.Prefix.Bits() && other.Prefix.Overlaps(n.Prefix)
		}
		if !inner {
			out = append(out, n)
		}
	}
	return out
}

func (s *Source) sweep(i discovery.Interface, networks []discovery.Network, conn *discovery.PacketConn, round discovery.Round, sink discovery.Sink) *sweep {
	w := &sweep{
		wire: s.env.Wire, log: s.env.Log, now: s.env.Now, health: s.capture.Health,
		iface: i, conn: conn, round: round, sink: sink, pace: discovery.NewPace(s.settings.Rate),
	}
	for _, n := range networks {
		w.networks = append(w.networks, &swept{network: n, tally: newTally()})
	}
	return w
}

// sweep is one interface's part of a cycle.
type sweep struct {
	wire     *discovery.Wire
	log      *zap.Logger
	now      func() time.Time
	health   *discovery.Health
	iface    discovery.Interface
	conn     *discovery.PacketConn
	round    discovery.Round
	sink     discovery.Sink
	pace     *discovery.Pace
	progress func(n int)
	networks []*swept
}

// swept is one network and what became of it.
type swept struct {
	network  discovery.Network
	tally    *tally
	tried    int // asked, or seen before their turn
	excluded int
}

func (w *sweep) size() int {
	n := 0
	for _, s := range w.networks {
		n += 1 << (32 - s.network.Prefix.Bits())
	}
	return n
}

func (w *sweep) run(ctx context.Context) {
	var reader sync.WaitGroup
	reader.Go(func() { w.conn.ReadFrames(w.take) })
	w.rounds(ctx)
	w.conn.Close()
	reader.Wait()
	w.finish(ctx)
}

func (w *sweep) rounds(ctx context.Context) {
	lost := false
	for round := range rounds + lossRound {
		if round >= rounds && !lost {
			return
		}
		heard, dropped := w.heard(), w.conn.Stats().Dropped
		if !w.ask(ctx, round) || w.wire.Planning() {
			return
		}
		wait := roundWait
		if round >= rounds-1 {
			wait = lastWait
		}
		if discovery.Sleep(ctx, wait) != nil {
			return
		}
		lost = w.conn.Stats().Dropped > dropped || lossy(heard, w.heard())
	}
}

// lossy tells whether packets are being lost, by how many hosts had answered
// before the silent were asked once more, and how many have now. One may have
// woken up meanwhile; where 4 % are lost each way, more than a sixteenth of the
// hosts answer late.
func lossy(before, after int) bool {
	late := after - before
	return late >= 2 && late*16 > after
}

// heard is how many addresses somebody has claimed.
func (w *sweep) heard() (n int) {
	for _, s := range w.networks {
		n += s.tally.addresses()
	}
	return n
}

// ask puts the question to every address that has not answered. It reports
// false when there is no point in going on.
func (w *sweep) ask(ctx context.Context, round int) bool {
	build := packet.NewBuilder()
	for _, s := range w.networks {
		step := 0
		for ip := s.network.Prefix.Addr(); s.network.Prefix.Contains(ip); ip = ip.Next() {
			if round == 0 {
				if step++; step%64 == 0 {
					w.progress(64)
				}
			}
			if w.iface.Has(ip) || !isHost(ip, s.network.Prefix) {
				continue
			}
			if s.tally.answered(ip) {
				w.spared(s, ip, round == 0)
				continue
			}
			if err := w.askOne(ctx, build, s, ip, round == 0); err != nil {
				if ctx.Err() == nil && !errors.Is(err, discovery.ErrListenOnly) {
					w.health.Down(w.iface.Name, err, "")
					w.log.Warn("ARP sweep stopped", zap.String("interface", w.iface.Name), zap.Error(err))
				}
				return false
			}
		}
		if round == 0 {
			w.progress(step % 64)
		}
	}
	return true
}

// spared counts an address that need not be asked: its host has shown itself
// since the sweep began.
func (w *sweep) spared(s *swept, ip netip.Addr, first bool) {
	if _, no := w.wire.Scope().Excluded(ip); !first {
		return
	} else if no {
		s.excluded++
	} else {
		s.tried++
	}
}

func isHost(ip netip.Addr, p netip.Prefix) bool {
	return p.Bits() >= 31 || ip != p.Addr() && ip != discovery.Broadcast(p)
}

func (w *sweep) askOne(ctx context.Context, build *packet.Builder, s *swept, ip netip.Addr, first bool) error {
	if !w.wire.Planning() {
		if err := w.pace.Wait(ctx, 1); err != nil {
			return err
		}
	}
	frame, err := build.ARPRequest(w.iface.MAC, s.network.Local, ip)
	if err != nil {
		return err
	}
	err = w.conn.WriteFrame(ctx, frame, discovery.Packet{Note: "who has, again if silent"})
	switch {
	case errors.Is(err, discovery.ErrExcluded):
		if first {
			s.excluded++
		}
		return nil
	case err != nil:
		return err
	}
	if first {
		s.tried++
	}
	return nil
}

// take passes an answer on. Requests of others show as much as replies do.
func (w *sweep) take(f *packet.Frame, ci discovery.CaptureInfo) {
	if f.Protocol != packet.ARP || f.Sender[0]&1 != 0 || f.Sender == [6]byte{} || f.Sender == [6]byte(w.iface.MAC) {
		return
	}
	for _, s := range w.networks {
		if !s.network.Prefix.Contains(f.From) || !isHost(f.From, s.network.Prefix) {
			continue
		}
		a := answer{ip: f.From, mac: f.Sender, vlan: max(ci.VLAN, f.VLAN)}
		pass, double := s.tally.add(a)
		if double {
			w.log.Warn("one address, several MACs", zap.Stringer("ip", f.From), zap.String("interface", w.iface.Name))
		}
		if pass {
			w.report(a, ci.Time)
		}
		return
	}
}

func (w *sweep) report(a answer, at time.Time) {
	w.sink(discovery.Sighting{
		Time: at, Source: name, Interface: w.iface.Name, VLAN: a.vlan,
		IP: a.ip, MAC: net.HardwareAddr(a.mac[:]), Kind: name,
	})
}

// finish passes on what was held back and says what was covered.
func (w *sweep) finish(ctx context.Context) {
	for _, s := range w.networks {
		rest, proxies, hosts, bogus := s.tally.close()
		for _, a := range rest {
			w.report(a, w.now())
		}
		for _, p := range proxies {
			w.log.Warn("one MAC answers for many addresses: a proxy, no sign of hosts",
				zap.String("mac", net.HardwareAddr(p.mac[:]).String()), zap.Int("addresses", p.addresses), zap.Stringer("network", s.network.Prefix))
		}
		if w.round.Covered == nil || ctx.Err() != nil || s.tried == 0 && s.excluded == 0 || w.wire.Planning() {
			continue
		}
		w.round.Covered(discovery.Coverage{
			Network: s.network.Prefix, Source: name, Tried: s.tried, Answered: hosts,
			Excluded: s.excluded, Bogus: bogus, Finished: w.now(),
		})
	}
}
