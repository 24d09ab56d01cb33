package inventory

import (
	"bytes"
	"net"
	"slices"
)

// create makes a device from an observation.
func (i *Inventory) create(o *Observation, ids *identities, ofMAC bool) *entry {
	identity := ids.identity
	switch {
	case ofMAC:
		identity = "mac\x00" + ids.mac.String()
	case ids.mac.zero() && len(ids.payload) > 0:
		identity = "mac\x00" + ids.payload[0].String()
	case !ids.mac.zero():
		if i.macs[ids.mac] == nil {
			identity = "" // a locally administered MAC
		}
	}
	e := i.newEntry(identity, o.Time.UnixNano())
	if !ids.mac.zero() && i.macs[ids.mac] == nil {
		i.addHardware(e, ids.mac)
	}
	i.touch(e)
	return e
}

// newEntry makes an empty device.
func (i *Inventory) newEntry(identity string, first int64) *entry {
	i.lastNo++
	e := &entry{id: i.newID(identity), no: i.lastNo, first: first, rare: nothingRare, held: &held{cold: &cold{}}}
	i.liken(e, kin{state: Present, claims: noClaims, where: nowhere})
	i.put(e)
	i.warmed(e)
	return e
}

// handOver gives a device that took over an address what the former holder
// seemed to say there after it last said who it was.
func (i *Inventory) handOver(from, to *entry, o *Observation) {
	b := from.liveAt(o.IP)
	c := i.coldOf(from)
	if b == nil || c == nil {
		return
	}
	kept, given := c.items[:0:0], &cold{}
	for _, it := range c.items {
		if it.bind == b.no && it.Seen.UnixNano() > from.confirmed && !identityField(&it.Evidence) {
			it.bind = 1
			given.items = append(given.items, it)
			continue
		}
		kept = append(kept, it)
	}
	if len(given.items) == 0 {
		return
	}
	c.items = kept
	from.marks, to.marks = nil, nil
	i.keepCold(from, c)
	i.keepCold(to, given)
}

// handNamed gives a device whose MAC is now seen at an address what was said
// there by datagrams that name this MAC. They were credited to the one whose MAC
// was seen there until then.
func (i *Inventory) handNamed(from *entry, was *binding, to *entry, is *binding) {
	if is.mac.zero() || was.mac.zero() || is.mac == was.mac {
		return
	}
	c := i.coldOf(from)
	if c == nil {
		return
	}
	named := map[group]bool{}
	for n := range c.items {
		it := &c.items[n]
		if m, err := net.ParseMAC(it.Value); it.bind == was.no && it.Field == "mac" && err == nil && bytes.Equal(m, is.mac[:]) {
			named[it.group()] = true
		}
	}
	if len(named) == 0 {
		return
	}
	given := &cold{}
	if have := i.coldOf(to); have != nil {
		given.items = slices.Clone(have.items)
	}
	left := &cold{}
	for _, it := range c.items {
		if it.bind != was.no || !named[it.group()] {
			left.items = append(left.items, it)
			continue
		}
		it.bind = is.no
		given.items = append(given.items, it)
	}
	given.bound(i.opt.Uses)
	from.marks, to.marks = nil, nil
	i.keepCold(from, left)
	i.keepCold(to, given)
	i.given = append(i.given, SplitOff{From: from.id, To: to.id, IP: is.ip(), Named: true})
}

// remember files the device under the identities it showed.
func (i *Inventory) remember(e *entry, o *Observation, ids *identities) {
	if e == nil {
		return
	}
	for _, k := range ids.keys {
		owner := i.keys[k]
		if owner != nil && owner != e && o.Solicited && e.burnedIn() && owner.burnedIn() && !i.answeredWith(owner, ids) {
			i.dropKey(owner, k) // it was merely said in its name
			owner = nil
		}
		if owner == nil && !i.shared[keyName(k)] {
			i.addKey(e, k)
		}
	}
	if ids.cert != 0 && !slices.Contains(e.keys, ids.cert) && !i.shared[keyName(ids.cert)] && len(e.macs) == 0 {
		e.keys = append(slices.DeleteFunc(slices.Clone(e.keys), func(k key) bool { return k.kind() == keyCert }), ids.cert)
		i.touch(e)
	}
	if i.holdsKey(e, ids) {
		e.confirmed = max(e.confirmed, o.Time.UnixNano())
	}
	if ids.mac.zero() && len(e.macs) == 0 {
		for _, m := range ids.payload {
			if i.macs[m] == nil && !i.shared[macName(m.String())] {
				i.addHardware(e, m)
				break
			}
		}
	}
}

// addKey files the device under a serial or an endpoint. Of one that names more
// than a device has, the latest count: it is known by none of them.
func (i *Inventory) addKey(e *entry, k key) {
	i.keys[k] = e
	e.keys = append(slices.Clip(e.keys), k)
	i.boundKeys(e)
	i.touch(e)
}

func (i *Inventory) dropKey(e *entry, k key) {
	delete(i.keys, k)
	e.keys = slices.DeleteFunc(slices.Clone(e.keys), func(have key) bool { return have == k })
	i.touch(e)
}

func (i *Inventory) boundKeys(e *entry) {
	for len(e.keys) > maxKeys {
		oldest := max(slices.IndexFunc(e.keys, func(k key) bool { return k.kind() == keyEndpoint }), 0)
		if i.keys[e.keys[oldest]] == e {
			delete(i.keys, e.keys[oldest])
		}
		e.keys = slices.Delete(slices.Clone(e.keys), oldest, oldest+1)
	}
}

func (i *Inventory) addHardware(e *entry, m hwaddr) {
	if e.addMAC(m) {
		i.macs[m] = e
		i.touch(e)
	}
}
