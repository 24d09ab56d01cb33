package inventory

import (
	"net/netip"
	"slices"
	"time"

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
	mac hwaddr // the one that was at the address before
}

// mustWait tells whether an observation, that has no MAC of its own but that
// which its address had before, must wait: it says something new of a device
// that was there before this cycle, and the address may have changed hands
// since. It returns the device. What is repeated word for word in a later cycle,
// while no MAC was to be seen, waits no longer: such a network shows none.
func (i *Inventory) mustWait(o *Observation, ids *identities) *entry {
	if len(o.MAC) > 0 || ids.mac.zero() || len(o.Evidence) == 0 || o.Behind {
		return nil
	}
	e := i.macs[ids.mac]
	if e == nil || e.first >= i.cycleStart.UnixNano() {
		return nil
	}
	b := e.liveAt(o.IP)
	if b == nil || b.since >= i.cycleStart.UnixNano() || !i.saysNews(e, b.no, o) {
		return nil
	}
	since := i.cycleStart.Add(-time.Nanosecond)
	for _, w := range i.waiting.at[o.IP] {
		if w.mac == ids.mac && w.Time.Before(since) && sameWords(w.Evidence, o.Evidence) {
			i.waiting.drop(o.IP)
			return nil
		}
	}
	return e
}

// saysNews tells whether an observation says anything of a device that its
// evidence does not say already.
func (i *Inventory) saysNews(e *entry, bind uint32, o *Observation) bool {
	c := i.coldOf(e)
	if c == nil {
		return true
	}
	for g, ev := range i.answers(o.Evidence) {
		for _, one := range ev {
			one = i.bounded(one, o.Time)
			if !slices.ContainsFunc(c.items, func(it item) bool {
				return it.bind == bind && it.group() == g && it.Field == one.Field && it.Value == one.Value && !it.history
			}) {
				return true
			}
		}
	}
	return false
}

func sameWords(a, b []fingerprint.Evidence) bool {
	return slices.EqualFunc(a, b, func(x, y fingerprint.Evidence) bool {
		return x.Source == y.Source && x.Port == y.Port && x.Path == y.Path && x.Field == y.Field && x.Value == y.Value
	})
}

// add keeps an observation; of too many the oldest of the address go, or it is
// not kept.
func (w *waiting) add(o Observation, mac hwaddr) {
	here := w.at[o.IP]
	here = slices.DeleteFunc(here, func(old words) bool {
		return o.Time.Sub(old.Time) > inheritAge || old.mac == mac && !old.Time.After(o.Time) && sameWords(old.Evidence, o.Evidence)
	})
	if len(here) >= maxWaitingAt {
		here = here[1:]
	}
	w.total -= len(w.at[o.IP]) - len(here)
	if w.at == nil || w.total >= maxWaiting {
		w.at, w.total = map[netip.Addr][]words{}, 0 // a flood; it is asked again in the next cycle
		here = nil
	}
	w.at[o.IP] = append(here, words{o, mac})
	w.total++
}

func (w *waiting) drop(ip netip.Addr) {
	w.total -= len(w.at[ip])
	delete(w.at, ip)
}

// heard takes out what waited for a MAC to be shown at an address, and returns
// what is of it: where another was there before, only what names this one.
func (w *waiting) heard(ip netip.Addr, mac hwaddr, at time.Time) []Observation {
	var of []Observation
	later := w.at[ip][:0]
	for _, one := range w.at[ip] {
		ids := readIdentities(one.Evidence)
		switch {
		case at.Before(one.Time):
			later = append(later, one)
		case one.mac == mac || slices.Contains(ids.payload, mac):
			of = append(of, one.Observation)
		}
	}
	w.total -= len(w.at[ip]) - len(later)
	if len(later) == 0 {
		delete(w.at, ip)
	} else {
		w.at[ip] = later
	}
	return of
}
