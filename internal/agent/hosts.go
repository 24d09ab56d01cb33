package agent

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"camcensus/fingerprint"
)

// host is one address that questions may go to, and what was asked there. It
// is owned by the queue, and by one worker while busy; what is heard of it
// meanwhile waits in news.
type host struct {
	addr  netip.Addr
	iface string
	tenant
	before tenant // who was seen there before: of two that claim the address, the other

	queued, busy, again bool
	turn                uint64 // counts up with every queueing
	news                *host  // the queue's, also while busy
}

// tenant is who holds the address, and what it was asked.
type tenant struct {
	mac     net.HardwareAddr
	device  string
	ports   []uint16 // found open by the sweep
	asked   []fingerprint.Asked
	since   time.Time // when the present pass over it began
	askedAt time.Time // when it was asked last
	cut     bool      // its allowance of a cycle ran out in the middle of the pass
}

// turnTo says which MAC holds the address. Another than before is another
// device, which is yet to be named and has been asked nothing, unless it is
// back: two that claim the same address in turn are not asked anew each time.
func (h *host) turnTo(mac net.HardwareAddr) {
	switch {
	case h.mac == nil || bytes.Equal(h.mac, mac):
		h.mac = bytes.Clone(mac)
	case bytes.Equal(h.before.mac, mac):
		h.tenant, h.before = h.before, h.tenant
	default:
		h.tenant, h.before = tenant{mac: bytes.Clone(mac)}, h.tenant
	}
}

// hear takes over what a sighting said.
func (h *host) hear(s *host) {
	if s.mac != nil {
		h.turnTo(s.mac)
	}
	if s.iface != "" {
		h.iface = s.iface
	}
	if s.device != "" {
		h.device = s.device
	}
	for _, p := range s.ports {
		if !slices.Contains(h.ports, p) && len(h.ports) < 16 {
			h.ports = append(h.ports, p)
		}
	}
}

// begin opens a new pass over the host when the last one is over: what was
// asked then counts no longer, but what failed within a day still keeps us
// from asking again.
func (h *host) begin(now time.Time, interval time.Duration) {
	h.cut = false
	if !h.since.IsZero() && now.Sub(h.askedAt) < interval {
		return
	}
	h.since = now
	h.asked = slices.DeleteFunc(h.asked, func(q fingerprint.Asked) bool {
		return q.Failure == "" || now.Sub(q.Time) > rememberFailures
	})
}

// note enters what became of a question. One that the host's allowance kept from
// leaving was not asked: the next cycle puts it.
func (h *host) note(q fingerprint.Asked) {
	h.askedAt, h.cut = q.Time, q.Failure == fingerprint.FailedBudget
	if !h.cut || q.Connections > 0 {
		h.asked = append(h.asked, q)
	}
}

// askedAtPort is what was asked at one port.
func (h *host) askedAtPort(port uint16) []fingerprint.Asked {
	return slices.DeleteFunc(slices.Clone(h.asked), func(q fingerprint.Asked) bool { return q.Question.Port != port })
}

// rememberFailures is how long a failed question keeps a host from being asked
// it again.
const rememberFailures = 24 * time.Hour

// hostQueue hands hosts to the workers, each host to one worker at a time.
type hostQueue struct {
	mu    sync.Mutex
	hosts map[netip.Addr]*host
	order []*host
	wake  chan struct{} // closed and renewed when a host is queued or done
	busy  map[*host]struct{}
	turns uint64
}

func newHostQueue() *hostQueue {
	return &hostQueue{hosts: map[netip.Addr]*host{}, busy: map[*host]struct{}{}, wake: make(chan struct{})}
}

// offer notes what a sighting says of the host and queues it: when that is
// news, or when due says so of the time it was asked last.
func (q *hostQueue) offer(s host, news bool, due func(askedAt time.Time) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := q.hosts[s.addr]
	if h == nil {
		h = &host{addr: s.addr, tenant: tenant{askedAt: s.askedAt}}
		q.hosts[s.addr] = h
	}
	if h.busy {
		if h.news == nil {
			h.news = &host{}
		}
		h.news.hear(&s)
		h.again = h.again || news
		return
	}
	h.hear(&s)
	if !h.queued && (news || due(h.askedAt)) {
		q.push(h)
	}
}

// resume queues the hosts whose allowance ran out in the last cycle.
func (q *hostQueue) resume() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, h := range q.hosts {
		if !h.busy && !h.queued && h.cut {
			q.push(h)
		}
	}
}

func (q *hostQueue) push(h *host) {
	q.turns++
	h.queued, h.turn = true, q.turns
	q.order = append(q.order, h)
	q.signal()
}

func (q *hostQueue) signal() {
	close(q.wake)
	q.wake = make(chan struct{})
}

// take waits for a host to ask; nil when ctx ends.
func (q *hostQueue) take(ctx context.Context) *host {
	for ctx.Err() == nil {
		q.mu.Lock()
		if len(q.order) > 0 {
			h := q.order[0]
			q.order = q.order[1:]
			h.queued, h.busy = false, true
			q.busy[h] = struct{}{}
			q.mu.Unlock()
			return h
		}
		wake := q.wake
		q.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
		}
	}
	return nil
}

// done gives the host back; it is queued again when something new was heard
// of it meanwhile.
func (q *hostQueue) done(h *host) {
	q.mu.Lock()
	defer q.mu.Unlock()
	h.busy = false
	delete(q.busy, h)
	if h.news != nil {
		h.hear(h.news)
		h.news = nil
	}
	if h.again {
		h.again = false
		q.push(h)
		return
	}
	q.signal()
}

// pending is how many hosts wait or are being asked.
func (q *hostQueue) pending() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.order) + len(q.busy)
}

// waitIdle returns when no host waits or is being asked. Hosts that are queued
// while it waits are awaited for as long as lateFor after the others, so that a
// segment that never falls silent cannot keep a cycle from ending.
func (q *hostQueue) waitIdle(ctx context.Context, each func(pending int)) {
	q.mu.Lock()
	last := q.turns
	q.mu.Unlock()
	var late <-chan time.Time
	for {
		q.mu.Lock()
		n, first, wake := len(q.order)+len(q.busy), q.first(), q.wake
		q.mu.Unlock()
		each(n)
		if n == 0 {
			return
		}
		if first > last && late == nil {
			late = time.After(lateFor)
		}
		select {
		case <-wake:
		case <-late:
			return
		case <-ctx.Done():
			return
		}
	}
}

// lateFor is how long a cycle waits for hosts that turned up while it waited.
const lateFor = time.Minute

// first is the earliest turn that waits or is being taken. The caller holds mu.
func (q *hostQueue) first() uint64 {
	first := q.turns + 1
	if len(q.order) > 0 {
		first = q.order[0].turn
	}
	for h := range q.busy {
		first = min(first, h.turn)
	}
	return first
}

// resting are the hosts that are neither asked nor queued.
func (q *hostQueue) resting() map[netip.Addr]bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := map[netip.Addr]bool{}
	for addr, h := range q.hosts {
		if !h.busy && !h.queued {
			out[addr] = true
		}
	}
	return out
}

// forget drops hosts, less those that were queued meanwhile.
func (q *hostQueue) forget(unknown map[netip.Addr]bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for addr := range unknown {
		if h := q.hosts[addr]; h != nil && !h.busy && !h.queued {
			delete(q.hosts, addr)
		}
	}
}
