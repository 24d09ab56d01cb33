package discovery

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// What the kernel asks a link about one of its hosts before a packet of ours
// can leave, and how long an answer is believed.
const (
	unresolvedMost  = 256 // DESIGN section 10
	unresolvedFor   = 3500 * time.Millisecond
	resolvedFor     = 5 * time.Second
	askedOfUnknown  = 3 // mcast_solicit
	askedOfStale    = 1
	resolvedEntries = 1 << 14
)

// neighbourState is what the kernel's table says of one host.
type neighbourState int

const (
	neighbourUnknown neighbourState = iota // no entry, failed, or being asked
	neighbourStale                         // known, asked again on use
	neighbourReachable
)

// hop is the neighbour to which the kernel hands what goes to a routed host.
type hop struct {
	index int        // of the interface
	ip    netip.Addr // invalid: nobody is asked for an address, or there is no route
	till  time.Time  // how long it is believed
}

// kernelNeighbours foresees the requests that the kernel will send.
type kernelNeighbours struct {
	state func(index int, ip netip.Addr) (neighbourState, net.HardwareAddr)
	route func(ip netip.Addr) hop
	learn func(ip netip.Addr, mac net.HardwareAddr)

	mu         sync.Mutex
	resolved   map[netip.Addr]time.Time // till when
	unresolved map[netip.Addr]time.Time
	hops       map[netip.Addr]hop // by destination
}

// newKernelNeighbours asks the kernel; learn is told the MACs that it knows.
func newKernelNeighbours(learn func(netip.Addr, net.HardwareAddr)) *kernelNeighbours {
	return &kernelNeighbours{
		state:      kernelNeighbour,
		route:      kernelRoute,
		learn:      learn,
		resolved:   map[netip.Addr]time.Time{},
		unresolved: map[netip.Addr]time.Time{},
		hops:       map[netip.Addr]hop{},
	}
}

// ExcludedGateway tells whether the neighbour by which a routed host is reached
// is excluded, by its address or by the MAC that the kernel has for it.
func (w *Wire) ExcludedGateway(to netip.Addr) (gateway netip.Addr, reason string, yes bool) {
	next, scope := w.kernel.hop(to), w.Scope()
	if !next.ip.IsValid() {
		return next.ip, "", false
	}
	reason, yes = scope.Excluded(next.ip)
	if !yes && len(scope.macs) > 0 {
		_, mac := w.kernel.state(next.index, next.ip)
		reason, yes = scope.ExcludedMAC(mac)
	}
	return next.ip, reason, yes
}

// hop asks the routing table, or remembers what it said a moment ago.
func (k *kernelNeighbours) hop(ip netip.Addr) hop {
	now := time.Now()
	k.mu.Lock()
	h, ok := k.hops[ip]
	k.mu.Unlock()
	if ok && now.Before(h.till) {
		return h
	}
	h = k.route(ip)
	h.till = now.Add(resolvedFor)
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.hops) >= resolvedEntries {
		clear(k.hops)
	}
	k.hops[ip] = h
	return h
}

// HolderOf returns the MAC to which the kernel sends what goes to a host of a
// connected network: nil when it has none yet, or the host is routed. iface
// may be "".
func (w *Wire) HolderOf(ip netip.Addr, iface string) net.HardwareAddr {
	ip = ip.Unmap().WithZone("")
	n, ok := w.Scope().NetworkOf(ip)
	if iface != "" {
		n, ok = w.Scope().networkOn(ip, iface)
	}
	if !ok || !n.Connected {
		return nil
	}
	i, ok := w.Scope().Interface(n.Interface)
	if !ok || i.Loopback {
		return nil
	}
	state, mac := w.kernel.state(i.Index, ip)
	if state == neighbourUnknown || len(mac) != 6 {
		return nil
	}
	return mac
}

// before returns how many requests a packet to ip may cause. It waits while
// too many are under way.
func (k *kernelNeighbours) before(ctx context.Context, index int, ip netip.Addr) (asks int, err error) {
	for {
		now := time.Now()
		if k.isResolved(ip, now) {
			return 0, nil
		}
		state, mac := k.state(index, ip)
		if state != neighbourUnknown && len(mac) == 6 {
			k.learn(ip, mac) // it may be an excluded one
		}
		switch state {
		case neighbourReachable:
			k.resolve(ip, now)
			return 0, nil
		case neighbourStale:
			k.resolve(ip, now)
			return askedOfStale, nil
		}
		if fresh, ok := k.wait(ip, now); ok {
			if fresh {
				return askedOfUnknown, nil
			}
			return 0, nil // charged already, being asked
		}
		if err := Sleep(ctx, 50*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

func (k *kernelNeighbours) isResolved(ip netip.Addr, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return now.Before(k.resolved[ip])
}

func (k *kernelNeighbours) resolve(ip netip.Addr, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.unresolved, ip)
	if len(k.resolved) >= resolvedEntries {
		clear(k.resolved)
	}
	k.resolved[ip] = now.Add(resolvedFor)
}

// wait enters ip among the unresolved; ok is false when there are too many,
// fresh when it was not among them.
func (k *kernelNeighbours) wait(ip netip.Addr, now time.Time) (fresh, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Before(k.unresolved[ip]) {
		return false, true
	}
	if len(k.unresolved) >= unresolvedMost {
		for other, till := range k.unresolved {
			if !now.Before(till) {
				delete(k.unresolved, other)
			}
		}
	}
	if len(k.unresolved) >= unresolvedMost {
		return false, false
	}
	k.unresolved[ip] = now.Add(unresolvedFor)
	return true, true
}
