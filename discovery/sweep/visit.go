package sweep

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
)

// A middlebox that accepts or refuses for everybody shows in its share: so
// many of so many addresses of a block are no hosts.
const (
	blockSize  = 256
	bogusShare = 0.9
	bogusOf    = 16
)

// result is what one address did.
type result uint8

const (
	untried result = iota
	silent
	refused     // somebody said no: a host lives there
	accepted    // a port is open
	unreachable // the network said so
	excluded
	known     // another source sighted it in this cycle
	elsewhere // in a connected part of the prefix: the link's own sources ask there
)

// visit is the sweep of one network.
type visit struct {
	env      discovery.Env
	settings Settings
	network  discovery.Network
	round    discovery.Round
	sink     discovery.Sink
	slots    chan struct{}
	pace     *discovery.Pace
	progress func(int)

	again *again // nil in a whole sweep
	begun time.Time

	mu       sync.Mutex
	noPath   bool // this machine has no route there
	count    map[result]int
	bogus    int
	answered map[netip.Addr]bool
}

// address is one address of a block.
type address struct {
	ip     netip.Addr
	result result
	held   []discovery.Sighting // until the block shows whether it is a middlebox
}

// run reports whether the whole network was gone through.
func (v *visit) run(ctx context.Context) bool {
	v.count, v.answered = map[result]int{}, map[netip.Addr]bool{}
	for first := v.network.Prefix.Addr(); v.network.Prefix.Contains(first); {
		block := v.block(first)
		last := block[len(block)-1].ip
		v.sweepBlock(ctx, block)
		if ctx.Err() != nil || v.stopped() {
			break
		}
		first = last.Next()
		if !first.IsValid() {
			break
		}
	}
	if ctx.Err() != nil || v.env.Wire.ListenOnly() || v.env.Wire.Planning() {
		return false
	}
	if v.again == nil {
		v.report()
	}
	return !v.stopped()
}

func (v *visit) stopped() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.noPath
}

func (v *visit) block(first netip.Addr) []*address {
	out := make([]*address, 0, blockSize)
	for ip := first; len(out) < blockSize && v.network.Prefix.Contains(ip); ip = ip.Next() {
		out = append(out, &address{ip: ip})
	}
	return out
}

// sweepBlock tries port after port, each at every address that is still
// silent, so that the packets to one host lie apart.
func (v *visit) sweepBlock(ctx context.Context, block []*address) {
	for _, a := range block {
		n, ok := v.env.Wire.Scope().NetworkOf(a.ip)
		switch _, yes := v.env.Wire.Scope().Excluded(a.ip); {
		case yes:
			a.result = excluded
		case !ok || n.Connected:
			a.result = elsewhere
		case v.env.Wire.Fresh(a.ip), v.again != nil && v.again.answered[a.ip]:
			a.result = known
		}
	}
	for _, port := range v.settings.Ports {
		var wg sync.WaitGroup
		for _, a := range block {
			if a.result > refused || v.stopped() || !v.enter(ctx) {
				continue
			}
			wg.Go(func() {
				defer func() { <-v.slots }()
				v.try(ctx, a, port)
			})
		}
		wg.Wait()
		v.progress(len(block))
	}
	v.close(block)
}

// enter waits for the network's own rate and a free slot.
func (v *visit) enter(ctx context.Context) bool {
	if !v.env.Wire.Planning() && v.pace.Wait(ctx, 1) != nil {
		return false
	}
	select {
	case v.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (v *visit) try(ctx context.Context, a *address, port uint16) {
	to := netip.AddrPortFrom(a.ip, port)

	conn, err := v.env.Wire.DialTCPWithin(ctx, to, "", v.settings.Timeout)
	if err != nil {
		v.failed(a, err)
		return
	}
	defer conn.Close()
	a.result = accepted
	sighting := discovery.Sighting{Time: v.env.Now(), Source: name, IP: a.ip, Port: port, Solicited: true}
	a.held = append(a.held, sighting)
	if v.env.Greet == nil {
		return
	}
	for _, r := range v.env.Greet(ctx, conn, to) {
		s := sighting
		s.Time, s.Kind, s.Path, s.Raw, s.Truncated = v.env.Now(), r.Kind, r.Path, r.Bytes(), r.Truncated
		a.held = append(a.held, s)
	}
}

func (v *visit) failed(a *address, err error) {
	switch {
	case errors.Is(err, discovery.ErrExcluded):
		a.result = excluded
	case isRefused(err):
		a.result = refused
	case isUnreachable(err):
		a.result = unreachable
	case isNoRoute(err):
		a.result = unreachable
		v.mu.Lock()
		defer v.mu.Unlock()
		if !v.noPath {
			v.noPath = true
			v.env.Log.Warn("no route to a network in scope", zap.Stringer("network", v.network.Prefix), zap.Error(err))
		}
	case a.result == untried:
		a.result = silent
	}
}

// close counts a block and passes on what it showed, unless a middlebox
// answers for all of it.
func (v *visit) close(block []*address) {
	tried, open, closed := 0, 0, 0
	for _, a := range block {
		switch a.result {
		case accepted:
			open++
		case refused:
			closed++
		}
		if a.result > untried && a.result < excluded {
			tried++
		}
	}
	bogus := func(n int) bool { return tried >= bogusOf && float64(n) >= bogusShare*float64(tried) }
	stock := ""
	if bogus(open) {
		stock = stockAnswer(block)
	}
	for _, a := range block {
		v.count[a.result]++
		if a.result == accepted || a.result == refused || a.result == known {
			v.answered[a.ip] = true
		}
		switch {
		case a.result == accepted && bogus(open) && a.answer() == stock, a.result == refused && bogus(closed):
			v.bogus++
		case a.result == accepted:
			for _, s := range a.held {
				v.sink(s)
			}
		case a.result == refused:
			v.sink(discovery.Sighting{Time: v.env.Now(), Source: name, IP: a.ip, Solicited: true})
		}
		a.held = nil
	}
	if bogus(open) || bogus(closed) {
		v.env.Log.Warn("one middlebox answers for a whole block: no sign of hosts",
			zap.Stringer("first", block[0].ip), zap.Int("addresses", tried))
	}
}

// answer is what the host said to the first question, without what differs
// from one answer of a host to its next: "" when it said nothing.
func (a *address) answer() string {
	var said strings.Builder
	for _, s := range a.held {
		if s.Kind == "" {
			continue
		}
		said.WriteString(s.Kind)
		for _, c := range s.Raw {
			if c < '0' || c > '9' {
				said.WriteByte(c)
			}
		}
	}
	return said.String()
}

// stockAnswer is what a middlebox says in the name of most hosts of a block.
// Whoever says something else is a host behind it.
func stockAnswer(block []*address) string {
	said := map[string]int{}
	for _, a := range block {
		if a.result == accepted {
			said[a.answer()]++
		}
	}
	most := ""
	for text, n := range said {
		if n > said[most] || n == said[most] && text < most {
			most = text
		}
	}
	return most
}

func (v *visit) report() {
	if v.round.Covered == nil {
		return
	}
	answered := v.count[accepted] + v.count[refused] + v.count[known] - v.bogus
	v.round.Covered(discovery.Coverage{
		Network: v.network.Prefix, Source: name,
		Tried:    v.count[silent] + v.count[accepted] + v.count[refused] + v.count[unreachable] + v.count[known],
		Answered: answered, Excluded: v.count[excluded], Unreachable: v.count[unreachable],
		Bogus: v.bogus, Finished: v.env.Now(),
	})
}
