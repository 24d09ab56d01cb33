package discovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
)

// Why Wire refuses to send. The names behind them count the refusals in
// camcensus_source_packets_rejected_total.
var (
	ErrOutOfScope      = errors.New("not in scope")
	ErrExcluded        = errors.New("excluded")
	ErrListenOnly      = errors.New("listening only")
	ErrHostBudget      = errors.New("the host's allowance of this cycle is used up")
	ErrMulticastBudget = errors.New("the multicast allowance of this cycle is used up")
	ErrNotSighted      = errors.New("not sighted yet on a connected network")
	// ErrPlanned is what a connection attempt returns in a dry run.
	ErrPlanned = errors.New("planned only, nothing was sent")
)

// Rejected reasons, as metrics name them.
const (
	rejectScope = iota
	rejectExcluded
	rejectListenOnly
	rejectHost
	rejectMulticast
	rejectUnsighted
	rejectFrame
	rejections
)

var rejectionNames = [rejections]string{
	"scope", "excluded", "listen_only", "host_budget", "multicast_budget", "not_sighted", "frame",
}

// WireOptions set the budget.
type WireOptions struct {
	Rate       float64      // packets per second over all sources, 0 = no limit
	ListenOnly bool         // nothing leaves
	Plan       func(Packet) // dry run: told of every packet, nothing leaves
	Log        *zap.Logger
}

// Packet describes what is about to leave.
type Packet struct {
	Source    string
	Interface string // "" when the routing table decides
	Protocol  string // arp, ndp, udp, tcp, icmp
	To        string // address, or address:port
	Count     int
	Note      string
}

// WireCount is what one source sent on one interface since the start.
type WireCount struct {
	Source    string
	Interface string
	Sent      uint64
	Rejected  map[string]uint64 // by reason
}

// Wire is the one way by which a packet may leave the machine: it holds the
// scope, the exclusions and the budget of DESIGN section 10. It is safe for
// concurrent use. For names the source that the copy belongs to.
type Wire struct {
	*wire
	source string
}

// wire is what all copies share.
type wire struct {
	scope      atomic.Pointer[Scope]
	learning   sync.RWMutex // what a scope learns is not lost to the next one
	listenOnly atomic.Bool
	plan       func(Packet)
	log        *zap.Logger
	pace       *Pace
	budget     *budget
	kernel     *kernelNeighbours

	mu     sync.RWMutex
	counts map[countKey]*count
}

type countKey struct{ source, iface string }

type count struct {
	sent     atomic.Uint64
	rejected [rejections]atomic.Uint64
}

// NewWire returns the wire of one scope.
func NewWire(s *Scope, o WireOptions) *Wire {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	w := &wire{
		plan: o.Plan, log: o.Log, pace: NewPace(o.Rate), budget: newBudget(),
		counts: map[countKey]*count{},
	}
	w.scope.Store(s)
	w.listenOnly.Store(o.ListenOnly)
	all := &Wire{wire: w}
	w.kernel = newKernelNeighbours(all.Learn)
	return all
}

// For returns the wire under a source's name: the same budget, counted apart.
func (w *Wire) For(source string) *Wire { return &Wire{wire: w.wire, source: source} }

// Scope returns the scope as it is now.
func (w *Wire) Scope() *Scope { return w.scope.Load() }

// SetScope replaces the scope; what was learnt of MACs is carried over.
func (w *Wire) SetScope(s *Scope) {
	w.learning.Lock()
	defer w.learning.Unlock()
	for ip, mac := range w.budget.learnt() {
		s.Learn(ip, mac[:])
	}
	s.inherit(w.Scope())
	w.scope.Store(s)
}

// SetListenOnly stops (true) or allows all sending. What waits for its turn
// is refused as well.
func (w *Wire) SetListenOnly(on bool) { w.listenOnly.Store(on) }

// ListenOnly reports whether nothing may leave now.
func (w *Wire) ListenOnly() bool { return w.listenOnly.Load() }

// SetRate changes the ceiling over all sources, packets per second.
func (w *Wire) SetRate(perSecond float64) { w.pace.Set(perSecond) }

// Planning reports a dry run: nothing leaves, so there is no answer to wait
// for.
func (w *Wire) Planning() bool { return w.plan != nil }

// NewCycle starts the allowances per host and of multicast anew.
func (w *Wire) NewCycle() { w.budget.newCycle() }

// Learn tells which MAC was sighted at an address: exclusions by MAC hold
// from here on, and the address may be asked on a connected network.
func (w *Wire) Learn(ip netip.Addr, mac net.HardwareAddr) {
	ip = ip.Unmap().WithZone("")
	w.learning.RLock()
	defer w.learning.RUnlock()
	scope := w.Scope()
	scope.Learn(ip, mac)
	if scope.Contains(ip) {
		w.budget.sight(ip, mac)
	}
}

// Conflicts are the addresses that two MACs claimed in this cycle or the last.
func (w *Wire) Conflicts() []Conflict { return w.budget.conflicting() }

// Contested reports whether two MACs claimed an address in this cycle or the
// last.
func (w *Wire) Contested(ip netip.Addr) bool { return w.budget.contested(ip.Unmap().WithZone("")) }

// LeftOut says which questions to groups the allowance of this cycle kept from
// being put.
func (w *Wire) LeftOut() []LeftOut { return w.budget.leftOut() }

// IsSighted reports whether an address was ever sighted.
func (w *Wire) IsSighted(ip netip.Addr) bool { return w.budget.sighted(ip.Unmap().WithZone("")) }

// Note tells which MAC a router's or a server's table has for an address:
// exclusions by MAC hold, but the host has not been sighted by that.
func (w *Wire) Note(ip netip.Addr, mac net.HardwareAddr) {
	w.learning.RLock()
	defer w.learning.RUnlock()
	w.Scope().Learn(ip.Unmap().WithZone(""), mac)
}

// Fresh reports whether an address was sighted in this cycle already.
func (w *Wire) Fresh(ip netip.Addr) bool { return w.budget.sightedNow(ip.Unmap().WithZone("")) }

// Sighted tells that an address was seen alive without a MAC.
func (w *Wire) Sighted(ip netip.Addr) { w.Learn(ip, nil) }

// Counts returns what was sent and refused, by source and interface.
func (w *Wire) Counts() []WireCount {
	w.mu.RLock()
	defer w.mu.RUnlock()
	keys := slices.SortedFunc(maps.Keys(w.counts), func(a, b countKey) int {
		if c := strings.Compare(a.source, b.source); c != 0 {
			return c
		}
		return strings.Compare(a.iface, b.iface)
	})
	out := make([]WireCount, 0, len(keys))
	for _, k := range keys {
		c := w.counts[k]
		one := WireCount{Source: k.source, Interface: k.iface, Sent: c.sent.Load(), Rejected: map[string]uint64{}}
		for reason := range rejections {
			if n := c.rejected[reason].Load(); n > 0 {
				one.Rejected[rejectionNames[reason]] = n
			}
		}
		out = append(out, one)
	}
	return out
}

func (w *Wire) count(iface string) *count {
	key := countKey{w.source, iface}
	w.mu.RLock()
	c := w.counts[key]
	w.mu.RUnlock()
	if c != nil {
		return c
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c = w.counts[key]; c == nil {
		c = &count{}
		w.counts[key] = c
	}
	return c
}

// Charge takes n packets off the budget for what others send on our behalf:
// zeroconf's queries, beforehand. A group address in p.To counts towards the
// multicast allowance, p.Note tells one question from another.
func (w *Wire) Charge(ctx context.Context, n int, p Packet) error {
	p.Count = n
	to, err := addressOf(p.To)
	if err != nil {
		return fmt.Errorf("charge %s: %w", p.To, err)
	}
	l := leaving{packet: p, to: to, kind: datagram}
	if p.Protocol == WalkProtocol {
		l.kind = walk
	}
	if i, ok := w.Scope().Interface(p.Interface); ok && isGroup(to, i) {
		l.kind, l.question = group, questionOf(p.To, []byte(p.Note))
	}
	if err := w.admit(ctx, l); err != nil && !errors.Is(err, ErrPlanned) {
		return err
	}
	return nil
}

// WalkProtocol marks, in Charge, requests for the tables of a router that the
// user named. They obey the rate and the scope, but a table has as many rows as
// it has, so the host's allowance does not bound them.
const WalkProtocol = "snmp"

func addressOf(to string) (netip.Addr, error) {
	if ap, err := netip.ParseAddrPort(to); err == nil {
		return ap.Addr().Unmap(), nil
	}
	ip, err := netip.ParseAddr(to)
	return ip.Unmap(), err
}

// kind is what a packet counts as.
type kind int

const (
	datagram kind = iota // a unicast datagram: 12 per host and cycle
	syn                  // 8 per host and cycle
	group                // multicast or broadcast: 3 per question, 60 together
	resolve              // an ARP or neighbour request for one address
	walk                 // a request to a router whose tables the user wants read
)

// leaving is one packet that asks to leave.
type leaving struct {
	packet   Packet
	to       netip.Addr
	kind     kind
	question uint64 // of a group packet
}

// admit lets a packet leave or says why not. It returns when its turn has
// come; ErrPlanned stands for "yes, but this is a dry run".
func (w *Wire) admit(ctx context.Context, l leaving) error {
	l.packet.Source = w.source
	c := w.count(l.packet.Interface)
	network, reason, err := w.allowed(l)
	if err == nil {
		reason, err = w.budget.take(l)
	}
	if err != nil {
		c.rejected[reason].Add(1)
		return fmt.Errorf("%s %s to %s: %w", w.source, l.packet.Protocol, l.packet.To, err)
	}
	if w.plan != nil {
		w.plan(l.packet)
		return ErrPlanned
	}
	if err := w.turn(ctx, l, network); err != nil {
		w.budget.giveBack(l)
		return err
	}
	// The scope may have changed, or sending been stopped, in the meantime.
	if _, reason, err := w.allowed(l); err != nil {
		w.budget.giveBack(l)
		c.rejected[reason].Add(1)
		return fmt.Errorf("%s %s to %s: %w", w.source, l.packet.Protocol, l.packet.To, err)
	}
	c.sent.Add(uint64(l.packet.Count))
	return nil
}

// allowed applies scope, exclusions and listen mode.
func (w *Wire) allowed(l leaving) (network Network, reason int, err error) {
	if w.listenOnly.Load() {
		return network, rejectListenOnly, ErrListenOnly
	}
	scope := w.Scope()
	if l.kind == group {
		if _, ok := scope.Interface(l.packet.Interface); !ok {
			return network, rejectScope, fmt.Errorf("interface %s: %w", l.packet.Interface, ErrOutOfScope)
		}
		return network, 0, nil
	}
	if why, yes := scope.Excluded(l.to); yes {
		return network, rejectExcluded, fmt.Errorf("%w (%s)", ErrExcluded, why)
	}
	network, ok := scope.NetworkOf(l.to)
	if l.packet.Interface != "" {
		network, ok = scope.networkOn(l.to, l.packet.Interface)
	}
	if !ok || notAHost(l.to, network) {
		return network, rejectScope, ErrOutOfScope
	}
	if !network.Connected {
		if gateway, why, yes := w.ExcludedGateway(l.to); yes {
			return network, rejectExcluded, fmt.Errorf("by way of %s: %w (%s)", gateway, ErrExcluded, why)
		}
	}
	planned := l.kind == walk && w.plan != nil // the router will have shown itself by then
	if network.Connected && l.kind != resolve && !planned && !w.budget.sighted(l.to) && !ownLoopback(network) {
		return network, rejectUnsighted, ErrNotSighted
	}
	return network, 0, nil
}

// ownLoopback: on a loopback network there is no link to resolve and nobody
// to disturb; the demo's hosts are known by name only.
func ownLoopback(n Network) bool { return n.Local.IsLoopback() }

// notAHost reports the addresses of a network that are no host's: its own
// address and its broadcast address.
func notAHost(ip netip.Addr, n Network) bool {
	if ip.IsMulticast() || ip.IsUnspecified() {
		return true
	}
	if !ip.Is4() || !n.Connected || n.Prefix.Bits() >= 31 {
		return false
	}
	return ip == n.Prefix.Addr() || ip == Broadcast(n.Prefix)
}

// Broadcast returns the last address of an IPv4 prefix.
func Broadcast(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := range b {
		switch host := 8*(i+1) - p.Bits(); {
		case host >= 8:
			b[i] = 0xff
		case host > 0:
			b[i] |= byte(1<<host - 1)
		}
	}
	return netip.AddrFrom4(b)
}

// isGroup reports whether an address is one that many hear: multicast or the
// interface's broadcast.
func isGroup(ip netip.Addr, i Interface) bool {
	if ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return true
	}
	for _, p := range i.Prefixes {
		if ip.Is4() && p.Addr().Is4() && p.Bits() < 31 && ip == Broadcast(p) {
			return true
		}
	}
	return false
}

// turn waits for the rate, with what the kernel will ask its neighbours on
// account of the packet taken off beforehand.
func (w *Wire) turn(ctx context.Context, l leaving, n Network) error {
	frames := l.packet.Count
	if l.kind == datagram || l.kind == syn || l.kind == walk {
		asks, err := w.kernelAsks(ctx, l.to, n)
		if err != nil {
			return err
		}
		frames += asks
	}
	return w.pace.Wait(ctx, frames)
}

// kernelAsks is how many requests the kernel will send before a packet to a
// host of n can leave: for the host's MAC, or for its gateway's.
func (w *Wire) kernelAsks(ctx context.Context, to netip.Addr, n Network) (int, error) {
	if ownLoopback(n) {
		return 0, nil
	}
	next := hop{ip: to}
	if n.Connected {
		i, _ := w.Scope().Interface(n.Interface)
		next.index = i.Index
	} else if next = w.kernel.hop(to); !next.ip.IsValid() {
		return 0, nil
	}
	return w.kernel.before(ctx, next.index, next.ip)
}
