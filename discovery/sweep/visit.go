package sweep

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"

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
	tell     func(addresses int) // of progress

	memory *memory
	twice  []uint16 // ports at which the silent are asked once more
	long   bool     // the first pass took longer than shortSweep
	count  map[result]int
	bogus  int

	mu     sync.Mutex
	noPath bool // this machine has no route there
}

// box is a middlebox that answers for a block of addresses.
type box struct {
	opens, closes bool   // it accepts, it refuses
	stock         string // what it says where it accepts
}

// address is one address of a block.
type address struct {
	ip     netip.Addr
	result result
	held   []discovery.Sighting // until the block shows whether it is a middlebox
}

// run reports whether the whole network was gone through.
func (v *visit) run(ctx context.Context) bool {
	v.count = map[result]int{}
	begun := v.env.Now()
	whole := v.pass(ctx, v.settings.Ports, true)
	v.long = v.env.Now().Sub(begun) > shortSweep
	whole = whole && v.pass(ctx, v.twice, false)
	if ctx.Err() != nil || v.env.Wire.ListenOnly() || v.env.Wire.Planning() {
		return false
	}
	if v.memory.round == 0 {
		v.report()
	}
	return whole
}

// pass tries the ports at every address that has not answered. It reports
// whether it came to the end.
func (v *visit) pass(ctx context.Context, ports []uint16, first bool) bool {
	if len(ports) == 0 {
		return true
	}
	for at := v.network.Prefix.Addr(); v.network.Prefix.Contains(at); {
		block := v.block(at)
		v.sweepBlock(ctx, block, ports)
		v.close(block, first)
		if ctx.Err() != nil || v.stopped() {
			return false
		}
		if at = block[len(block)-1].ip.Next(); !at.IsValid() {
			break
		}
	}
	return true
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
func (v *visit) sweepBlock(ctx context.Context, block []*address, ports []uint16) {
	for _, a := range block {
		n, ok := v.env.Wire.Scope().NetworkOf(a.ip)
		switch _, yes := v.env.Wire.Scope().Excluded(a.ip); {
		case yes:
			a.result = excluded
		case !ok || n.Connected:
			a.result = elsewhere
		case v.env.Wire.Fresh(a.ip), v.memory.answered[a.ip]:
			a.result = known
		}
	}
	for _, port := range ports {
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
		v.tell(len(block))
	}
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
// answers for all of it. What a later pass is first to hear of was counted as
// silent before.
func (v *visit) close(block []*address, first bool) {
	by := v.box(block)
	for _, a := range block {
		heard := a.result == accepted || a.result == refused
		if first || heard {
			v.count[a.result]++
		}
		if !first && heard {
			v.count[silent]--
		}
		if heard || a.result == known {
			v.memory.answered[a.ip] = true
		}
		switch {
		case a.result == accepted && by.opens && a.answer() == by.stock, a.result == refused && by.closes:
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
}

// box tells whether a middlebox answers for the block. One that was found
// stays: of those that are asked again few may be left.
func (v *visit) box(block []*address) box {
	first := block[0].ip
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
	by, had := v.memory.boxes[first]
	if bogus(open) && !by.opens {
		by.opens, by.stock = true, stockAnswer(block)
	}
	by.closes = by.closes || bogus(closed)
	if by == (box{}) {
		return by
	}
	if v.memory.boxes[first] = by; !had {
		v.env.Log.Warn("one middlebox answers for a whole block: no sign of hosts",
			zap.Stringer("first", first), zap.Int("addresses", tried))
	}
	return by
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
