package inventory

import (
	"net/netip"
	"slices"

	"camcensus/fingerprint"
)

// Bounds on the words that wait.
const (
	maxWaiting   = 4096 // all together
	maxWaitingAt = 64   // from one address
)

// waiting holds words that came without a MAC, from an address at which another
// may be by now: whose they are shows when the network next shows a MAC there.
// They are kept in memory only; who said them says them again.
type waiting struct {
	at    map[netip.Addr][]words
	total int
}

type words struct {
	Observation
	device string // the id of whose the address was before
}

// mustWait tells whether an observation without a MAC must wait: it says what
// the device that was at its address before this cycle did not, and the address
// may have changed hands since. It returns that device. What is repeated in a
// later cycle, while no MAC was to be seen, waits no longer: such a network shows
// none.
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
	if e == nil || e.first >= i.cycleStart.UnixNano() || i.holdsKey(e, ids) {
		return nil
	}
	b := e.liveAt(o.IP)
	if b == nil || b.since >= i.cycleStart.UnixNano() || !i.foreign(e, b.no, o, ids) {
		return nil
	}
	for _, w := range i.waiting.at[o.IP] {
		if w.device == e.id && w.Time.Before(i.cycleStart) && i.sameWords(w.Evidence, o.Evidence) {
			i.waiting.drop(o.IP)
			return nil
		}
	}
	return e
}

// foreign tells whether an observation says what a device's evidence at an
// address does not: another identity, another value of what rules look at, or
// words in a protocol that it did not speak before.
func (i *Inventory) foreign(e *entry, bind uint32, o *Observation, ids *identities) bool {
	if ids.any() {
		return true // none of which is the device's
	}
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

// add keeps an observation; of too many the oldest of the address go, or all.
func (w *waiting) add(o Observation, device string) {
	here := slices.DeleteFunc(w.at[o.IP], func(old words) bool { return o.Time.Sub(old.Time) > inheritAge })
	if len(here) >= maxWaitingAt {
		here = slices.Delete(here, 0, 1)
	}
	w.total -= len(w.at[o.IP]) - len(here)
	if w.at == nil || w.total >= maxWaiting {
		w.at, w.total, here = map[netip.Addr][]words{}, 0, nil // a flood; all is asked for again in the next cycle
	}
	w.at[o.IP] = append(here, words{o, device})
	w.total++
}

func (w *waiting) drop(ip netip.Addr) {
	w.total -= len(w.at[ip])
	delete(w.at, ip)
}

// heard takes out what waited for a MAC to be shown at an address, and returns
// what is of the device that has it: what waited for that one, and what names
// the MAC.
func (w *waiting) heard(o *Observation, mac hwaddr, device string) []Observation {
	var of []Observation
	here := w.at[o.IP]
	later := slices.DeleteFunc(slices.Clone(here), func(one words) bool {
		if o.Time.Before(one.Time) {
			return false
		}
		ids := readIdentities(one.Evidence)
		if one.device == device || slices.Contains(ids.payload, mac) {
			of = append(of, one.Observation)
		}
		return true
	})
	w.total -= len(here) - len(later)
	if len(later) > 0 {
		w.at[o.IP] = later
	} else {
		delete(w.at, o.IP)
	}
	return of
}
