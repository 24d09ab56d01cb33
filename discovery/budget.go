package discovery

import (
	"cmp"
	"context"
	"hash/fnv"
	"math"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// HostSYNs is how many SYNs one address gets in a cycle (DESIGN section 10).
const HostSYNs = 8

// The other allowances of DESIGN section 10, per cycle.
const (
	hostDatagrams    = 12
	questionRepeats  = 3
	interfaceGroup   = 60
	hostPause        = 200 * time.Millisecond
	rememberedHosts  = 1 << 17
	forgetAfterCycle = 32
	conflictsMost    = 1 << 10
)

// Pace is a ceiling in packets per second. Wire holds the one over all
// sources together; a source may keep a lower one of its own.
//
// Who waits first goes first, and what a turn costs is taken when it has come:
// turns that a busy machine let pass are lost, never made up for by a burst.
type Pace struct {
	turn chan struct{} // holds one token while nobody waits

	mu     sync.Mutex
	rate   float64 // packets per second, 0 = no limit
	burst  float64
	tokens float64
	last   time.Time // when tokens was right
}

// NewPace returns a ceiling; 0 is none.
func NewPace(perSecond float64) *Pace {
	p := &Pace{turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	p.Set(perSecond)
	p.tokens = p.burst
	return p
}

// Set lets a little less than the ceiling through, so that the ceiling holds
// over any second although a burst is allowed and the system's timers jitter:
// 90 % of the rate, and a burst of 2 % of it (20 ms).
func (p *Pace) Set(perSecond float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate, p.burst = max(0, perSecond*0.9), max(1, math.Floor(perSecond*0.02))
	p.tokens = min(p.tokens, p.burst)
}

// Wait returns when n packets may leave.
func (p *Pace) Wait(ctx context.Context, n int) error {
	if p.unlimited() {
		return ctx.Err()
	}
	select {
	case <-p.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { p.turn <- struct{}{} }()
	for {
		wait := p.take(&n)
		if n <= 0 {
			return ctx.Err()
		}
		if err := Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func (p *Pace) unlimited() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rate == 0
}

// take lets as many of n leave as may now, and says how long to wait for the
// rest, or for a burst of it.
func (p *Pace) take(n *int) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rate == 0 {
		*n = 0
		return 0
	}
	now := time.Now()
	if !p.last.IsZero() {
		p.tokens = min(p.burst, p.tokens+now.Sub(p.last).Seconds()*p.rate)
	}
	p.last = now
	whole := min(*n, int(p.tokens))
	p.tokens -= float64(whole)
	*n -= whole
	need := min(float64(*n), p.burst) - p.tokens
	return time.Duration(need/p.rate*float64(time.Second)) + time.Microsecond
}

// budget keeps what hosts and groups were asked in this cycle, and which
// addresses were ever sighted.
type budget struct {
	mu        sync.Mutex
	cycle     uint32
	hosts     map[netip.Addr]*host
	groups    map[string]*groupUse
	conflicts map[netip.Addr]conflict
}

// Conflict is an address that two MACs claim: two hosts set to the same
// address, a forger, or a host that another has just taken the place of.
type Conflict struct {
	IP   netip.Addr
	MACs [2]net.HardwareAddr // the later one last
}

type conflict struct {
	macs  [2][6]byte
	cycle uint32
}

// host is one address that was sighted or asked.
type host struct {
	mac       [6]byte
	known     bool // mac is known
	seen      bool // sighted, not merely asked
	fresh     bool // sighted in this cycle
	placed    bool // mac was seen in this cycle
	used      uint32
	datagrams uint8
	syns      uint8

	line *line // of TCP connections, nil until the first
}

// line lets one connection at a time through.
type line struct {
	free chan struct{} // holds one token while nobody is connected
	last time.Time     // end of the last connection; owned by the token's holder
}

// groupUse is what one interface's groups were asked in this cycle.
type groupUse struct {
	total     int
	questions map[uint64]int
	refused   map[string]int // packets by source
}

// LeftOut is how many packets to groups a source could not send.
type LeftOut struct {
	Interface, Source string
	Packets           int
}

func newBudget() *budget {
	return &budget{hosts: map[netip.Addr]*host{}, groups: map[string]*groupUse{}, conflicts: map[netip.Addr]conflict{}}
}

func (b *budget) newCycle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cycle++
	clear(b.groups)
	for ip, c := range b.conflicts {
		if b.cycle-c.cycle > 1 {
			delete(b.conflicts, ip)
		}
	}
	for ip, h := range b.hosts {
		h.datagrams, h.syns, h.fresh, h.placed = 0, 0, false, false
		if b.cycle-h.used > forgetAfterCycle && (h.line == nil || len(h.line.free) == 1) {
			delete(b.hosts, ip)
		}
	}
}

// at returns the entry of a host, nil when the table is full.
func (b *budget) at(ip netip.Addr) *host {
	h := b.hosts[ip]
	if h == nil {
		if len(b.hosts) >= rememberedHosts {
			return nil
		}
		h = &host{}
		b.hosts[ip] = h
	}
	h.used = b.cycle
	return h
}

func (b *budget) sight(ip netip.Addr, mac net.HardwareAddr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.at(ip)
	if h == nil {
		return
	}
	if len(mac) == 6 {
		is := [6]byte(mac)
		if h.placed && h.mac != is && len(b.conflicts) < conflictsMost {
			b.conflicts[ip] = conflict{macs: [2][6]byte{h.mac, is}, cycle: b.cycle}
		}
		h.mac, h.known, h.placed = is, true, true
	}
	h.seen, h.fresh = true, true
}

func (b *budget) contested(ip netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, yes := b.conflicts[ip]
	return yes
}

func (b *budget) conflicting() []Conflict {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Conflict, 0, len(b.conflicts))
	for ip, c := range b.conflicts {
		out = append(out, Conflict{IP: ip, MACs: [2]net.HardwareAddr{c.macs[0][:], c.macs[1][:]}})
	}
	slices.SortFunc(out, func(x, y Conflict) int { return x.IP.Compare(y.IP) })
	return out
}

func (b *budget) leftOut() []LeftOut {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []LeftOut
	for iface, g := range b.groups {
		for source, n := range g.refused {
			out = append(out, LeftOut{iface, source, n})
		}
	}
	slices.SortFunc(out, func(x, y LeftOut) int {
		return cmp.Or(cmp.Compare(x.Interface, y.Interface), cmp.Compare(x.Source, y.Source))
	})
	return out
}

func (b *budget) sighted(ip netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hosts[ip]
	return h != nil && h.seen
}

func (b *budget) sightedNow(ip netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hosts[ip]
	return h != nil && h.fresh
}

// learnt returns the MACs by address, for a new scope.
func (b *budget) learnt() map[netip.Addr][6]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make(map[netip.Addr][6]byte, len(b.hosts))
	for ip, h := range b.hosts {
		if h.known {
			out[ip] = h.mac
		}
	}
	return out
}

// take takes a packet off the allowances of this cycle.
func (b *budget) take(l leaving) (reason int, err error) {
	if l.kind == resolve || l.kind == walk {
		return 0, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	n := l.packet.Count
	if l.kind == group {
		g := b.groups[l.packet.Interface]
		if g == nil {
			g = &groupUse{questions: map[uint64]int{}, refused: map[string]int{}}
			b.groups[l.packet.Interface] = g
		}
		if g.total+n > interfaceGroup || g.questions[l.question]+n > questionRepeats {
			g.refused[l.packet.Source] += n
			return rejectMulticast, ErrMulticastBudget
		}
		g.total += n
		g.questions[l.question] += n
		return 0, nil
	}
	h := b.at(l.to)
	if h == nil {
		return rejectHost, ErrHostBudget
	}
	used, most := &h.datagrams, hostDatagrams
	if l.kind == syn {
		used, most = &h.syns, HostSYNs
	}
	if int(*used)+n > most {
		return rejectHost, ErrHostBudget
	}
	*used += uint8(n)
	return 0, nil
}

// giveBack returns what take took for a packet that did not leave after all.
func (b *budget) giveBack(l leaving) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := l.packet.Count
	switch l.kind {
	case group:
		if g := b.groups[l.packet.Interface]; g != nil {
			g.total -= min(n, g.total)
			g.questions[l.question] -= min(n, g.questions[l.question])
		}
	case datagram:
		if h := b.hosts[l.to]; h != nil {
			h.datagrams -= min(uint8(n), h.datagrams)
		}
	case syn:
		if h := b.hosts[l.to]; h != nil {
			h.syns -= min(uint8(n), h.syns)
		}
	}
}

// lineOf returns the queue for a host's connections.
func (b *budget) lineOf(ip netip.Addr) *line {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.at(ip)
	if h == nil {
		return nil
	}
	if h.line == nil {
		h.line = &line{free: make(chan struct{}, 1)}
		h.line.free <- struct{}{}
	}
	return h.line
}

// enter waits until nobody is connected to the host and the pause after the
// last connection is over.
func (l *line) enter(ctx context.Context) error {
	select {
	case <-l.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := Sleep(ctx, time.Until(l.last.Add(hostPause))); err != nil {
		l.free <- struct{}{}
		return err
	}
	return nil
}

func (l *line) leave() {
	l.last = time.Now()
	l.free <- struct{}{}
}

// Sleep waits for d, or less when ctx ends: it returns ctx's error then.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// questionOf names a question put to a group, so that its repeats are
// counted: the destination and the bytes, less what is fresh in every sending
// (the digits of a UUID, as in a MessageID).
func questionOf(to string, b []byte) uint64 {
	h := fnv.New64a()
	h.Write([]byte(to))
	for i := 0; i < len(b); {
		if isUUID(b[i:]) {
			h.Write([]byte("uuid"))
			i += 36
			continue
		}
		h.Write(b[i : i+1])
		i++
	}
	return h.Sum64()
}

// isUUID reports whether b begins with 8-4-4-4-12 hexadecimal digits.
func isUUID(b []byte) bool {
	if len(b) < 36 {
		return false
	}
	for i, c := range b[:36] {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') {
			return false
		} else if !dash && !isHex(c) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
