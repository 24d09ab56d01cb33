package inventory

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// byAddress finds a device by its address, without a zone. A netip.Addr as the
// key would cost twice the memory.
type byAddress struct {
	v4 map[[4]byte]*entry
	v6 map[[16]byte]*entry
}

func (m byAddress) get(ip netip.Addr) *entry {
	if ip.Is4() {
		return m.v4[ip.As4()]
	}
	return m.v6[ip.As16()]
}

// set puts e in place; nil takes away what is there.
func (m byAddress) set(ip netip.Addr, e *entry) {
	switch {
	case ip.Is4() && e == nil:
		delete(m.v4, ip.As4())
	case ip.Is4():
		m.v4[ip.As4()] = e
	case e == nil:
		delete(m.v6, ip.As16())
	default:
		m.v6[ip.As16()] = e
	}
}

// at returns the devices with a live binding to ip.
func (i *Inventory) at(ip netip.Addr) []*entry {
	first := i.atIP.get(ip)
	if first == nil {
		return nil
	}
	return append([]*entry{first}, i.alsoAt[ip]...)
}

func (i *Inventory) addAddress(ip netip.Addr, e *entry) {
	first := i.atIP.get(ip)
	switch {
	case first == nil:
		i.atIP.set(ip, e)
	case first != e && !slices.Contains(i.alsoAt[ip], e):
		i.alsoAt[ip] = append(i.alsoAt[ip], e)
	}
}

func (i *Inventory) dropAddress(ip netip.Addr, e *entry) {
	also := slices.DeleteFunc(slices.Clone(i.alsoAt[ip]), func(o *entry) bool { return o == e })
	if i.atIP.get(ip) == e {
		i.atIP.set(ip, nil)
		if len(also) > 0 {
			i.atIP.set(ip, also[0])
			also = also[1:]
		}
	}
	if len(also) == 0 {
		delete(i.alsoAt, ip)
		return
	}
	i.alsoAt[ip] = also
}

// pair names two devices without order.
func pair(a, b string) [2]string {
	if a > b {
		a, b = b, a
	}
	return [2]string{a, b}
}

func keyName(k key) string { return "key " + strconv.FormatUint(uint64(k), 16) }

// merge makes one device of two and returns it: the older one's id lives on,
// the other's becomes an alias.
func (i *Inventory) merge(a, b *entry, t time.Time, by, why string) *entry {
	if cmp.Or(cmp.Compare(a.first, b.first), -cmp.Compare(len(a.macs), len(b.macs)), cmp.Compare(a.id, b.id)) > 0 {
		a, b = b, a
	}
	return i.mergeInto(a, b, t, by, why)
}

func (i *Inventory) mergeInto(keep, gone *entry, t time.Time, by, why string) *entry {
	undoable := !gone.provisional() || by != ""
	var u *merged
	if undoable {
		u = &merged{kept: keep.id, gone: gone.id, time: t.UnixNano(), offset: keep.bindSeq, forms: i.formsOf(keep, gone)}
	}
	offset := keep.bindSeq
	i.mergeEvidence(keep, gone, offset)
	i.forget(gone)
	i.mergeFacts(keep, gone)
	for _, b := range gone.bindings {
		b.no += offset
		keep.bindings = append(slices.Clip(keep.bindings), b)
		if b.live {
			i.addAddress(b.ip(), keep)
		}
	}
	keep.bindSeq += gone.bindSeq
	i.foldBindings(keep)
	i.trimBindings(keep)
	for _, m := range gone.macs {
		i.addHardware(keep, m)
	}
	for _, k := range gone.keys {
		if k.kind() != keyCert {
			i.keys[k] = keep
		}
		if !slices.Contains(keep.keys, k) {
			keep.keys = append(slices.Clip(keep.keys), k)
		}
	}
	i.boundKeys(keep)
	i.alias[gone.id] = alias{keep.id, gone.no}
	i.records.rename(gone.id, keep.id)
	if undoable {
		i.undo[gone.id] = u
		i.store.putMerge(u)
		i.boundUndo()
		i.store.putAlias(gone.id, i.alias[gone.id])
	} else {
		i.pass(gone.id)
	}
	i.touch(keep)
	i.tell(keep, Event{Time: t, Event: "merged", From: gone.id, To: keep.id, By: by, Evidence: why})
	if gone.state == Present || keep.state == Removed && gone.state == Missing {
		i.comeBack(keep, at(gone.last), t, "seen as "+gone.id)
	}
	return keep
}

// pass remembers for a while the id of a device of which nothing but an address
// was known; a scan, which files its records by it, remembers all.
func (i *Inventory) pass(id string) {
	if i.store == nil {
		return
	}
	if i.passing = append(i.passing, id); len(i.passing) > maxPassing {
		delete(i.alias, i.passing[0])
		i.passing = i.passing[1:]
	}
}

// maxPassing bounds the ids that are remembered for a while.
const maxPassing = 4096

// provisional: nothing but an address was ever known of it.
func (e *entry) provisional() bool { return !e.hardware() && !e.chronicled() && !e.annotated() }

// foldBindings joins two bindings to the same address and MAC.
func (i *Inventory) foldBindings(e *entry) {
	out := e.bindings[:0:0]
	renamed := map[uint32]uint32{}
	for _, b := range e.bindings {
		n := slices.IndexFunc(out, func(o binding) bool {
			return o.ip() == b.ip() && (o.mac == b.mac || o.mac.zero() || b.mac.zero())
		})
		if n < 0 {
			out = append(out, b)
			continue
		}
		o := &out[n]
		renamed[b.no] = o.no
		if o.mac.zero() {
			o.mac = b.mac
		}
		o.live = o.live || b.live
		o.since, o.last = min(o.since, b.since), max(o.last, b.last)
	}
	e.bindings = out
	if c := i.coldOf(e); c != nil && len(renamed) > 0 {
		for n := range c.items {
			if to, ok := renamed[c.items[n].bind]; ok {
				c.items[n].bind = to
			}
		}
		i.keepCold(e, c)
	}
}

func (i *Inventory) mergeEvidence(keep, gone *entry, offset uint32) {
	keep.marks, keep.hold().shown = nil, nil
	given := i.coldOf(gone)
	if given == nil {
		return
	}
	c := i.coldOf(keep)
	if c == nil {
		c = &cold{}
	}
	for _, it := range given.items {
		if it.bind != 0 {
			it.bind += offset
		}
		c.items = append(c.items, it)
	}
	c.lost = c.lost || given.lost
	if len(c.reasons) == 0 {
		c.reasons, c.contradictions, c.texts = given.reasons, given.contradictions, given.texts
	}
	c.bound(i.opt.Uses)
	i.keepCold(keep, c)
}

func (i *Inventory) mergeFacts(keep, gone *entry) {
	keep.first, keep.last = min(keep.first, gone.first), max(keep.last, gone.last)
	keep.confirmed = max(keep.confirmed, gone.confirmed)
	if gone.returned > keep.returned {
		keep.seldom().returned = gone.returned
	}
	keep.missed = min(keep.missed, gone.missed)
	keep.tracked = keep.tracked || gone.tracked
	keep.sibling = keep.sibling && gone.sibling
	if len(keep.verdicts) == 0 || !flagged(keep.verdicts) && flagged(gone.verdicts) || keep.claims == noClaims {
		a := *keep.kin
		a.claims, a.verdicts = gone.claims, gone.verdicts
		i.liken(keep, a)
		keep.serial = cmp.Or(keep.serial, gone.serial)
	}
	for _, s := range gone.sources {
		if !slices.Contains(keep.sources, s) {
			a := *keep.kin
			a.sources = i.sourceSet(a.sources, s)
			i.liken(keep, a)
		}
	}
	for _, h := range gone.hostnames {
		if !slices.Contains(keep.hostnames, h) {
			keep.seldom().hostnames = append(slices.Clip(keep.hostnames), h)
		}
	}
	if w := *keep.where; w.port == "" && gone.where.port != "" {
		w.port = gone.where.port
		a := *keep.kin
		a.where = i.place(w)
		i.liken(keep, a)
	}
	if gone.people == nil {
		return
	}
	p, g := keep.person(), gone.people
	if p.determination == nil {
		p.determination = g.determination
	}
	a := &p.annotations
	a.Location, a.Owner = cmp.Or(a.Location, g.annotations.Location), cmp.Or(a.Owner, g.annotations.Owner)
	a.Acquired, a.Note = cmp.Or(a.Acquired, g.annotations.Acquired), cmp.Or(a.Note, g.annotations.Note)
	p.exceptions = append(slices.Clip(p.exceptions), g.exceptions...)
	if keep.state != Removed {
		p.removal = nil
	}
}

// forget takes a device out of every index.
func (i *Inventory) forget(e *entry) {
	e.gone = true
	delete(i.devices, e.id)
	for _, m := range e.macs {
		if i.macs[m] == e {
			delete(i.macs, m)
		}
	}
	for _, k := range e.keys {
		if i.keys[k] == e {
			delete(i.keys, k)
		}
	}
	for _, b := range e.bindings {
		i.dropAddress(b.ip(), e)
	}
	i.changes++
	i.enqueue(e)
}

// gateway finds out that one MAC stands for many addresses: proxy ARP or a
// router. Such a MAC is no identity; each address becomes a device of its own.
// It returns the device that now stands at ip, or nil when nothing changed.
func (i *Inventory) gateway(e *entry, mac hwaddr, ip netip.Addr) (here *entry, split []SplitOff) {
	if mac.zero() || len(e.bindings) <= maxAddressesPerMAC {
		return nil, nil
	}
	var at []binding
	for _, b := range e.bindings {
		if b.live && b.mac == mac && b.ip().Is4() {
			at = append(at, b)
		}
	}
	if len(at) <= maxAddressesPerMAC {
		return nil, nil
	}
	i.share(macName(mac.String()))
	delete(i.macs, mac)
	e.macs = slices.DeleteFunc(slices.Clone(e.macs), func(m hwaddr) bool { return m == mac })
	slices.SortFunc(at, func(a, b binding) int { return a.ip().Compare(b.ip()) })
	lost := i.displaced(e, at)
	own := max(0, slices.IndexFunc(at, func(b binding) bool { return lost[b.ip()] == nil }))
	owners := make([]*entry, len(at))
	for n, b := range at {
		owners[n] = e
		if n != own {
			owners[n] = i.splitOff(e, b)
			split = append(split, SplitOff{From: e.id, To: owners[n].id, IP: b.ip()})
		}
		if held := owners[n].liveAt(b.ip()); held != nil {
			held.mac = hwaddr{}
		}
	}
	here = e
	for n, b := range at {
		if x := lost[b.ip()]; x != nil && !i.apart[pair(x.id, owners[n].id)] {
			owners[n] = i.merge(x, owners[n], i.now(), "", "address "+b.ip().String()+" was its own before a gateway's MAC was seen there")
		}
		if b.ip() == ip {
			here = owners[n]
		}
	}
	e.marks = nil
	i.touch(e)
	return here, split
}

// displaced are the devices that were known by the addresses of a gateway's
// hosts, without a MAC, until its MAC was seen there in this cycle.
func (i *Inventory) displaced(gateway *entry, at []binding) map[netip.Addr]*entry {
	lost := map[netip.Addr]*entry{}
	for _, x := range i.sorted() {
		for _, b := range x.bindings {
			if x != gateway && !b.live && b.mac.zero() && b.last >= i.cycleStart.UnixNano() &&
				slices.ContainsFunc(at, func(o binding) bool { return o.ip() == b.ip() }) {
				lost[b.ip()] = x
			}
		}
	}
	return lost
}

// splitOff makes a device of one binding.
func (i *Inventory) splitOff(e *entry, b binding) *entry {
	fresh := i.newEntry("", b.since)
	i.tell(e, Event{Time: i.now(), Event: "split", From: e.id, To: fresh.id, Evidence: "its MAC stands for many addresses: a gateway's"})
	fresh.last = b.last
	a := *fresh.kin
	a.sources, a.where = e.sources, e.where
	i.liken(fresh, a)
	fresh.bindSeq, fresh.bindings = b.no, []binding{b}
	i.dropAddress(b.ip(), e)
	i.addAddress(b.ip(), fresh)
	e.bindings = slices.DeleteFunc(slices.Clone(e.bindings), func(o binding) bool { return o.no == b.no })
	if c := i.coldOf(e); c != nil {
		given := &cold{}
		kept := c.items[:0:0]
		for _, it := range c.items {
			if it.bind == b.no {
				given.items = append(given.items, it)
			} else {
				kept = append(kept, it)
			}
		}
		c.items = kept
		i.keepCold(e, c)
		i.keepCold(fresh, given)
	}
	i.touch(fresh)
	return fresh
}

// dropAliases forgets the ids of devices that were merged into one that is no
// longer kept, and what was held to undo it.
func (i *Inventory) dropAliases() {
	for gone := range i.alias {
		if i.find(gone) != nil {
			continue
		}
		delete(i.alias, gone)
		delete(i.undo, gone)
		i.store.put("DELETE FROM aliases WHERE id = ?", gone)
		i.store.put("DELETE FROM merges WHERE gone = ?", gone)
	}
}

// share marks an identity as one that several devices show.
func (i *Inventory) share(name string) {
	i.shared[name] = true
	i.store.putShared(name)
}
