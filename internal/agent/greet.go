package agent

import (
	"context"
	"net"
	"net/netip"
	"sync"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/fingerprint/probe"
)

// greet puts the first question over the connection that a sweep has opened:
// the one that Next would open a connection to that port for. What was asked is
// kept for the pass over the host, so that it is not asked twice.
func (a *Agent) greet(ctx context.Context, conn net.Conn, to netip.AddrPort) []discovery.Record {
	ip := to.Addr().Unmap().WithZone("")
	q, ok := fingerprint.Next(fingerprint.State{Ports: []uint16{to.Port()}, Swept: true, IP: ip, Routed: true, Now: a.now()})
	if !ok || q.Port != to.Port() || a.silent() {
		return nil
	}
	ans := a.prober.AskOn(ctx, conn, probe.Target{IP: ip}, q)
	if ans.Failure == fingerprint.FailedCancelled {
		return nil
	}
	a.counts.probe(q.Probe, ans.Failure)
	a.greeted.add(ip, ans.Asked(q, a.now()))
	return ans.Records
}

// greetings keeps what was asked over a sweep's connections until the host's
// turn comes.
type greetings struct {
	mu    sync.Mutex
	asked map[netip.Addr][]fingerprint.Asked
}

// maxGreeted bounds them; past it the host is asked once more.
const maxGreeted = 1 << 16

func (g *greetings) add(ip netip.Addr, q fingerprint.Asked) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.asked == nil || len(g.asked) >= maxGreeted {
		g.asked = map[netip.Addr][]fingerprint.Asked{}
	}
	g.asked[ip] = append(g.asked[ip], q)
}

// take hands out what the host was asked, once.
func (g *greetings) take(ip netip.Addr) []fingerprint.Asked {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.asked[ip]
	delete(g.asked, ip)
	return q
}

// greet enters what the sweep has asked already into the present pass.
func (h *host) greet(asked []fingerprint.Asked) {
	for _, q := range asked {
		if q.Time.Before(h.since) {
			h.since = q.Time
		}
	}
	h.asked = append(h.asked, asked...)
}
