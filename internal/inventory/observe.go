package inventory

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"camcensus/discovery"
	"camcensus/fingerprint"
)

// Observation is one sighting or one probe's answer, parsed.
type Observation struct {
	Time      time.Time
	Source    string
	Interface string
	IP        netip.Addr       // invalid when only a MAC is known
	MAC       net.HardwareAddr // as the network shows it; nil when it does not
	Kind      string           // record kind, "" when the packet merely showed life
	Evidence  []fingerprint.Evidence
	Part      int              // which of the devices that one datagram names, from 0
	Record    discovery.Record // the bytes, kept when they make a device flagged
	Hostname  string
	// Reachability is ip or layer2; "" leaves what is known.
	Reachability string
	SwitchPort   string
	Departed     bool // a goodbye
	Solicited    bool // answered to a question put to this host alone
	Checked      bool // who holds the address was looked up before and after it
	Behind       bool // said by a device to which the holder of the address forwards
}

// Seen is what an observation came to.
type Seen struct {
	Device  string // its id; "" when the observation named no host
	New     bool
	Changed bool       // its evidence or address is new: worth judging again
	Waits   bool       // something new was said at its address, perhaps by another: it waits for a MAC to be seen there
	Split   []SplitOff // what was found to be of other devices
	Late    []Late     // what had waited and was taken in
}

// Late is what waited for a MAC to be seen at its address.
type Late struct {
	Device string // whose it is
	Record discovery.Record
}

// SplitOff is an address whose holder was taken for another device, until its
// MAC proved to be a gateway's or, where Named, until the MAC was seen that it
// had named. Then only what named that MAC was the other's.
type SplitOff struct {
	From, To string // device ids
	IP       netip.Addr
	Named    bool
}

// Observe takes in one observation: it finds or makes the device, binds it to
// the address and keeps the evidence.
func (i *Inventory) Observe(o Observation) Seen {
	if o.Time.IsZero() {
		o.Time = i.now()
	}
	o.IP = o.IP.Unmap().WithZone("")
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.readOnly {
		return Seen{}
	}
	ids := readIdentities(o.Evidence)
	if m, ok := hardwareAddress(o.MAC); ok && !i.shared[macName(m.String())] {
		ids.mac = m
	}
	shown := ids.mac
	if shown.zero() {
		i.inheritMAC(&o, &ids)
		if e := i.mustWait(&o, &ids); e != nil {
			i.waiting.add(o, e.id)
			return Seen{Device: e.id, Waits: true}
		}
		if i.namesOther(&ids) {
			ids.keys, ids.payload, ids.cert = nil, nil, 0 // whose its serial is will be seen
		}
	}
	seen := i.take(o, ids)
	if !shown.zero() && o.IP.IsValid() {
		for _, w := range i.heard(&o, shown, seen.Device) {
			w.MAC = o.MAC
			then := i.takeLate(w, shown)
			seen.Split = append(seen.Split, then.Split...)
			if then.Device == seen.Device {
				seen.New, seen.Changed = seen.New || then.New, seen.Changed || then.Changed
			}
			seen.Late = append(seen.Late, Late{then.Device, w.Record})
		}
	}
	return seen
}

// takeLate takes in words that waited for the MAC that is seen at their address.
func (i *Inventory) takeLate(w Observation, shown hwaddr) Seen {
	ids := readIdentities(w.Evidence)
	ids.mac = shown
	if len(ids.payload) > 0 && !slices.Contains(ids.payload, shown) {
		ids.keys, ids.payload, ids.cert = nil, nil, 0
	}
	return i.take(w, ids)
}

// take takes in an observation whose MAC, if any, is certain.
func (i *Inventory) take(o Observation, ids identities) Seen {
	e, isNew := i.resolve(&o, &ids)
	if e == nil {
		return Seen{}
	}
	no, bound := i.bind(e, &o, &ids)
	given := i.given
	i.given = nil
	changed := i.learn(e, no, &o)
	i.describe(e, &o)
	i.sign(e, &o)
	i.records.keep(e.id, o.Record)
	if here, split := i.gateway(e, ids.mac, o.IP); here != nil {
		return Seen{Device: here.id, New: isNew, Changed: true, Split: append(given, split...)}
	}
	return Seen{Device: e.id, New: isNew, Changed: isNew || bound || changed, Split: given}
}

// bind puts the device at the address of the observation. It returns the
// number of the binding and whether it is new.
func (i *Inventory) bind(e *entry, o *Observation, ids *identities) (uint32, bool) {
	if !o.IP.IsValid() {
		return i.unbound(e), false
	}
	now := o.Time.UnixNano()
	mac := ids.mac
	for n := range e.bindings {
		b := &e.bindings[n]
		if b.ip() != o.IP || !(b.mac == mac || b.mac.zero() || mac.zero()) {
			continue
		}
		fresh := !b.live || b.mac != mac && !mac.zero()
		if !mac.zero() {
			b.mac = mac
		}
		was := b.last
		b.last = max(b.last, now)
		if !b.live && !e.movedSince(b, now) && i.takeAddress(e, b, o) {
			b.since = now
			i.moved(e, b, o, was)
		}
		if fresh {
			i.touch(e)
		}
		return b.no, fresh
	}
	e.bindSeq++
	b := binding{at: addressOf(o.IP), mac: mac, no: e.bindSeq, since: now, last: now}
	e.bindings = append(slices.Clip(e.bindings), b)
	added := &e.bindings[len(e.bindings)-1]
	if i.takeAddress(e, added, o) {
		i.moved(e, added, o, 0)
	}
	no := added.no
	i.trimBindings(e)
	i.touch(e)
	return no, true
}

// unbound is the binding that evidence without an address belongs to: the
// current one, or none.
func (i *Inventory) unbound(e *entry) uint32 {
	for _, b := range e.latest() {
		if b.live {
			return b.no
		}
	}
	return 0
}

// takeAddress makes the binding live and ends those of other devices that
// the address now contradicts. It always returns true, unless it was live, or
// somebody else was seen there since: a kernel's neighbour table tells of
// minutes ago.
func (i *Inventory) takeAddress(e *entry, b *binding, o *Observation) bool {
	if b.live {
		return false
	}
	var ended []*entry
	for _, other := range i.at(o.IP) {
		held := other.liveAt(o.IP)
		if other == e || held == nil || held.mac == b.mac && (e.sibling || other.sibling) {
			continue
		}
		if !held.mac.zero() && !b.mac.zero() && held.last > b.last {
			return false
		}
		ended = append(ended, other)
	}
	for _, other := range ended {
		held := other.liveAt(o.IP)
		i.release(other, held)
		i.handNamed(other, held, e, b)
	}
	b.live = true
	i.addAddress(o.IP, e)
	return true
}

// release ends a binding; the device keeps it as its last known address.
func (i *Inventory) release(e *entry, b *binding) {
	b.live = false
	i.dropAddress(b.ip(), e)
	i.touch(e)
}

// moved ends the bindings that the new one replaces, and says so: those of
// the same MAC and family that gave no sign in this cycle. A device that shows
// both addresses in one cycle simply has two. was is when the device was last
// seen at the address: where two devices quarrel over one, neither moves.
func (i *Inventory) moved(e *entry, b *binding, o *Observation, was int64) {
	from := ""
	for n := range e.bindings {
		old := &e.bindings[n]
		if old == b || old.ip() == b.ip() || old.mac != b.mac || old.ip().Is4() != b.ip().Is4() || !b.ip().Is4() {
			continue
		}
		if old.live && old.last < i.cycleStart.UnixNano() {
			i.release(e, old)
			from = old.ip().String()
		}
	}
	if from == "" && i.addressless(e, b) {
		from = e.lastAddress(b, was)
	}
	if from != "" && from != b.ip().String() {
		i.tell(e, Event{Time: o.Time, Event: "moved", From: from, To: b.ip().String(), Evidence: o.Source})
	}
}

// movedSince: the device took another address after the time of a sighting at
// this one, which a kernel's neighbour table may still hold.
func (e *entry) movedSince(from *binding, sighted int64) bool {
	return slices.ContainsFunc(e.bindings, func(b binding) bool {
		return b.live && b.mac == from.mac && b.ip() != from.ip() && b.ip().Is4() == from.ip().Is4() && b.since > sighted
	})
}

// addressless: every other binding had ended before.
func (i *Inventory) addressless(e *entry, b *binding) bool {
	return b.ip().Is4() && !slices.ContainsFunc(e.bindings, func(o binding) bool { return o.live && o.no != b.no && o.ip().Is4() })
}

// lastAddress is where the device was seen last before b, and after was.
func (e *entry) lastAddress(b *binding, was int64) string {
	var last *binding
	for n := range e.bindings {
		o := &e.bindings[n]
		if o.no != b.no && o.ip().Is4() && (last == nil || o.last > last.last) {
			last = o
		}
	}
	if last == nil || last.last > b.last || last.last < was {
		return ""
	}
	return last.ip().String()
}

// trimBindings forgets the oldest ended bindings, then the oldest.
func (i *Inventory) trimBindings(e *entry) {
	for len(e.bindings) > maxBindings {
		oldest := 0
		for n, b := range e.bindings[:len(e.bindings)-1] {
			o := e.bindings[oldest]
			if o.live && !b.live || o.live == b.live && b.last < o.last {
				oldest = n
			}
		}
		if b := &e.bindings[oldest]; b.live {
			i.release(e, b)
		}
		e.bindings = slices.Delete(slices.Clone(e.bindings), oldest, oldest+1)
	}
}

// describe keeps what an observation says beside its evidence.
func (i *Inventory) describe(e *entry, o *Observation) {
	changed := false
	if o.Source != "" && !slices.Contains(e.sources, o.Source) && len(e.sources) < 32 {
		a := *e.kin
		a.sources = i.sourceSet(a.sources, o.Source)
		i.liken(e, a)
		changed = true
	}
	w := *e.where
	if o.Reachability == "layer2" && w.reach == "ip" && e.reachedBeside(o.IP) {
		o.Reachability = "" // a second address of its own making, or a DHCP client's question
	}
	for _, f := range []struct {
		to   *string
		from string
	}{{&w.iface, o.Interface}, {&w.reach, o.Reachability}, {&w.port, clip(o.SwitchPort, 128)}} {
		set(f.to, f.from)
	}
	if w != *e.where {
		a := *e.kin
		a.where = i.place(w)
		i.liken(e, a)
		changed = true
	}
	if o.Hostname != "" && i.keepsNames(e) && !slices.Contains(e.hostnames, o.Hostname) && len(e.hostnames) < 8 {
		e.seldom().hostnames = append(slices.Clip(e.hostnames), clip(o.Hostname, 253))
		slices.Sort(e.hostnames)
		changed = true
	}
	if changed {
		i.touch(e)
	}
}

// reachedBeside tells whether the device holds another address than this one,
// and no mere link-local one.
func (e *entry) reachedBeside(ip netip.Addr) bool {
	return slices.ContainsFunc(e.bindings, func(b binding) bool {
		return b.live && b.ip() != ip && !b.ip().IsLinkLocalUnicast()
	})
}

// sourceSet returns the sorted set with one more source, shared between all
// devices that have the same.
func (i *Inventory) sourceSet(s []string, add string) []string {
	out := append(slices.Clone(s), add)
	slices.Sort(out)
	part := &encoder{}
	part.strings(out)
	return i.sharedSources(part.b)
}

// place returns one copy of equal places.
func (i *Inventory) place(w where) *where {
	if known := i.places[w]; known != nil {
		return known
	}
	if len(i.places) > 8192 {
		clear(i.places)
	}
	i.places[w] = &w
	return &w
}

// set puts a non-empty value in place; it reports a change.
func set(field *string, value string) bool {
	if value == "" || *field == value {
		return false
	}
	*field = value
	return true
}

// sign counts the observation as a sign of life. A goodbye is none, nor is it
// one of absence: anybody can say it in another's name.
func (i *Inventory) sign(e *entry, o *Observation) {
	now := o.Time.UnixNano()
	if o.Departed && e.last != 0 {
		return
	}
	if now > e.last {
		e.last = now
		i.changes++
		if e.last-e.stored > int64(time.Hour) {
			i.enqueue(e)
		}
	}
	if now >= i.cycleStart.UnixNano() {
		e.missed = 0
	} else if e.state == Missing {
		return // from before the silence ended: the kernel's neighbour table keeps its entries for minutes
	}
	i.comeBack(e, o.Time, o.Time, o.Source)
}

// comeBack makes a device present that was not, when it was seen after its
// removal or was never removed. now is when that became known.
func (i *Inventory) comeBack(e *entry, seen, now time.Time, evidence string) {
	if e.state == Present || e.state == Removed && e.people != nil && e.people.removal != nil && !seen.After(e.people.removal.Time) {
		return
	}
	from := e.state
	i.setState(e, Present)
	if from == Removed {
		e.seldom().returned, e.missed = seen.UnixNano(), 0
	}
	if e.people != nil {
		e.people.removal = nil
	}
	i.tell(e, Event{Time: now, Event: "returned", From: string(from), To: string(Present), Evidence: evidence})
	i.touch(e)
}
