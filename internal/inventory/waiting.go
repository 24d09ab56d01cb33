package inventory

import (
	"maps"
	"net/netip"
	"slices"
	"unsafe"

	"camcensus/fingerprint"
)

// Bounds on the words that wait.
const (
	maxWaiting      = 4096    // all together
	maxWaitingAt    = 64      // from one address
	maxWaitingBytes = 4 << 20 // of memory
)

// waiting holds words that came without a MAC, from an address at which another
// may be by now, or that name another MAC than the one that was seen there: whose
// they are shows when the network next shows a MAC there. They are kept in memory
// only; who said them says them again.
type waiting struct {
	at    map[netip.Addr][]words
	total int
	bytes int
}

type words struct {
	Observation
	device string // the id of whose the address was before
}

// mustWait tells whether an observation without a MAC must wait: it says what
// the device that was at its address before this cycle did not, and the address
// may have changed hands since; or it names another MAC than that device has,
// which in an agent's first seconds may be anybody's. It returns that device. What
// is repeated in a later cycle, while no MAC was to be seen, waits no longer: such
// a network shows none.
func (i *Inventory) mustWait(o *Observation, ids *identities) *entry {
	if len(o.MAC) > 0 || len(o.Evidence) == 0 || o.Checked || o.Behind {
		return nil
	}
	e := i.macs[ids.mac]
	if ids.mac.zero() && i.byKey(ids, false) == nil {
		if n := slices.IndexFunc(i.at(o.IP), (*entry).burnedIn); n >= 0 {
			e = i.at(o.IP)[n]
		}
	}
	if e == nil || i.holdsKey(e, ids) {
		return nil
	}
	b := e.liveAt(o.IP)
	switch {
	case i.namesOther(ids):
		if b != nil && !i.news(e, b.no, o) {
			return nil
		}
	case b == nil || max(e.first, b.since) >= i.cycleStart.UnixNano() || !ids.any() && !i.news(e, b.no, o):
		return nil
	}
	for _, w := range i.waiting.at[o.IP] {
		if i.isOf(w, e.id) && w.Time.Before(i.cycleStart) && i.sameWords(w.Evidence, o.Evidence) {
			i.waiting.keep(o.IP, nil)
			return nil
		}
	}
	return e
}

// namesOther: a datagram names another MAC than the one that was seen at its
// address.
func (i *Inventory) namesOther(ids *identities) bool {
	e := i.macs[ids.mac]
	return e != nil && len(ids.payload) > 0 && !i.holdsKey(e, ids)
}

// news tells whether an observation says what a device's evidence at an address
// does not: another value of what rules look at, or words in a protocol that it
// did not speak before.
func (i *Inventory) news(e *entry, bind uint32, o *Observation) bool {
	if i.knowsAll(e, bind, o) {
		return false
	}
	c := i.coldOf(e)
	if c == nil {
		return true
	}
	for n := range o.Evidence {
		ev := i.bounded(o.Evidence[n], o.Time)
		spoken, other, same := false, false, false
		for m := range c.items {
			it := &c.items[m]
			if it.bind != bind || it.Source != ev.Source {
				continue
			}
			spoken = true
			if it.Field == ev.Field && !it.history {
				same, other = same || it.Value == ev.Value, true
			}
		}
		if !spoken || i.uses(&ev) && other && !same {
			return true
		}
	}
	return false
}

// knowsAll tells, without a look into the store, whether all of it was kept
// before, word for word; false may be wrong.
func (i *Inventory) knowsAll(e *entry, bind uint32, o *Observation) bool {
	for g, ev := range i.answers(o.Evidence) {
		m := i.markOf(g, ev, bind, o.Time)
		if !slices.ContainsFunc(e.marks, func(old mark) bool {
			return old.group == m.group && old.bind == m.bind && old.content == m.content
		}) {
			return false
		}
	}
	return true
}

func (i *Inventory) uses(ev *fingerprint.Evidence) bool {
	return i.opt.Uses == nil || i.opt.Uses(ev.Source, ev.Field)
}

// sameWords: in all that rules look at.
func (i *Inventory) sameWords(a, b []fingerprint.Evidence) bool {
	return slices.EqualFunc(a, b, func(x, y fingerprint.Evidence) bool {
		return x.Source == y.Source && x.Field == y.Field && (x.Value == y.Value || !i.uses(&x))
	})
}

// add keeps an observation; of too many the oldest of the address go.
func (w *waiting) add(o Observation, device string) {
	if w.at == nil {
		w.at = map[netip.Addr][]words{}
	}
	if w.total >= maxWaiting || w.bytes >= maxWaitingBytes {
		w.thin()
	}
	here := slices.DeleteFunc(slices.Clone(w.at[o.IP]), func(old words) bool { return o.Time.Sub(old.Time) > inheritAge })
	w.keep(o.IP, append(here[max(0, len(here)+1-maxWaitingAt):], words{o, device}))
}

// thin makes room in a flood: of each address the newer half stays, so that one
// that said little loses nothing to one that says much. Where that is not enough
// all go; who said it will say it again.
func (w *waiting) thin() {
	for ip, here := range w.at {
		w.keep(ip, slices.Clone(here[len(here)/2:]))
	}
	if w.total > maxWaiting*3/4 || w.bytes > maxWaitingBytes*3/4 {
		w.at, w.total, w.bytes = map[netip.Addr][]words{}, 0, 0
	}
}

// heard takes out what waited for a MAC to be shown at an address, and returns
// what is of the device that has it: what names the MAC, and what waited for that
// one. Of the latter, words that name another MAC wait on, until the device has
// answered from there while nobody else did.
func (i *Inventory) heard(o *Observation, mac hwaddr, device string) []Observation {
	var of []Observation
	later := slices.DeleteFunc(slices.Clone(i.waiting.at[o.IP]), func(one words) bool {
		if o.Time.Before(one.Time) {
			return false
		}
		payload, its := readIdentities(one.Evidence).payload, i.isOf(one, device)
		switch {
		case slices.Contains(payload, mac):
		case len(payload) > 0 && !(its && o.Checked):
			return o.Time.Sub(one.Time) > inheritAge
		case !its:
			return true
		}
		of = append(of, one.Observation)
		return true
	})
	i.waiting.keep(o.IP, later)
	return of
}

// isOf tells whether words wait for the device, by whatever id it had then.
func (i *Inventory) isOf(w words, device string) bool {
	e := i.find(w.device)
	return e != nil && e.id == device
}

// keep puts what still waits at an address in place of what waited there.
func (w *waiting) keep(ip netip.Addr, later []words) {
	w.total += len(later) - len(w.at[ip])
	w.bytes += size(later) - size(w.at[ip])
	if len(later) > 0 {
		w.at[ip] = later
	} else {
		delete(w.at, ip)
	}
}

// size is about how many bytes of memory the words take.
func size(list []words) int {
	n := 0
	for _, w := range list {
		n += int(unsafe.Sizeof(w)) + len(w.Record.Raw) + len(w.Record.Base64)
		for k := range w.Evidence {
			n += int(unsafe.Sizeof(w.Evidence[k])) + len(w.Evidence[k].Value)
		}
	}
	return n
}

// endWaiting takes in, for the devices that are new in this cycle, what named
// another MAC than was seen at its address: by now the other would have been seen.
func (i *Inventory) endWaiting() []Late {
	var late []Late
	for _, ip := range slices.SortedFunc(maps.Keys(i.waiting.at), netip.Addr.Compare) {
		holders := slices.DeleteFunc(slices.Clone(i.at(ip)), func(e *entry) bool { return e.liveAt(ip).mac.zero() })
		if len(holders) != 1 || holders[0].first < i.cycleStart.UnixNano() {
			continue
		}
		e := holders[0]
		var of []Observation
		i.waiting.keep(ip, slices.DeleteFunc(slices.Clone(i.waiting.at[ip]), func(one words) bool {
			if !i.isOf(one, e.id) {
				return false
			}
			of = append(of, one.Observation)
			return true
		}))
		for _, w := range of {
			late = append(late, Late{i.takeLate(w, e.liveAt(ip).mac).Device, w.Record})
		}
	}
	return late
}
