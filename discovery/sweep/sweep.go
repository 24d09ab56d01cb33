// Package sweep finds the hosts of routed networks by whole TCP connections to
// a few ports: what a browser does, never half-open, never in haste.
package sweep

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"camcensus/discovery"
)

const name = "sweep"

// Settings of discovery.sources.sweep.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
	Interval          time.Duration `yaml:"interval"`         // between two sweeps of a network
	Ports             []uint16      `yaml:"ports"`            // tried in this order, until one accepts
	Timeout           time.Duration `yaml:"timeout"`          // of one connection; the wire allows below 1 s
	InFlight          int           `yaml:"in_flight"`        // connections at a time, all networks together
	PerNetworkRate    float64       `yaml:"per_network_rate"` // SYNs per second into one network, 0 = no limit
}

// Defaults are the settings of DESIGN section 6.
func Defaults() *Settings {
	return &Settings{
		Enabled:  discovery.Enabled{Enabled: "true"},
		Interval: 24 * time.Hour, Ports: []uint16{80, 443, 554, 8000, 8080},
		Timeout: time.Second, InFlight: 1024, PerNetworkRate: 100,
	}
}

// Protocol describes the source. It writes records of the probes' kinds where
// the agent lets it ask the first question.
var Protocol = discovery.Protocol{
	Name:     name,
	Summary:  "connects to a few ports of every address of the routed networks",
	Settings: func() any { return Defaults() },
	New: func(env discovery.Env, settings any) (discovery.Source, error) {
		s, ok := settings.(*Settings)
		if !ok {
			return nil, fmt.Errorf("sweep: settings are %T", settings)
		}
		if err := s.check(); err != nil {
			return nil, err
		}
		return New(env, *s), nil
	},
	Fields: func(string, []byte) []discovery.Field { return nil },
}

// mostPorts leaves room, in the allowance of a silent address, to ask it at some
// ports once more.
const mostPorts = 6

func (s *Settings) check() error {
	switch {
	case len(s.Ports) == 0 || len(s.Ports) > mostPorts:
		return fmt.Errorf("sweep: %d ports (needs 1 to %d)", len(s.Ports), mostPorts)
	case s.Timeout <= 0:
		return fmt.Errorf("sweep: timeout %v (needs more than 0)", s.Timeout)
	case s.InFlight < 1:
		return fmt.Errorf("sweep: in_flight %d (needs at least 1)", s.InFlight)
	case s.PerNetworkRate < 0:
		return fmt.Errorf("sweep: per_network_rate %v: below 0", s.PerNetworkRate)
	case s.Interval < 0:
		return fmt.Errorf("sweep: interval %v: below 0", s.Interval)
	}
	return nil
}

// Source sweeps the routed networks that are due.
type Source struct {
	env      discovery.Env
	settings Settings
	last     map[netip.Prefix]time.Time // end of the last whole sweep
	again    map[netip.Prefix]*memory   // networks whose silent addresses are asked again
	health   *discovery.Health
}

// memory is kept of a network between its rounds: a packet may have been lost,
// and the next sweep is far, so that silent addresses are asked again.
type memory struct {
	round    int                 // 0: the whole sweep
	answered map[netip.Addr]bool // these need not be asked again
	boxes    map[netip.Addr]box  // by the first address of their block
}

func newMemory() *memory {
	return &memory{answered: map[netip.Addr]bool{}, boxes: map[netip.Addr]box{}}
}

// A sweep that took no longer than shortSweep is followed by repeats rounds
// that ask the silent addresses again; a longer one would hold up the cycles.
const (
	repeats    = 2
	shortSweep = 5 * time.Minute
)

// twice are the ports at which a silent address is asked once more in the same
// cycle, as far as its allowance goes: the first ones, in the next round the
// last ones, and so on.
func (s *Settings) twice(round int) []uint16 {
	all := len(s.Ports)
	n := min(all, discovery.HostSYNs-all)
	if round%2 == 1 {
		return s.Ports[all-n:]
	}
	return s.Ports[:n]
}

// brief tells that the networks, one after another, are gone through within
// shortSweep: there is time to ask the silent once more in the same cycle.
func (s *Settings) brief(connections int) bool {
	return s.PerNetworkRate == 0 || float64(connections)/s.PerNetworkRate <= shortSweep.Seconds()
}

// New returns the source.
func New(env discovery.Env, s Settings) *Source {
	return &Source{env: env, settings: s, last: map[netip.Prefix]time.Time{}, again: map[netip.Prefix]*memory{}, health: discovery.NewHealth(name, s.Auto())}
}

// Listen has nothing to hear.
func (s *Source) Listen(context.Context, discovery.Sink) error { return nil }

// Status is up: connections need no privilege.
func (s *Source) Status() []discovery.Status { return s.health.All() }

// Ask sweeps the networks that are due, and asks once more where others were
// silent lately, all at the same time.
func (s *Source) Ask(ctx context.Context, round discovery.Round, sink discovery.Sink) error {
	s.health.Up("")
	due := s.due()
	if len(due) == 0 {
		return nil
	}
	addresses := 0
	for _, n := range due {
		addresses += 1 << (32 - n.Prefix.Bits())
	}
	total := addresses * len(s.settings.Ports)
	brief := s.settings.brief(total)
	if brief {
		total += addresses * len(s.settings.twice(0))
	}
	var done atomic.Int64
	tell := func(n int) {
		if now := done.Add(int64(n)); round.Progress != nil {
			round.Progress(int(now), total)
		}
	}
	slots := make(chan struct{}, s.settings.InFlight)
	visits, finished := make([]*visit, len(due)), make([]bool, len(due))
	var wg sync.WaitGroup
	for at, n := range due {
		v := &visit{
			env: s.env, settings: s.settings, network: n, round: round, sink: sink, memory: s.again[n.Prefix],
			slots: slots, pace: discovery.NewPace(s.settings.PerNetworkRate), tell: tell,
		}
		if v.memory == nil || s.intervalOver(n.Prefix) {
			v.memory = newMemory()
		}
		if brief {
			v.twice = s.settings.twice(v.memory.round)
		}
		visits[at] = v
		wg.Go(func() { finished[at] = v.run(ctx) })
	}
	wg.Wait()
	for at, v := range visits {
		if finished[at] {
			s.finished(v)
		}
	}
	return ctx.Err()
}

// finished notes that a network was gone through.
func (s *Source) finished(v *visit) {
	p, m := v.network.Prefix, v.memory
	if m.round == 0 {
		s.last[p] = s.env.Now()
	}
	if m.round++; v.long || m.round > repeats {
		delete(s.again, p)
		return
	}
	s.again[p] = m
}

func (s *Source) intervalOver(p netip.Prefix) bool {
	last, swept := s.last[p]
	return !swept || s.env.Now().Sub(last) >= s.settings.Interval
}

// due are the routed IPv4 networks whose interval is over or whose silent
// addresses are asked again; of nested ones the outer.
func (s *Source) due() []discovery.Network {
	var out []discovery.Network
	all := s.env.Wire.Scope().Networks
	for _, n := range all {
		if n.Connected || !n.Prefix.Addr().Is4() {
			continue
		}
		inner := false
		for _, other := range all {
			inner = inner || !other.Connected && other.Prefix.Bits() < n.Prefix.Bits() && other.Prefix.Overlaps(n.Prefix)
		}
		if !inner && (s.intervalOver(n.Prefix) || s.again[n.Prefix] != nil) {
			out = append(out, n)
		}
	}
	return out
}
