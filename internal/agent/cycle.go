package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/internal/inventory"
)

// cycles runs cycle after cycle: at interval from start to start, with a
// jitter of a twentieth, or at once when asked to. A cycle that outlasts the
// interval runs on; the next starts at its end.
func (a *Agent) cycles(ctx context.Context) error {
	for ctx.Err() == nil {
		begun := a.now()
		if !a.silent() {
			a.cycle(ctx)
			runtime.GC()  // empties the pools, which outlive one collection
			a.keepSmall() // most of the time between two cycles nothing is allocated
		} else {
			a.rest()
		}
		if ctx.Err() != nil {
			return nil
		}
		interval := a.config().Discovery.Interval.D()
		jitter := time.Duration(rand.Int64N(int64(interval)/20 + 1))
		next := begun.Add(interval + jitter)
		if now := a.now(); next.Before(now) {
			next = now
		}
		a.last.scheduled(next)
		a.stream.status()
		a.await(ctx, next)
	}
	return nil
}

// rest does what a cycle does beside asking: an agent that only listens forgets
// in time too. Nothing was covered, so that nobody is missing.
func (a *Agent) rest() {
	a.judgeRest()
	a.late(a.inventory.EndCycle(inventory.CycleEnd{Number: int(a.cycleNum.Load()), Time: a.now(), Asked: a.config().Discovery.IdentifyInterval.D()}))
	a.judgeRest() // what the end of the cycle has parted
	a.forgetHosts()
	a.crowds.forget(a.now())
}

// await returns at the given time, on a rescan, or when silence ends.
func (a *Agent) await(ctx context.Context, next time.Time) {
	wasSilent := a.silent()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	untidy := time.NewTicker(tidyEvery)
	defer untidy.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.rescan:
			return
		case <-untidy.C:
			a.tidy()
		case <-tick.C:
			if a.now().After(next) || (wasSilent && !a.silent()) {
				return
			}
			a.followSilence()
		}
	}
}

// cycle is one full round of discovery and probing over the scope.
func (a *Agent) cycle(ctx context.Context) {
	begun := a.now()
	number := int(a.cycleNum.Add(1))
	a.followSilence()
	a.wire.NewCycle()
	a.hosts.resume()
	a.coverage.begin()
	a.knowNetworks()
	a.progress.begin(number, begun, len(a.sourceList()))
	a.awaitAddresses(ctx)
	a.askSources(ctx, number)
	for _, note := range leftOutNotes(a.wire.LeftOut()) {
		a.log.Warn(note)
	}
	a.releaseCrowds(true)
	a.offerKnown()
	a.progress.phase("identify", 0, a.hosts.pending())
	a.checkPresence(ctx)
	most := a.hosts.pending()
	a.hosts.waitIdle(ctx, func(pending int) {
		most = max(most, pending)
		a.progress.phase("identify", most-pending, most)
	})
	if ctx.Err() != nil {
		a.progress.end()
		return
	}
	a.judgeRest()
	a.placeDevices()
	end := a.cycleEnd(number, begun)
	a.late(a.inventory.EndCycle(end))
	a.judgeRest() // what the end of the cycle has parted
	a.tellNetworks()
	a.last.finished(begun, a.now())
	a.progress.end()
	a.forgetHosts()
	a.crowds.forget(a.now())
	a.stream.status()
	a.log.Info("cycle done", zap.Int("cycle", number), zap.Duration("took", a.now().Sub(begun).Round(time.Millisecond)),
		zap.Int("devices", a.inventory.Len()), zap.Int("networks_covered", len(end.Covered)))
}

// awaitAddresses waits until the kernel has made sure that nobody else has the
// IPv6 addresses of an interface that has just come up (RFC 4862 section 5.4):
// nothing can be asked by them before.
func (a *Agent) awaitAddresses(ctx context.Context) {
	const most, pause = 3 * time.Second, 100 * time.Millisecond
	for begun := time.Now(); time.Since(begun) < most; {
		all, err := discovery.Interfaces()
		open := slices.ContainsFunc(all, func(i discovery.Interface) bool {
			_, used := a.wire.Scope().Interface(i.Name)
			return used && i.Running && i.Tentative
		})
		if err != nil || !open || !sleep(ctx, pause) {
			return
		}
	}
}

// askSources lets every source put its questions, all at the same time: Wire
// keeps them to one budget.
func (a *Agent) askSources(ctx context.Context, number int) {
	known := a.knownAddrs()
	var wg sync.WaitGroup
	for _, s := range a.sourceList() {
		wg.Go(func() {
			round := discovery.Round{
				Number: number, Known: known, Covered: a.swept,
				Progress: func(done, total int) { a.progress.source(s.name, done, total) },
			}
			if err := s.Ask(ctx, round, a.observe); err != nil && ctx.Err() == nil {
				a.log.Warn("source could not ask", zap.String("source", s.name), zap.Error(err))
			}
			a.progress.source(s.name, 1, 1)
		})
	}
	wg.Wait()
}

// swept takes in what a sweep did. Where there is no link, or was none for a
// part of the cycle, nothing was swept, whatever was sent.
func (a *Agent) swept(c discovery.Coverage) {
	if c.Answered > 0 && a.coverage.onLink(c.Network) != "" && !onOwnLink(a.wire.Scope(), c.Network) {
		a.coverage.routed(c.Network)
	}
	if !a.linkless(c.Network) && !a.relinked(c.Network, a.progress.started()) {
		a.coverage.add(c)
	}
}

// onOwnLink tells whether an interface, be it switched off, carries a network:
// who answers there without a link is this machine itself.
func onOwnLink(scope *discovery.Scope, p netip.Prefix) bool {
	if slices.ContainsFunc(scope.Networks, func(n discovery.Network) bool { return n.Prefix == p && n.Connected }) {
		return true
	}
	all, err := discovery.Interfaces()
	return err != nil || slices.ContainsFunc(all, func(i discovery.Interface) bool {
		return slices.ContainsFunc(i.Prefixes, p.Overlaps)
	})
}

// linkless tells whether a network has no link on which to ask it.
func (a *Agent) linkless(p netip.Prefix) bool {
	return linkless(a.wire.Scope(), p, a.coverage.onLink(p))
}

// knownAddrs are the addresses of devices seen before, in connected networks.
func (a *Agent) knownAddrs() []netip.Addr {
	var out []netip.Addr
	scope := a.wire.Scope()
	for d := range a.inventory.All() {
		if d.State == inventory.Removed || d.Reachability != "ip" {
			continue
		}
		for _, s := range d.IPs {
			ip, err := netip.ParseAddr(s)
			if err != nil {
				continue
			}
			if n, ok := scope.NetworkOf(ip); ok && n.Connected && !a.mayBeExcluded(ip, d.ID) {
				out = append(out, ip)
			}
		}
	}
	return out
}

// offerKnown queues hosts whose last questioning is identify_interval ago.
func (a *Agent) offerKnown() {
	interval, now := a.config().Discovery.IdentifyInterval.D(), a.now()
	for d := range a.inventory.All() {
		if d.State != inventory.Present || d.Reachability != "ip" {
			continue
		}
		ip, ok := addressIn(d, a.wire.Scope().Contains)
		if !ok || a.mayBeExcluded(ip, d.ID) {
			continue
		}
		h := host{addr: ip, iface: d.Interface, tenant: tenant{device: d.ID, askedAt: lastAsked(a.inventory.Evidence(d.ID), now)}}
		a.hosts.offer(h, false, func(askedAt time.Time) bool { return now.Sub(askedAt) >= interval })
	}
}

// addressIn is the device's latest address that lies within something.
func addressIn(d *inventory.Device, within func(netip.Addr) bool) (netip.Addr, bool) {
	for _, s := range d.IPs {
		if ip, err := netip.ParseAddr(s); err == nil && within(ip) {
			return ip, true
		}
	}
	return netip.Addr{}, false
}

// forgetHosts drops the hosts whose addresses the inventory no longer has.
func (a *Agent) forgetHosts() {
	unknown := a.hosts.resting()
	a.inventory.EachAt(func(_ *inventory.Device, at *inventory.Where) bool {
		for _, ip := range at.IPs {
			delete(unknown, ip)
		}
		return len(unknown) > 0
	})
	a.hosts.forget(unknown)
}

// cycleEnd says which networks were really covered. A network in which nobody
// was asked, or nobody answered although devices are known there, was not: it
// is us who were blind. Neither was a connected one that has no link, or whose
// interface changed since the cycle began: its cable may have been out for half
// of it.
func (a *Agent) cycleEnd(number int, begun time.Time) inventory.CycleEnd {
	end := inventory.CycleEnd{Number: number, Time: a.now(), Asked: a.config().Discovery.IdentifyInterval.D()}
	for _, c := range a.coverage.covered() {
		if a.linkless(c.Network) || a.relinked(c.Network, begun) || c.Tried == 0 || c.Answered == 0 && a.presentIn(c.Network) >= blindFrom {
			end.Blind = append(end.Blind, c.Network)
			continue
		}
		end.Covered = append(end.Covered, c.Network)
	}
	for _, n := range a.wire.Scope().Networks {
		if a.linkless(n.Prefix) {
			end.Blind = append(end.Blind, n.Prefix)
		}
	}
	end.Blind = append(end.Blind, unasked(a.wire.Scope())...)
	end.Interfaces = a.hearing()
	return end
}

// relinked tells whether the interface of a connected network changed.
func (a *Agent) relinked(p netip.Prefix, since time.Time) bool {
	return slices.ContainsFunc(a.wire.Scope().Networks, func(n discovery.Network) bool {
		return n.Prefix == p && n.Connected && a.relinks.since(n.Interface, since)
	})
}

// unasked are the addresses that nothing is sent to: who is known there may
// well be there still.
func unasked(scope *discovery.Scope) []netip.Prefix {
	return append(scope.ExcludedPrefixes(), claimed(scope)...)
}

// claimed are the addresses that an excluded MAC claims: a camera there is not
// asked, and may well be there. Where ever more are, by a flood of forged
// frames, it is the networks.
func claimed(scope *discovery.Scope) []netip.Prefix {
	var out []netip.Prefix
	all := scope.ClaimedAddresses()
	for _, ip := range all {
		p := netip.PrefixFrom(ip, ip.BitLen())
		if len(all) > manyClaimed {
			n, _ := scope.NetworkOf(ip)
			p = n.Prefix
		}
		if len(out) == 0 || out[len(out)-1] != p { // they come in order
			out = append(out, p)
		}
	}
	return out
}

const manyClaimed = 256

// hearing lists the interfaces with a carrier on which some source works: a
// device that can only be heard would have been heard there.
func (a *Agent) hearing() []string {
	up := map[string]bool{}
	for _, s := range a.sourceList() {
		for _, st := range s.Status() {
			up[st.Interface] = up[st.Interface] || st.Up
		}
	}
	var out []string
	for _, i := range a.wire.Scope().Interfaces {
		if i.Running && up[i.Name] {
			out = append(out, i.Name)
		}
	}
	return out
}

// blindFrom is how many devices must fall silent in one cycle before the
// silence is taken for our own blindness.
const blindFrom = 3

func (a *Agent) presentIn(p netip.Prefix) int {
	n := 0
	for d := range a.inventory.All() {
		if _, in := addressIn(d, p.Contains); in && d.State == inventory.Present {
			n++
		}
	}
	return n
}

// knowNetworks makes every network of the scope stand in the coverage. Where
// cycles outlast the interval, the next comes when the last has ended.
func (a *Agent) knowNetworks() {
	interval := max(a.config().Discovery.Interval.D(), a.last.took())
	for _, n := range a.wire.Scope().Networks {
		every := interval
		if !n.Connected {
			every = max(interval, sweepInterval(a.config()))
		}
		a.coverage.know(n, every)
	}
}

// checkPresence asks, where no sweep covers a connected network, whether the
// devices known there are still there: one connection to a port each is known
// to serve. A network whose every device was asked counts as covered.
func (a *Agent) checkPresence(ctx context.Context) {
	swept := map[netip.Prefix]bool{}
	for _, c := range a.coverage.covered() {
		swept[c.Network] = true
	}
	since := a.progress.started()
	for _, n := range a.wire.Scope().Networks {
		if swept[n.Prefix] || !n.Connected || !n.Prefix.Addr().Is4() || a.linkless(n.Prefix) {
			continue
		}
		a.checkNetwork(ctx, n, since)
	}
}

func (a *Agent) checkNetwork(ctx context.Context, n discovery.Network, since time.Time) {
	c := discovery.Coverage{Network: n.Prefix, Source: "sweep", Excluded: a.excludedIn(n.Prefix)}
	for d := range a.inventory.All() {
		ip, in := addressIn(d, n.Prefix.Contains)
		if !in || d.State == inventory.Removed {
			continue
		}
		c.Tried++
		if !d.LastSeen.Before(since) {
			c.Answered++
			continue
		}
		if a.answersStill(ctx, *d, ip) {
			c.Answered++
		}
	}
	c.Finished = a.now()
	if c.Tried > 0 && ctx.Err() == nil {
		a.swept(c)
	}
}

// excludedIn counts the excluded addresses of a network, of at most a /16.
func (a *Agent) excludedIn(p netip.Prefix) (n int) {
	if p.Bits() < 16 {
		return 0
	}
	scope := a.wire.Scope()
	for ip := p.Addr(); p.Contains(ip); ip = ip.Next() {
		if _, no := scope.Excluded(ip); no {
			n++
		}
	}
	return n
}

// answersStill connects to a port that the device served before; a refusal is
// a sign of life as well.
func (a *Agent) answersStill(ctx context.Context, d inventory.Device, ip netip.Addr) bool {
	for _, e := range a.inventory.Evidence(d.ID) {
		if !e.Solicited || e.Port == 0 {
			continue
		}
		conn, err := a.wire.For("sweep").DialTCP(ctx, netip.AddrPortFrom(ip, uint16(e.Port)), d.Interface)
		if err == nil {
			conn.Close()
		} else if !errors.Is(err, syscall.ECONNREFUSED) {
			return false
		}
		a.observe(discovery.Sighting{Time: a.now(), Source: "sweep", Interface: d.Interface, IP: ip})
		return true
	}
	return false
}

// tellNetworks puts it into the event chain when a network is lost or back.
func (a *Agent) tellNetworks() {
	for _, n := range a.coverage.turned(a.wire.Scope(), a.now()) {
		a.inventory.NetworkEvent(n.Network.String(), n.Back, n.Why)
	}
}

func (l *lastCycle) took() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.completed.Sub(l.begun)
}

func (l *lastCycle) scheduled(next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = next
}
