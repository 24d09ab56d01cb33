package inventory

import (
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"

	"camcensus/fingerprint"
)

// Limits of what an identity may span before it is taken for one that many
// devices show.
const (
	maxAddressesPerMAC = 4  // IPv4, at the same time: more is a gateway or proxy ARP
	maxMACsPerSerial   = 4  // interfaces of one recorder
	maxKeys            = 32 // serials, endpoints and certificates of one device
	inheritAge         = time.Hour
	maxDevices         = 1 << 17 // a flood of made-up hosts ends here
)

// resolve finds the device an observation belongs to, or makes one.
func (i *Inventory) resolve(o *Observation, ids *identities) (*entry, bool) {
	if ids.mac.zero() && !o.IP.IsValid() && !ids.any() {
		return nil, false
	}
	var e *entry
	isNew := false
	if !ids.mac.zero() {
		e, isNew = i.resolveMAC(o, ids)
	} else {
		e, isNew = i.resolveAddress(o, ids)
	}
	i.remember(e, o, ids)
	return e, isNew
}

// inheritMAC: what comes from an address that a MAC was seen at just now is
// of that MAC.
func (i *Inventory) inheritMAC(o *Observation, ids *identities) {
	if len(o.MAC) > 0 {
		return // the network shows a MAC, but one that names no device
	}
	for _, e := range i.at(o.IP) {
		b := e.liveAt(o.IP)
		if b == nil || b.mac.zero() || e.state != Present || o.Time.UnixNano()-b.last >= int64(inheritAge) {
			continue
		}
		if known := i.byKey(ids, true); known != nil && known != e && known.burnedIn() && !slices.Contains(ids.payload, b.mac) {
			return // its serial says who speaks; whose the address is may be quarrelled over
		}
		ids.mac = b.mac
		return
	}
}

// resolveMAC: the network shows a MAC of its own for the host.
func (i *Inventory) resolveMAC(o *Observation, ids *identities) (*entry, bool) {
	e := i.macs[ids.mac]
	if e != nil && e.first >= i.cycleStart.UnixNano() && e.byWord(ids.mac) && !i.holdsKey(e, &identities{keys: ids.keys}) {
		i.dropMAC(e, ids.mac) // another host named it: here is whose it is
		e = nil
	}
	known := i.byKey(ids, true)
	if e == nil {
		switch {
		case known != nil && i.mayJoinMAC(known, ids, o.Solicited):
			i.addHardware(known, ids.mac)
			e = known
		default:
			i.crowd(known, nil, ids, o.Solicited)
			e = i.adopt(o, ids)
		}
	}
	if e == nil && i.full(o) {
		return nil, false
	}
	if e == nil {
		return i.create(o, ids, ids.mac.burnedIn()), true
	}
	if other := i.behind(e, o, ids); other != nil {
		return other, other.first == o.Time.UnixNano() && other.last == 0
	}
	switch {
	case known == nil || known == e:
	case i.mayMerge(e, known, ids, o.Solicited):
		e = i.merge(e, known, o.Time, "", "same serial or endpoint")
	default:
		i.crowd(known, e, ids, o.Solicited)
	}
	if x := i.provisional(o, e); x != nil {
		e = i.merge(e, x, o.Time, "", "address "+o.IP.String()+" is at "+ids.mac.String())
	}
	return e, false
}

// resolveAddress: no MAC is to be seen (a routed network, a gateway's MAC).
func (i *Inventory) resolveAddress(o *Observation, ids *identities) (*entry, bool) {
	here := i.candidate(o, ids)
	known := i.byKey(ids, false)
	if known != nil && !o.Solicited && known.shownElsewhere(o.IP) && !slices.ContainsFunc(ids.keys, func(k key) bool { return slices.Contains(known.keys, k) }) {
		known = nil // it names a MAC that the network shows at another address: a forger can
	}
	switch {
	case known != nil && here != nil && known != here.entry:
		if here.conflict == noConflict && !here.entry.burnedIn() && i.mayMerge(known, here.entry, ids, o.Solicited) {
			return i.merge(known, here.entry, o.Time, "", "same serial, endpoint or MAC"), false
		}
		known.sibling = known.sibling || here.conflict == otherPort
		return known, false
	case known != nil:
		return known, false
	case here == nil && i.full(o):
		return nil, false
	case here == nil:
		return i.create(o, ids, false), true
	case here.conflict == samePort && i.unsteady(here.entry, o.IP, o.Time.UnixNano()):
		ids.keys, ids.payload, ids.cert = nil, nil, 0 // it is known by none of them
		return here.entry, false
	case here.conflict == samePort:
		fresh := i.create(o, ids, false)
		i.handOver(here.entry, fresh, o)
		i.follow(here.entry, fresh, o.IP, o.Time.UnixNano())
		return fresh, true
	case here.conflict == otherPort, o.Behind && !i.speaksOn(here.entry, here.entry.liveAt(o.IP), o):
		fresh := i.create(o, ids, false)
		fresh.sibling = true
		return fresh, true
	case here.entry.state != Present && here.entry.hardware() && !ids.any():
		// It was away and does not say who it is: perhaps another has the
		// address now. Its serial will tell, and merge them.
		return i.create(o, ids, false), true
	}
	return here.entry, false
}

// shownElsewhere: the network shows the device's MAC, and not at the address.
func (e *entry) shownElsewhere(ip netip.Addr) bool {
	shown := false
	for _, b := range e.bindings {
		if b.live && b.ip() == ip {
			return false
		}
		shown = shown || b.live && !b.mac.zero() && b.ip().Is4() == ip.Is4()
	}
	return shown
}

// byWord: the device named the MAC, while the network showed another of it.
func (e *entry) byWord(m hwaddr) bool {
	other := false
	for _, b := range e.bindings {
		if b.mac == m {
			return false
		}
		other = other || !b.mac.zero()
	}
	return other
}

func (i *Inventory) dropMAC(e *entry, m hwaddr) {
	e.macs = slices.DeleteFunc(slices.Clone(e.macs), func(have hwaddr) bool { return have == m })
	delete(i.macs, m)
	i.touch(e)
}

// full: there are as many devices as can be kept, and this one has not even
// answered. The log says so once in an hour.
func (i *Inventory) full(o *Observation) bool {
	if len(i.devices) < i.most || o.Solicited {
		return false
	}
	if now := i.now(); now.Sub(i.toldFull) > time.Hour {
		i.toldFull = now
		i.log.Warn("the inventory is full: hosts that were merely heard are no longer taken in", zap.Int("devices", len(i.devices)))
	}
	return true
}

// conflict is how an observation contradicts a device at its address.
type conflict int

const (
	noConflict conflict = iota
	samePort            // another device took the address
	otherPort           // another device shares the address
)

// place is a device at the address of an observation.
type place struct {
	entry    *entry
	conflict conflict
}

// candidate picks, of the devices at the address, the one that the
// observation fits best.
func (i *Inventory) candidate(o *Observation, ids *identities) *place {
	var best *place
	for _, e := range i.at(o.IP) {
		b := e.liveAt(o.IP)
		if b == nil {
			continue
		}
		p := &place{entry: e, conflict: i.contradiction(e, b, o, ids)}
		if best == nil || p.conflict < best.conflict ||
			p.conflict == best.conflict && i.speaksOn(e, b, o) && !i.speaksOn(best.entry, best.entry.liveAt(o.IP), o) {
			best = p
		}
	}
	return best
}

// contradiction compares serials and endpoints that one source tells.
func (i *Inventory) contradiction(e *entry, b *binding, o *Observation, ids *identities) conflict {
	if !ids.any() && ids.cert == 0 || i.holdsKey(e, ids) {
		return noConflict
	}
	c := i.coldOf(e)
	if c == nil {
		return noConflict
	}
	worst := noConflict
	for n := range c.items {
		it := &c.items[n]
		if it.bind != b.no || !identityField(&it.Evidence) {
			continue
		}
		for m := range o.Evidence {
			ev := &o.Evidence[m]
			if ev.Source != it.Source || ev.Field != it.Field || ev.Value == it.Value || !identityField(ev) {
				continue
			}
			if ev.Field == "sha256" && !ids.mac.zero() {
				continue // one host may well have two certificates
			}
			if ev.Field == "mac" && (i.shared[macName(ev.Value)] || i.shared[macName(it.Value)]) {
				continue // a gateway's, of whose frames no host's identity is read
			}
			if ev.Port != it.Port || o.Part > 0 {
				worst = max(worst, otherPort) // a recorder's cameras share its port too
			} else if ev.Field != "sha256" && !it.history {
				return samePort
			}
		}
	}
	return worst
}

// identityField: two devices differ in it, one device does not change it.
func identityField(e *fingerprint.Evidence) bool {
	switch e.Field {
	case "serial":
		return e.Source != "tls" && normalSerial(e.Value) != ""
	case "epr", "udn":
		return normalUUID(e.Value) != ""
	case "sha256":
		return e.Source == "tls"
	case "mac":
		return e.Source != "arp" && e.Source != "ndp" && e.Source != "neighbor" && e.Source != "snmp"
	}
	return false
}

func (i *Inventory) holdsKey(e *entry, ids *identities) bool {
	for _, k := range ids.keys {
		if slices.Contains(e.keys, k) {
			return true
		}
	}
	return slices.ContainsFunc(ids.payload, func(m hwaddr) bool { return slices.Contains(e.macs, m) })
}

// speaksOn tells whether the device answered before on the port.
func (i *Inventory) speaksOn(e *entry, b *binding, o *Observation) bool {
	if b == nil || len(o.Evidence) == 0 || o.Evidence[0].Port == 0 {
		return false
	}
	c := i.coldOf(e)
	return c != nil && slices.ContainsFunc(c.items, func(it item) bool {
		return it.bind == b.no && it.Port == o.Evidence[0].Port
	})
}

// behind finds or makes the device that shares e's address and MAC but says
// on another port that it is not e: a port forwarded to a camera.
func (i *Inventory) behind(e *entry, o *Observation, ids *identities) *entry {
	if !o.IP.IsValid() || len(o.Evidence) == 0 || o.Evidence[0].Port == 0 {
		return nil
	}
	b := e.liveAt(o.IP)
	if b == nil {
		return nil
	}
	for _, other := range i.at(o.IP) {
		if ob := other.liveAt(o.IP); other != e && ob != nil && (ob.mac == ids.mac || ob.mac.zero()) && other.sibling &&
			(i.holdsKey(other, ids) || i.speaksOn(other, ob, o) && (!ids.any() || !i.speaksOn(e, b, o) && i.contradiction(other, ob, o, ids) == noConflict)) {
			return other
		}
	}
	if (!o.Behind || i.speaksOn(e, b, o)) && i.contradiction(e, b, o, ids) != otherPort {
		return nil
	}
	fresh := i.create(o, ids, false)
	fresh.sibling = true
	return fresh
}

// byKey finds a device by payload MAC (where the network shows none), serial
// or endpoint.
func (i *Inventory) byKey(ids *identities, macSeen bool) *entry {
	for _, k := range ids.keys {
		if e := i.keys[k]; e != nil && k.kind() != keyEndpoint {
			return e
		}
	}
	if !macSeen {
		for _, m := range ids.payload {
			if e := i.macs[m]; e != nil && !i.shared[macName(m.String())] {
				return e
			}
		}
	}
	for _, k := range ids.keys {
		if e := i.keys[k]; e != nil && (!macSeen || !e.burnedIn()) {
			return e
		}
	}
	return nil
}

// mayJoinMAC: a new MAC may be another interface of a known device, or the
// MAC of one that was known without.
func (i *Inventory) mayJoinMAC(e *entry, ids *identities, solicited bool) bool {
	if !e.burnedIn() {
		return true
	}
	return i.believes(e, nil, ids, solicited) && i.serialAgrees(e, ids) && len(e.macs) < maxMACsPerSerial
}

// mayMerge: the identities of both agree firmly enough, and nobody split them.
func (i *Inventory) mayMerge(a, b *entry, ids *identities, solicited bool) bool {
	if i.apart[pair(a.id, b.id)] {
		return false
	}
	if a.burnedIn() && b.burnedIn() {
		return i.believes(b, a, ids, solicited) && (i.serialAgrees(a, ids) || i.serialAgrees(b, ids)) && len(a.macs)+len(b.macs) <= maxMACsPerSerial
	}
	return true
}

// believes: a serial that was merely announced can be another's, said in the
// name of an innocent to have it taken for a camera. It joins two hosts once both
// have the same maker by answers of their own, else where both answered with it.
// Of other, which answers now, nothing may be known yet: it is nil then.
func (i *Inventory) believes(known, other *entry, ids *identities, solicited bool) bool {
	if solicited && i.answeredWith(known, ids) {
		return true
	}
	return other != nil && known.claims.manufacturer == other.claims.manufacturer && i.answered(known) && i.answered(other)
}

// answeredWith: the device named one of the serials when it was asked.
func (i *Inventory) answeredWith(e *entry, ids *identities) bool {
	c := i.coldOf(e)
	return c != nil && slices.ContainsFunc(c.items, func(it item) bool {
		return it.Solicited && it.Field == "serial" && slices.Contains(ids.keys, makeKey(keySerial, it.Source, normalSerial(it.Value)))
	})
}

// answered: an answer to a question of ours bears out who made the device. What
// was merely announced can be another's words.
func (i *Inventory) answered(e *entry) bool {
	c := i.coldOf(e)
	return c != nil && e.claims.manufacturer != "" && slices.ContainsFunc(c.reasons, func(r fingerprint.Reason) bool {
		return r.Supports == e.claims.manufacturer && slices.ContainsFunc(c.items, func(it item) bool {
			return it.Solicited && it.Source == r.Source && it.Port == r.Port && it.Field == r.Field
		})
	})
}

func (i *Inventory) serialAgrees(e *entry, ids *identities) bool {
	return slices.ContainsFunc(ids.keys, func(k key) bool {
		return k.kind() == keySerial && slices.Contains(e.keys, k)
	})
}

// adopt: a device known at this address without a MAC learns its MAC.
func (i *Inventory) adopt(o *Observation, ids *identities) *entry {
	if len(o.MAC) == 0 {
		return nil
	}
	x := i.macless(o.IP)
	if x == nil || len(x.macs) > 0 || x.state != Present || i.contradiction(x, x.liveAt(o.IP), o, ids) != noConflict {
		return nil
	}
	if x.named() && ids.beyond() && !i.holdsKey(x, ids) {
		return nil
	}
	i.addHardware(x, ids.mac)
	return x
}

// provisional is a device that this cycle made of the address alone, before
// its MAC was seen.
func (i *Inventory) provisional(o *Observation, e *entry) *entry {
	x := i.macless(o.IP)
	if x == nil || x == e || len(x.macs) > 0 || x.first < i.cycleStart.UnixNano() || i.apart[pair(e.id, x.id)] {
		return nil
	}
	if x.named() && len(o.MAC) == 0 {
		return nil
	}
	return x
}

func (i *Inventory) macless(ip netip.Addr) *entry {
	for _, x := range i.at(ip) {
		if b := x.liveAt(ip); b != nil && b.mac.zero() && !x.sibling {
			return x
		}
	}
	return nil
}
