package inventory

import (
	"slices"
	"time"
)

// crowd finds out that a serial stands on more interfaces than a recorder has:
// that of cameras whose maker gave them all the same. other is nil for a host of
// which nothing is known yet.
func (i *Inventory) crowd(e, other *entry, ids *identities, solicited bool) {
	if e == nil {
		return
	}
	macs := len(e.macs) + 1
	if other != nil {
		macs = len(e.macs) + len(other.macs)
	}
	if macs <= maxMACsPerSerial || !i.believes(e, other, ids, solicited) {
		return
	}
	for _, k := range ids.keys {
		if k.kind() == keySerial && slices.Contains(e.keys, k) {
			i.disown(k)
		}
	}
}

// disown makes a serial one that names no device.
func (i *Inventory) disown(k key) {
	delete(i.keys, k)
	i.share(keyName(k))
}

// tellApart parts what a serial joined that proved to name no device: each MAC
// becomes a device of its own.
func (i *Inventory) tellApart(e *entry, now time.Time) {
	shared := func(k key) bool { return k.kind() != keyCert && i.shared[keyName(k)] }
	if len(e.macs) < 2 || !slices.ContainsFunc(e.keys, shared) {
		return
	}
	for _, k := range e.keys {
		if k.kind() == keyMaker {
			i.disown(k) // it is made of the same serial
		}
	}
	e.keys = slices.DeleteFunc(slices.Clone(e.keys), shared)
	for _, m := range e.macs[1:] {
		i.partMAC(e, m, now)
	}
	e.marks = nil
	i.touch(e)
}

// partMAC makes a device of what was seen under one MAC.
func (i *Inventory) partMAC(e *entry, m hwaddr, now time.Time) {
	identity := ""
	if m.burnedIn() {
		identity = "mac\x00" + m.String()
	}
	fresh := i.newEntry(identity, now.UnixNano())
	i.tell(e, Event{Time: now, Event: "split", From: e.id, To: fresh.id, Evidence: "more devices bear its serial than a recorder has interfaces"})
	a := *fresh.kin
	a.sources, a.where = e.sources, e.where
	i.liken(fresh, a)
	e.macs = slices.DeleteFunc(slices.Clone(e.macs), func(o hwaddr) bool { return o == m })
	i.addHardware(fresh, m)
	given := &cold{}
	c := i.coldOf(e)
	for _, b := range slices.Clone(e.bindings) {
		if b.mac != m {
			continue
		}
		fresh.bindings, fresh.bindSeq = append(fresh.bindings, b), e.bindSeq
		fresh.first, fresh.last = min(fresh.first, b.since), max(fresh.last, b.last)
		e.bindings = slices.DeleteFunc(slices.Clone(e.bindings), func(o binding) bool { return o.no == b.no })
		if b.live {
			i.dropAddress(b.ip(), e)
			i.addAddress(b.ip(), fresh)
		}
		if c == nil {
			continue
		}
		for _, it := range c.items {
			if it.bind == b.no {
				given.items = append(given.items, it)
			}
		}
		c.items = slices.DeleteFunc(slices.Clone(c.items), func(it item) bool { return it.bind == b.no })
	}
	if c != nil {
		i.keepCold(e, c)
	}
	i.keepCold(fresh, given)
	i.touch(fresh)
}
