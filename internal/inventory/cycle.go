package inventory

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"camcensus/fingerprint"
)

// CycleEnd is what one finished cycle really covered.
type CycleEnd struct {
	Number int
	Time   time.Time
	// Covered are the networks whose hosts would have been seen.
	Covered []netip.Prefix
	// Blind are networks in scope that nobody could look at this time.
	Blind []netip.Prefix
	// Interfaces are those on which everything worked: there, a device that
	// is only heard (reachability layer2) would have been heard.
	Interfaces []string
	// Asked is how seldom known hosts are asked: what nothing but its answers
	// shows has no other chance to be seen.
	Asked time.Duration
}

// EndCycle draws the conclusions of a cycle: who is missing, which addresses
// are given up, which exceptions are over, what is kept no longer.
func (i *Inventory) EndCycle(c CycleEnd) []Late {
	if c.Time.IsZero() {
		c.Time = i.now()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.readOnly {
		return nil
	}
	late := i.endWaiting()
	before := len(i.devices)
	setBack := c.Time.Before(i.cycleStart) // the clock was: who showed himself in this cycle cannot be told
	for _, e := range slices.Clone(i.sorted()) {
		if !setBack {
			i.endAddresses(e, &c)
			i.miss(e, &c)
		}
		i.followClock(e, c.Time)
		i.tellApart(e, c.Time)
		i.expire(e, c.Time)
		i.retain(e, c.Time)
	}
	if len(i.devices) < before {
		i.dropAliases()
	}
	i.joinByCertificate(c.Time)
	i.joinHeard(c.Time)
	i.cycle = c.Number
	i.cycleStart = c.Time.UTC()
	i.shrink()
	return late
}

// followClock: a sign of life that a wrong clock dated into the future would
// count as one until then.
func (i *Inventory) followClock(e *entry, now time.Time) {
	latest := now.UnixNano()
	if e.last <= latest {
		return
	}
	e.last = latest
	for n := range e.bindings {
		e.bindings[n].last = min(e.bindings[n].last, latest)
	}
	i.touch(e)
}

// shrink lets go of evidence that is not needed before the next cycle.
func (i *Inventory) shrink() {
	enough := max(len(i.warm)-maxWarm/4, 0)
	for _, e := range i.warm[:enough] {
		i.cool(e)
	}
	i.warm = slices.Clone(i.warm[enough:])
}

// covered tells whether the cycle would have seen the device: a live address
// of it was covered and none was not.
func (c *CycleEnd) covered(e *entry) bool {
	seen, v4 := false, slices.ContainsFunc(e.bindings, func(b binding) bool { return b.live && b.ip().Is4() })
	for _, b := range e.bindings {
		if !b.live || v4 && !b.ip().Is4() {
			continue
		}
		switch {
		case contains(c.Blind, b.ip()):
			return false
		case contains(c.Covered, b.ip()), e.where.iface != "" && slices.Contains(c.Interfaces, e.where.iface):
			seen = true
		default:
			return false
		}
	}
	if len(e.bindings) == 0 || !slices.ContainsFunc(e.bindings, func(b binding) bool { return b.live }) {
		return e.where.iface != "" && slices.Contains(c.Interfaces, e.where.iface) || len(e.bindings) > 0 && contains(c.Covered, e.latest()[0].ip())
	}
	return seen
}

func contains(networks []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// miss counts a covered cycle without a sign.
func (i *Inventory) miss(e *entry, c *CycleEnd) {
	if e.state != Present || e.last >= i.cycleStart.UnixNano() || !c.covered(e) {
		return
	}
	if e.onlyAnswers() && c.Time.UnixNano()-e.last < int64(e.missed+1)*int64(c.Asked) {
		return
	}
	if e.missed < 250 {
		e.missed++
	}
	i.enqueue(e)
	if int(e.missed) < i.opt.MissingAfter {
		return
	}
	i.setState(e, Missing)
	i.tell(e, Event{Time: c.Time, Event: "missing", From: string(Present), To: string(Missing), Evidence: "last sign " + at(e.last).Format(time.RFC3339)})
	i.touch(e)
}

// onlyAnswers: the device shares the address of another, a router that forwards
// to it, and nothing but its answers shows it.
func (e *entry) onlyAnswers() bool {
	return e.sibling && !slices.ContainsFunc(e.sources, func(s string) bool { return s != "sweep" })
}

// endAddresses gives up an address that was covered and silent while the
// device showed itself elsewhere. Where the network shows no MAC, behind a
// router, that may be by another interface of it: the address must have been
// silent for as long as a device that is missing.
func (i *Inventory) endAddresses(e *entry, c *CycleEnd) {
	start := i.cycleStart.UnixNano()
	if len(e.bindings) < 2 || e.last < start {
		return
	}
	for n := range e.bindings {
		b := &e.bindings[n]
		old := !b.ip().Is4() && time.Duration(c.Time.UnixNano()-b.last) > day
		if !b.live || b.last >= start || !old && (!b.ip().Is4() || !contains(c.Covered, b.ip())) {
			continue
		}
		silent := c.Time.UnixNano()-b.last >= int64(i.opt.MissingAfter)*(c.Time.UnixNano()-start)
		to := slices.IndexFunc(e.bindings, func(o binding) bool {
			return o.live && o.last >= start && o.ip().Is4() == b.ip().Is4() && (o.mac == b.mac || silent && (o.mac.zero() || b.mac.zero()))
		})
		if to < 0 {
			continue
		}
		i.release(e, b)
		if next := &e.bindings[to]; b.ip().Is4() && cmp.Or(cmp.Compare(next.since, b.since), cmp.Compare(next.no, b.no)) > 0 {
			i.tell(e, Event{Time: c.Time, Event: "moved", From: b.ip().String(), To: next.ip().String()})
		}
	}
}

// joinByCertificate merges a device that is known by its address alone with
// one that fell silent elsewhere and had the same certificate. A certificate
// that two devices show in one cycle is no identity.
func (i *Inventory) joinByCertificate(now time.Time) {
	by := map[key][]*entry{}
	for _, e := range i.devices {
		for _, k := range e.keys {
			if k.kind() == keyCert && !e.hardware() && !i.shared[keyName(k)] {
				by[k] = append(by[k], e)
			}
		}
	}
	start := i.cycleStart.UnixNano()
	for k, list := range by {
		awake := slices.DeleteFunc(slices.Clone(list), func(e *entry) bool { return e.last < start })
		switch {
		case len(awake) > 1 || len(list) > 2:
			i.share(keyName(k))
		case len(list) == 2 && len(awake) == 1 && awake[0].first >= start && !i.apart[pair(list[0].id, list[1].id)]:
			i.merge(list[0], list[1], now, "", "same certificate")
		}
	}
}

// joinHeard merges a device that this cycle made of what it said of itself with
// the one whose MAC the network showed at its address and that said the same: a
// camera names the MAC of its cable and speaks through its Wi-Fi module. By the
// end of a cycle the network would have shown a MAC that is another host's.
func (i *Inventory) joinHeard(now time.Time) {
	for _, x := range slices.Clone(i.sorted()) {
		if x.sibling || len(x.macs) == 0 || x.first < i.cycleStart.UnixNano() || len(x.bindings) != 1 || !x.bindings[0].mac.zero() {
			continue
		}
		for _, e := range i.at(x.bindings[0].ip()) {
			if b := e.liveAt(x.bindings[0].ip()); e != x && b != nil && !b.mac.zero() && !i.apart[pair(e.id, x.id)] && i.saidTheSame(e, x) {
				i.merge(e, x, now, "", "same words from "+b.ip().String())
				break
			}
		}
	}
}

func (i *Inventory) saidTheSame(a, b *entry) bool {
	said, other := i.coldOf(a), i.coldOf(b)
	return said != nil && other != nil && slices.ContainsFunc(said.items, func(it item) bool {
		return identityField(&it.Evidence) && it.Field != "sha256" && slices.ContainsFunc(other.items, func(o item) bool {
			return o.Source == it.Source && o.Field == it.Field && o.Value == it.Value
		})
	})
}

// expire ends the exceptions that are over.
func (i *Inventory) expire(e *entry, now time.Time) {
	if e.people == nil || len(e.people.exceptions) == 0 {
		return
	}
	kept := e.people.exceptions[:0:0]
	for _, x := range e.people.exceptions {
		if now.Before(x.Expires) {
			kept = append(kept, x)
			continue
		}
		i.append(Event{Time: now, Device: e.id, Event: "exception_expired", From: x.line(), Evidence: "owner " + x.Owner + ", expired " + x.Expires.Format(time.DateOnly)})
	}
	if len(kept) != len(e.people.exceptions) {
		e.people.exceptions = kept
		i.touch(e)
	}
}

// retain forgets what may not be kept any longer. What showed itself in this
// cycle is there, however far the clock was set forward meanwhile.
func (i *Inventory) retain(e *entry, now time.Time) {
	if e.annotated() || e.last >= i.cycleStart.UnixNano() {
		return
	}
	r := i.opt.Retention
	limit := r.Devices
	switch {
	case e.tracked:
	case e.randomOnly() && !e.classified():
		limit = r.RandomMAC
	case !e.classified():
		limit = r.Unclassified
	default:
		limit = r.NonCamera
	}
	if limit > 0 && now.Sub(at(e.last)) > limit {
		i.forget(e)
	}
}

// classified tells whether anything says what the device is.
func (e *entry) classified() bool { return e.claims.class != "unknown" }

// Expire ends the exceptions that are over by now; the agent calls it between
// cycles, so that an expiry never waits for one.
func (i *Inventory) Expire() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, e := range i.devices {
		i.expire(e, i.now())
	}
}

// Rejudge judges every device anew by its stored evidence, with
// Options.Judge: after new rules or another policy. No packet is sent. One that
// is under way gives up, since this goes by something newer. It returns how many
// it judged: all, unless the agent ends meanwhile.
func (i *Inventory) Rejudge() int {
	own := i.rejudges.Add(1)
	i.rejudging.Lock()
	defer i.rejudging.Unlock()
	i.mu.Lock()
	i.judgedBy, i.overruled = "", true
	i.mu.Unlock()
	i.rejudged = own
	n, _ := i.rejudgeAll(false, func() bool { return i.rejudges.Load() != own || i.ending.Load() })
	return n
}

// EndJudging lets whoever judges all devices give up, now and later: the agent
// stops, and the next start will judge them.
func (i *Inventory) EndJudging() { i.ending.Store(true) }

// RejudgeUnless is Rejudge at half pace and until ctx ends, unless every device
// was judged by the same when the inventory was last closed: rules, policies and
// whatever else a judgement rests on, in one line. Whoever calls it judges by the
// same from then on; one that edits without it leaves the inventory to be judged
// anew. After a Rejudge it does nothing: that went by something newer.
func (i *Inventory) RejudgeUnless(ctx context.Context, by string) int {
	i.rejudging.Lock()
	defer i.rejudging.Unlock()
	i.mu.Lock()
	i.judging = true
	same := i.overruled || i.judgedBy == by && by != ""
	if !same {
		i.judgedBy = "" // neither by the one nor by the other until all are
	}
	i.mu.Unlock()
	if same {
		return 0
	}
	n, all := i.rejudgeAll(true, func() bool { return ctx.Err() != nil || i.rejudges.Load() != i.rejudged })
	if all {
		i.mu.Lock()
		i.judgedBy = by
		i.mu.Unlock()
	}
	return n
}

const (
	// At half pace so many devices are judged, and then comes a pause as long as
	// they took.
	rejudgedAtOnce = 64
	longestPause   = 100 * time.Millisecond
	// At any pace the next are not begun while somebody reads page after page,
	// for as long as he can be let go first without keeping the verdicts back.
	readsTogether = 50 * time.Millisecond
	longestWay    = 200 * time.Millisecond
)

// rejudgeAll judges until enough says so; it returns how many it judged, and
// whether that is all. The caller holds rejudging.
func (i *Inventory) rejudgeAll(halfPace bool, enough func() bool) (n int, all bool) {
	if i.opt.Judge == nil {
		return 0, true
	}
	i.mu.Lock()
	list := slices.Clone(i.sorted()) // as their evidence lies in the file
	i.mu.Unlock()
	for some := range slices.Chunk(list, rejudgedAtOnce) {
		if enough() {
			return n, false
		}
		i.makeWay()
		begun := time.Now()
		for _, e := range some {
			i.rejudge(e.id)
		}
		n += len(some)
		i.Relieve()
		if halfPace && n < len(list) {
			time.Sleep(min(time.Since(begun), longestPause)) // nobody waits for the last device, but somebody for a page
		}
	}
	return n, true
}

// makeWay waits while somebody reads the list of devices.
func (i *Inventory) makeWay() {
	for begun := time.Now(); time.Since(begun) < longestWay; {
		since := time.Since(i.opened) - time.Duration(i.lastRead.Load())
		if since >= readsTogether {
			return
		}
		time.Sleep(readsTogether - since)
	}
}

// reading says that somebody reads the list of devices, and when he has done so.
func (i *Inventory) reading() (done func()) {
	note := func() { i.lastRead.Store(int64(time.Since(i.opened))) }
	note()
	return note
}

// rejudge judges a device anew; it reports whether that says anything.
func (i *Inventory) rejudge(id string) bool {
	dev, ok := i.Plain(id)
	if !ok || i.opt.Judge == nil {
		return false
	}
	i.unname(id)
	identity, verdicts := i.opt.Judge(dev, i.Evidence(id))
	if i.knewMore(dev, identity) {
		return false
	}
	i.Commit(id, identity, verdicts, i.now())
	return true
}

// unname forgets the names of a device that were stored when more might be.
func (i *Inventory) unname(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	e := i.find(id)
	if e == nil {
		return
	}
	i.dropNames(e)
	skip, c := i.unnamed(e), i.coldOf(e)
	if skip == nil || c == nil {
		return
	}
	names := func(r fingerprint.Reason) bool { return mayName(r.Source, r.Field) && r.Value != "" }
	if slices.ContainsFunc(c.items, func(it item) bool { return skip(&it) }) || slices.ContainsFunc(c.reasons, names) {
		c.reasons = slices.DeleteFunc(slices.Clone(c.reasons), names)
		e.hold().shown = nil
		i.keepCold(e, c)
	}
}

// knewMore tells whether what is known of something that is no camera would be
// lost by a new judgement: the names it showed are not stored, and what they
// told stands until it is asked again.
func (i *Inventory) knewMore(dev Device, now fingerprint.Identity) bool {
	i.mu.RLock()
	e := i.find(dev.ID)
	tracked := e == nil || e.tracked
	i.mu.RUnlock()
	return !tracked && (dev.Class != fingerprint.ClassUnknown && now.Class == fingerprint.ClassUnknown ||
		dev.MakerBySigns() != "" && now.Manufacturer == "")
}
