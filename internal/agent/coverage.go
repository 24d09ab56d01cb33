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
	last      discovery.Coverage
	firstSeen time.Time
	interval  time.Duration // how often it is swept
	lost      bool          // it was up, and is not now
	wasUp     bool
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
func (b *coverageBook) know(p netip.Prefix, interval time.Duration, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.networks[p]
	if n == nil {
		n = &networkCoverage{firstSeen: now, last: discovery.Coverage{Network: p}}
		b.networks[p] = n
	}
	n.interval = interval
}

// add notes a finished sweep.
func (b *coverageBook) add(c discovery.Coverage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.networks[c.Network]
	if n == nil {
		n = &networkCoverage{firstSeen: c.Finished}
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

// all returns every network ever in scope, with its last sweep and whether
// that sweep is recent enough to call the network up.
func (b *coverageBook) all(now time.Time) []coveredNetwork {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]coveredNetwork, 0, len(b.networks))
	for _, n := range b.networks {
		out = append(out, coveredNetwork{Coverage: n.last, Up: n.up(now)})
	}
	return out
}

// turned returns the networks that were lost or came back since it was last
// called. A network that was never up is not lost: it was never had.
func (b *coverageBook) turned(now time.Time) []coveredNetwork {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []coveredNetwork
	for _, n := range b.networks {
		up := n.up(now)
		switch {
		case n.wasUp && !up:
			n.lost = true
			out = append(out, coveredNetwork{Coverage: n.last})
		case n.lost && up:
			n.lost = false
			out = append(out, coveredNetwork{Coverage: n.last, Up: true})
		}
		n.wasUp = up
	}
	return out
}

func (n *networkCoverage) up(now time.Time) bool {
	return !n.last.Finished.IsZero() && now.Sub(n.last.Finished) <= 2*n.interval
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
	Up bool
}
