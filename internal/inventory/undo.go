package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// maxUndo is how many merges can be undone; the oldest is the first that no
// longer can.
const maxUndo = 4096

// merged is one merge that can be undone.
type merged struct {
	kept, gone string
	time       int64
	offset     uint32 // what was added to gone's binding numbers
	forms      *forms // nil: they lie in the store
}

// forms are both devices as they were, as encodeEntry and encodeCold write
// them; kept and keptSaid are nil in merges from before schema 2.
type forms struct{ gone, goneSaid, kept, keptSaid []byte }

func (i *Inventory) formsOf(kept, gone *entry) *forms {
	said := func(e *entry) []byte {
		if c := i.coldOf(e); c != nil {
			return encodeCold(c, i.unnamed(e))
		}
		return nil
	}
	return &forms{
		gone: encodeEntry(gone, i.storesNames(gone)), goneSaid: said(gone),
		kept: encodeEntry(kept, i.storesNames(kept)), keptSaid: said(kept),
	}
}

// readForms finds what undoes a merge, in memory or in the store.
func (i *Inventory) readForms(u *merged) (*forms, error) {
	if u.forms != nil {
		return u.forms, nil
	}
	if i.store == nil || i.store.read == nil {
		return nil, errors.New("what undoes it cannot be read")
	}
	f := &forms{}
	err := i.store.read.QueryRow("SELECT device, evidence, kept_device, kept_evidence FROM merges WHERE gone = ?", u.gone).
		Scan(&f.gone, &f.goneSaid, &f.kept, &f.keptSaid)
	return f, err
}

// boundUndo forgets how to undo the oldest merges, many at a time.
func (i *Inventory) boundUndo() {
	if len(i.undo) <= maxUndo {
		return
	}
	all := make([]*merged, 0, len(i.undo))
	for _, u := range i.undo {
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b *merged) int { return cmp.Or(cmp.Compare(a.time, b.time), strings.Compare(a.gone, b.gone)) })
	for _, u := range all[:len(all)-maxUndo+maxUndo/8] {
		delete(i.undo, u.gone)
		i.store.put("DELETE FROM merges WHERE gone = ?", u.gone)
	}
}

// before is how two devices were before they were merged. kept is nil where
// that is not known: of a merge from before schema 2, or where the one that
// lived on was merged into another since.
type before struct {
	gone, kept         *entry
	goneSaid, keptSaid *cold
}

func (i *Inventory) readBefore(u *merged, keep *entry) (*before, error) {
	f, err := i.readForms(u)
	if err != nil {
		return nil, err
	}
	was := &before{}
	if was.gone, was.goneSaid, err = i.decodeDevice(f.gone, f.goneSaid); err == nil && f.kept != nil && keep.id == u.kept {
		was.kept, was.keptSaid, err = i.decodeDevice(f.kept, f.keptSaid)
	}
	return was, err
}

func (i *Inventory) decodeDevice(form, said []byte) (*entry, *cold, error) {
	e, err := decodeEntry(i, form)
	c := &cold{}
	if err == nil && said != nil {
		c, err = decodeCold(i, said)
	}
	return e, c, err
}

// restore undoes a merge: gone lives again with what came from its hardware,
// and the other has again what it had and what it learned since.
func (i *Inventory) restore(u *merged, t time.Time, by, why string) error {
	keep := i.find(u.kept)
	if keep == nil {
		return fmt.Errorf("inventory: split %s from %s: the latter is no longer there", u.gone, u.kept)
	}
	was, err := i.readBefore(u, keep)
	if err != nil {
		return fmt.Errorf("inventory: split %s from %s: %w", u.gone, u.kept, err)
	}
	e := was.gone
	e.no = i.alias[u.gone].no
	delete(i.alias, u.gone)
	delete(i.undo, u.gone)
	i.apart[pair(keep.id, e.id)] = true
	i.store.dropMerge(u, keep.id)
	if e.state == Present {
		i.setState(e, keep.state)
		if keep.state == Removed && keep.people != nil {
			e.person().removal = keep.people.removal
		}
	}
	i.put(e)
	i.giveHardware(keep, was)
	i.giveEvidence(keep, was, i.giveBindings(keep, was))
	i.giveFacts(keep, was)
	givePeople(keep, was)
	i.keepCold(e, was.goneSaid)
	i.touch(e)
	i.touch(keep)
	i.tell(keep, Event{Time: t, Event: "split", From: keep.id, To: e.id, By: by, Evidence: why})
	return nil
}

// giveHardware gives gone its MACs and keys back, but for those that became a
// third device's since, or that too many devices show.
func (i *Inventory) giveHardware(keep *entry, was *before) {
	e := was.gone
	e.macs = slices.DeleteFunc(e.macs, func(m hwaddr) bool { return i.macs[m] != nil && i.macs[m] != keep })
	e.keys = slices.DeleteFunc(e.keys, func(k key) bool { return i.keys[k] != nil && i.keys[k] != keep || i.shared[keyName(k)] })
	keep.macs = slices.DeleteFunc(slices.Clone(keep.macs), func(m hwaddr) bool { return slices.Contains(e.macs, m) })
	keep.keys = slices.DeleteFunc(slices.Clone(keep.keys), func(k key) bool {
		return slices.Contains(e.keys, k) && (was.kept == nil || !slices.Contains(was.kept.keys, k))
	})
	for _, m := range e.macs {
		i.macs[m] = e
	}
	for _, k := range e.keys {
		if k.kind() != keyCert {
			i.keys[k] = e
		}
	}
}

func (e *entry) boundTo(ip netip.Addr, mac hwaddr) bool {
	return slices.ContainsFunc(e.bindings, func(b binding) bool { return b.ip() == ip && b.mac == mac })
}

// giveBindings gives gone its addresses back. It tells which binding numbers
// keep has lost by that, and (false) which both had.
func (i *Inventory) giveBindings(keep *entry, was *before) map[uint32]bool {
	e, lost := was.gone, map[uint32]bool{}
	var ended []netip.Addr
	keep.bindings = slices.DeleteFunc(slices.Clone(keep.bindings), func(b binding) bool {
		switch {
		case !e.boundTo(b.ip(), b.mac) && !slices.Contains(e.macs, b.mac):
			return false
		case was.kept != nil && was.kept.boundTo(b.ip(), b.mac):
			lost[b.no] = false
			return false
		case len(keep.bindings) == 1:
			return false
		}
		lost[b.no] = true
		ended = append(ended, b.ip())
		return true
	})
	if was.kept != nil {
		for _, b := range was.kept.bindings { // a merge keeps so many
			if !slices.ContainsFunc(keep.bindings, func(o binding) bool { return o.no == b.no }) {
				b.live = false
				keep.bindings = append(keep.bindings, b)
			}
		}
		i.trimBindings(keep)
	}
	for _, ip := range ended {
		if keep.liveAt(ip) == nil {
			i.dropAddress(ip, keep)
		}
	}
	for n := range e.bindings {
		b := &e.bindings[n]
		if b.live = b.live && keep.liveAt(b.ip()) == nil && (b.mac.zero() || i.macs[b.mac] == e); b.live {
			i.addAddress(b.ip(), e)
		}
	}
	return lost
}

// giveEvidence takes from keep what was said at the bindings it lost, and what
// only gone had said at those that both had; what there was no room for in the
// merged one comes back.
func (i *Inventory) giveEvidence(keep *entry, was *before, lost map[uint32]bool) {
	keep.marks, keep.hold().shown = nil, nil
	c := i.coldOf(keep)
	if c == nil {
		c = &cold{}
	}
	said := func(by *cold, it *item) bool {
		return slices.ContainsFunc(by.items, func(o item) bool { return o.group() == it.group() && o.Field == it.Field && o.Value == it.Value })
	}
	c.items = slices.DeleteFunc(slices.Clone(c.items), func(it item) bool {
		gone, known := lost[it.bind]
		return gone || known && said(was.goneSaid, &it) && !said(was.keptSaid, &it)
	})
	if was.kept != nil {
		for _, it := range was.keptSaid.items {
			if !slices.ContainsFunc(c.items, func(o item) bool { return o.bind == it.bind && o.group() == it.group() && o.Field == it.Field }) {
				c.items = append(c.items, it)
			}
		}
		c.bound(i.opt.Uses)
	}
	i.keepCold(keep, c)
}

// giveFacts takes from keep the facts that mergeFacts gave it.
func (i *Inventory) giveFacts(keep *entry, was *before) {
	e, kept := was.gone, was.kept
	if kept == nil {
		if keep.serial == e.serial {
			keep.serial = "" // judging anew finds it again where it is keep's own
		}
		return
	}
	if keep.serial == e.serial {
		keep.serial = kept.serial
	}
	foreign := func(have, had []string) func(string) bool {
		return func(s string) bool { return slices.Contains(have, s) && !slices.Contains(had, s) }
	}
	a := *keep.kin
	if *a.claims == *e.claims {
		a.claims, a.verdicts = kept.claims, kept.verdicts
	}
	part := &encoder{}
	part.strings(slices.DeleteFunc(slices.Clone(a.sources), foreign(e.sources, kept.sources)))
	a.sources = i.sharedSources(part.b)
	if w := *a.where; w.port == e.where.port {
		w.port = kept.where.port
		a.where = i.place(w)
	}
	i.liken(keep, a)
	if len(keep.hostnames) > 0 {
		keep.seldom().hostnames = slices.DeleteFunc(slices.Clone(keep.hostnames), foreign(e.hostnames, kept.hostnames))
	}
	keep.sibling = kept.sibling
	keep.tracked = kept.tracked || keep.suggestive()
	last := kept.last
	for _, b := range keep.bindings {
		last = max(last, b.last)
	}
	keep.last = min(keep.last, last)
}

// givePeople parts what persons said: what gone brought goes back with it, as
// far as nobody took it back since.
func givePeople(keep *entry, was *before) {
	if was.gone.people == nil || keep.people == nil {
		return
	}
	p, g, had := keep.people, was.gone.people, &people{}
	if was.kept != nil && was.kept.people != nil {
		had = was.kept.people
	}
	switch {
	case g.determination.same(p.determination):
		p.determination = had.determination
	case p.determination == nil && had.determination == nil:
		g.determination = nil // withdrawn since
	}
	granted := func(x Exception) func(Exception) bool { return func(o Exception) bool { return o.ID == x.ID } }
	g.exceptions = slices.DeleteFunc(g.exceptions, func(x Exception) bool { return !slices.ContainsFunc(p.exceptions, granted(x)) })
	p.exceptions = slices.DeleteFunc(slices.Clone(p.exceptions), func(x Exception) bool { return slices.ContainsFunc(g.exceptions, granted(x)) })
	if was.kept == nil {
		return
	}
	a, b, h := &p.annotations, &g.annotations, &had.annotations
	for _, f := range []struct{ now, gone, had *string }{
		{&a.Location, &b.Location, &h.Location}, {&a.Owner, &b.Owner, &h.Owner}, {&a.Acquired, &b.Acquired, &h.Acquired}, {&a.Note, &b.Note, &h.Note},
	} {
		if *f.now == *f.gone {
			*f.now = *f.had
		}
	}
}

// same tells whether two are one finding.
func (d *Determination) same(o *Determination) bool {
	return d != nil && o != nil && d.Manufacturer == o.Manufacturer && d.Basis == o.Basis && d.By == o.By && d.Note == o.Note && d.Date.Equal(o.Date)
}
