package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"camcensus/discovery"
)

// coverageBook remembers, per network, what the last finished sweep did, and
// which networks this cycle covered.
type coverageBook struct {
	mu       sync.Mutex
	networks map[netip.Prefix]*networkCoverage
	cycle    map[netip.Prefix]bool
}

// networkCoverage is the memory of one network.
type networkCoverage struct {
	last     discovery.Coverage
	interval time.Duration // how often it is swept
	iface    string        // on which it is connected, or was last; "" behind a router
	lost     time.Time     // since when it is down that was up; zero otherwise
	wasUp    bool
}

func newCoverageBook() *coverageBook {
	return &coverageBook{networks: map[netip.Prefix]*networkCoverage{}, cycle: map[netip.Prefix]bool{}}
}

// begin forgets which networks the last cycle covered.
func (b *coverageBook) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.cycle)
}

// know makes sure that a network in scope is never absent from the counts.
func (b *coverageBook) know(known discovery.Network, interval time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := known.Prefix
	n := b.networks[p]
	if n == nil {
		n = &networkCoverage{last: discovery.Coverage{Network: p}}
		b.networks[p] = n
	}
	n.interval = interval
	if known.Connected {
		n.iface = known.Interface
	}
}

// onLink returns the interface on which a network is connected, or was when it
// was last known to be; "" for one that is reached through a router.
func (b *coverageBook) onLink(p netip.Prefix) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.networks[p]; n != nil {
		return n.iface
	}
	return ""
}

// routed notes that somebody answered in the network from behind a router.
func (b *coverageBook) routed(p netip.Prefix) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.networks[p]; n != nil {
		n.iface = ""
	}
}

// add notes a finished sweep.
func (b *coverageBook) add(c discovery.Coverage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.networks[c.Network]
	if n == nil {
		n = &networkCoverage{}
		b.networks[c.Network] = n
	}
	n.last = c
	b.cycle[c.Network] = true
}

// covered returns the networks that this cycle swept, and with what outcome.
func (b *coverageBook) covered() []discovery.Coverage {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []discovery.Coverage
	for p := range b.cycle {
		out = append(out, b.networks[p].last)
	}
	return out
}

// all returns every network ever in scope, with its last sweep and why it is
// not up, if it is not.
func (b *coverageBook) all(scope *discovery.Scope, now time.Time) []coveredNetwork {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]coveredNetwork, 0, len(b.networks))
	for _, n := range b.networks {
		out = append(out, coveredNetwork{Coverage: n.last, Why: n.down(scope, now)})
	}
	return out
}

// turned returns the networks that were lost or came back since it was last
// called. A network that was never up is not lost: it was never had.
func (b *coverageBook) turned(scope *discovery.Scope, now time.Time) []turn {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []turn
	for p, n := range b.networks {
		why := n.down(scope, now)
		up := why == ""
		switch {
		case n.wasUp && !up:
			n.lost = now
			out = append(out, turn{Network: p, Why: why})
		case !n.lost.IsZero() && up:
			why = "a sweep of it finished"
			if n.last.Finished.Before(n.lost) {
				why = "the link is back"
			}
			n.lost = time.Time{}
			out = append(out, turn{Network: p, Back: true, Why: why})
		}
		n.wasUp = up
	}
	return out
}

// down says why a network is not up; "" when it is: its interface has a link,
// and a sweep finished lately.
func (n *networkCoverage) down(scope *discovery.Scope, now time.Time) string {
	if linkless(scope, n.last.Network, n.iface) {
		return "no link on " + n.iface
	}
	switch {
	case n.last.Finished.IsZero():
		return "no sweep of it has finished yet: only devices that speak up by themselves were seen"
	case now.Sub(n.last.Finished) > 2*n.interval:
		return "its last sweep is more than two intervals old"
	}
	return ""
}

// linkless tells whether a network that is connected on an interface, or was
// when that was last up, can be neither asked nor heard: no interface that
// carries it has a link.
func linkless(scope *discovery.Scope, p netip.Prefix, iface string) bool {
	if iface == "" {
		return false
	}
	return !linked(scope, iface) && !slices.ContainsFunc(scope.Networks, func(n discovery.Network) bool {
		return n.Prefix == p && n.Connected && linked(scope, n.Interface)
	})
}

// linked tells whether an interface is up and has a link. One that the scope
// does not use may be switched off, gone, or merely without an address.
func linked(scope *discovery.Scope, name string) bool {
	if i, used := scope.Interface(name); used {
		return i.Running
	}
	all, err := discovery.Interfaces()
	return err == nil && slices.ContainsFunc(all, func(i discovery.Interface) bool { return i.Name == name && i.Up && i.Running })
}

// notes name the networks in which something answers for others.
func (b *coverageBook) notes() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for p, n := range b.networks {
		if n.last.Bogus > 0 {
			out = append(out, fmt.Sprintf("%s: one device or middlebox answers for %d addresses at which nobody else was seen; they are counted as bogus, not as hosts", p, n.last.Bogus))
		}
	}
	slices.Sort(out)
	return out
}

type coveredNetwork struct {
	discovery.Coverage
	Why string // it is not up; "" when it is
}

// turn is a network that was lost, or is back, and why.
type turn struct {
	Network netip.Prefix
	Back    bool
	Why     string
}
