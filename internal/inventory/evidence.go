package inventory

import (
	"cmp"
	"errors"
	"hash/maphash"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"camcensus/fingerprint"
)

// Limits of what is kept of one device.
const (
	maxItems     = 64
	maxValue     = 1 << 10  // bytes of one value
	maxBody      = 16 << 10 // bytes of a body
	maxEvidence  = 64 << 10 // bytes of all values
	historyCount = 30 * day // how long an item that is no longer repeated counts
	refresh      = day      // how often an unchanged item's time is renewed
	maxWarm      = 512      // devices whose evidence stays decoded
)

// item is one kept piece of evidence.
type item struct {
	fingerprint.Evidence
	part    string // which of a source's several answers: an mDNS service, a USN
	bind    uint32 // the binding it belongs to
	history bool   // its source has since answered without it
	bearing bool   // a reason rests on it
}

// group tells the answer an item came in; the newest answer of a group counts.
type group struct {
	source string
	port   int
	path   string
	part   string
}

func (it *item) group() group { return group{it.Source, it.Port, it.Path, it.part} }

// mark remembers one group's last answer, so that an unchanged one costs
// neither a decoding nor a write.
type mark struct {
	group, content uint32
	bind           uint32
	seen           uint32 // Unix minutes
}

// partFields tell one answer of a source from another of its answers.
var partFields = map[string]string{"mdns": "service", "ssdp": "usn", "wsd": "action"}

// answers splits the evidence of an observation by group.
func (i *Inventory) answers(ev []fingerprint.Evidence) iter.Seq2[group, []fingerprint.Evidence] {
	part := ""
	for _, e := range ev {
		if f := partFields[e.Source]; f != "" && e.Field == f && part == "" {
			part = i.intern(clip(e.Value, 96))
		}
	}
	if len(ev) > 0 && alike(ev) {
		return func(yield func(group, []fingerprint.Evidence) bool) {
			yield(group{ev[0].Source, ev[0].Port, ev[0].Path, part}, ev)
		}
	}
	out := map[group][]fingerprint.Evidence{}
	for _, e := range ev {
		p := ""
		if partFields[e.Source] != "" {
			p = part
		}
		g := group{e.Source, e.Port, e.Path, p}
		out[g] = append(out[g], e)
	}
	return maps.All(out)
}

// alike: all of one answer, as nearly always.
func alike(ev []fingerprint.Evidence) bool {
	for n := range ev[1:] {
		if ev[n+1].Source != ev[0].Source || ev[n+1].Port != ev[0].Port || ev[n+1].Path != ev[0].Path {
			return false
		}
	}
	return true
}

// learn keeps what an observation says; it reports whether that is new.
func (i *Inventory) learn(e *entry, bind uint32, o *Observation) bool {
	changed := false
	for g, ev := range i.answers(o.Evidence) {
		if i.known(e, bind, g, ev, o.Time) {
			continue
		}
		c := i.coldOf(e)
		if c == nil {
			c = &cold{}
		}
		if c.merge(i, bind, g, ev, o.Time) {
			changed = true
		}
		i.keepCold(e, c)
	}
	if changed {
		i.changes++
	}
	return changed
}

// known tells whether this very answer was kept less than a day ago.
func (i *Inventory) known(e *entry, bind uint32, g group, ev []fingerprint.Evidence, t time.Time) bool {
	m := i.markOf(g, ev, bind, t)
	for n := range e.marks {
		old := &e.marks[n]
		if old.group != m.group || old.bind != bind {
			continue
		}
		if old.content == m.content && m.seen < old.seen+uint32(refresh/time.Minute) {
			return true
		}
		*old = m
		return false
	}
	if len(e.marks) >= maxItems {
		e.marks = e.marks[:0]
	}
	e.marks = append(e.marks, m)
	return false
}

func (i *Inventory) markOf(g group, ev []fingerprint.Evidence, bind uint32, t time.Time) mark {
	return mark{group: i.hashGroup(g), content: i.hashContent(ev), bind: bind, seen: uint32(t.Unix() / 60)}
}

func (i *Inventory) hashGroup(g group) uint32 {
	return uint32(maphash.Comparable(i.seed, g))
}

func (i *Inventory) hashContent(ev []fingerprint.Evidence) uint32 {
	var sum uint64
	for n := range ev {
		sum += maphash.String(i.seed, ev[n].Field)*31 ^ maphash.String(i.seed, ev[n].Value)
	}
	return uint32(sum ^ sum>>32)
}

// merge puts one answer in place of the group's last one.
func (c *cold) merge(i *Inventory, bind uint32, g group, ev []fingerprint.Evidence, t time.Time) bool {
	changed := false
	var few [8]item
	fresh := few[:0]
	for _, e := range ev {
		it := item{Evidence: i.bounded(e, t), part: g.part, bind: bind}
		if !slices.ContainsFunc(fresh, func(o item) bool { return o.Field == it.Field && o.Value == it.Value }) {
			fresh = append(fresh, it)
		}
	}
	kept := make([]item, 0, len(c.items)+len(fresh))
	for _, old := range c.items {
		if old.bind != bind || old.group() != g {
			kept = append(kept, old)
			continue
		}
		same := slices.IndexFunc(fresh, func(n item) bool { return n.Field == old.Field && n.Value == old.Value })
		switch {
		case same >= 0:
			fresh[same].Solicited = fresh[same].Solicited || old.Solicited
			fresh[same].bearing = old.bearing
			changed = changed || old.history || fresh[same].Solicited != old.Solicited
			fresh[same].part = old.part
		case slices.ContainsFunc(fresh, func(n item) bool { return n.Field == old.Field }):
			changed = true // superseded: the newest per source, port and field counts
		default:
			changed = changed || !old.history
			old.history = true
			kept = append(kept, old)
		}
	}
	for _, n := range fresh {
		if !slices.ContainsFunc(c.items, func(o item) bool {
			return o.bind == bind && o.group() == g && o.Field == n.Field && o.Value == n.Value
		}) {
			changed = true
		}
	}
	c.items = append(kept, fresh...)
	c.bound(i.opt.Uses)
	return changed
}

// bounded copies a piece of evidence within the limits of what is kept.
func (i *Inventory) bounded(e fingerprint.Evidence, t time.Time) fingerprint.Evidence {
	limit := maxValue
	if e.Field == "body" {
		limit = maxBody
	}
	e.Source, e.Field, e.Path = i.intern(e.Source), i.intern(clip(e.Field, 96)), i.intern(clip(e.Path, 256))
	e.Value = i.intern(clip(e.Value, limit))
	if e.Seen.IsZero() {
		e.Seen = t
	}
	e.Seen = e.Seen.UTC()
	return e
}

// clip shortens s to at most limit bytes, at the edge of a character.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xc0 == 0x80 {
		limit--
	}
	return strings.Clone(s[:limit])
}

// bound keeps the items that matter most when there are too many.
func (c *cold) bound(uses func(kind, field string) bool) {
	size := 0
	for n := range c.items {
		size += len(c.items[n].Value)
	}
	if len(c.items) <= maxItems && size <= maxEvidence {
		return
	}
	slices.SortStableFunc(c.items, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.rank(uses), b.rank(uses)), b.Seen.Compare(a.Seen),
			strings.Compare(a.Field, b.Field), strings.Compare(a.Value, b.Value))
	})
	keep := c.items[:0:0]
	for size = 0; len(c.items) > 0 && len(keep) < maxItems; c.items = c.items[1:] {
		if size += len(c.items[0].Value); size > maxEvidence {
			size -= len(c.items[0].Value)
			continue
		}
		keep = append(keep, c.items[0])
	}
	c.items = keep
}

// telling are fields that name the hardware or its maker, or where to ask on.
var telling = map[string]bool{
	"mac": true, "serial": true, "model": true, "manufacturer": true, "vendor": true, "server": true, "realm": true,
	"epr": true, "udn": true, "sha256": true, "subject": true, "issuer": true, "scope.hardware": true, "firmware": true,
	"types": true, "type": true, "class": true, "service": true, "title": true, "device_type": true, "root": true,
	"xaddr": true, "location": true,
}

// rank orders items by how little they matter.
func (it *item) rank(uses func(kind, field string) bool) int {
	switch {
	case it.bearing && !it.history:
		return 0
	case (telling[it.Field] || strings.HasPrefix(it.Field, "channels") || strings.HasPrefix(it.Field, "port.")) && !it.history:
		return 1
	case it.history:
		return 4
	case uses != nil && !uses(it.Source, it.Field), strings.HasPrefix(it.Field, "header."):
		return 3
	}
	return 2
}

// Evidence returns what counts now for a device: the evidence of its current
// binding, without what its source has not repeated for 30 days and without
// MACs that prove to be a gateway's.
func (i *Inventory) Evidence(id string) []fingerprint.Evidence {
	i.mu.Lock()
	defer i.mu.Unlock()
	e := i.find(id)
	if e == nil {
		return nil
	}
	return i.counting(e)
}

func (i *Inventory) counting(e *entry) []fingerprint.Evidence {
	c := i.coldOf(e)
	if c == nil {
		return nil
	}
	use := e.currentGroup(c)
	limit := i.now().Add(-historyCount)
	out := make([]fingerprint.Evidence, 0, len(c.items))
	for n := range c.items {
		it := &c.items[n]
		if !use[it.bind] || it.history && it.Seen.Before(limit) || it.Field == "mac" && i.shared[macName(it.Value)] {
			continue
		}
		out = append(out, it.Evidence)
	}
	return out
}

// currentGroup returns the bindings whose evidence adds up: those of one MAC
// (a DHCP move keeps it), or of one IP where no MAC is seen. Of several (a
// recorder with two interfaces) the one with most answers to us counts.
func (e *entry) currentGroup(c *cold) map[uint32]bool {
	answers := map[uint32]int{}
	for n := range c.items {
		if c.items[n].Solicited {
			answers[c.items[n].bind] += 64
		}
		answers[c.items[n].bind]++
	}
	type bond struct {
		mac hwaddr
		ip  netip.Addr
	}
	of := func(b binding) bond {
		if b.mac.zero() {
			return bond{ip: b.ip()}
		}
		return bond{mac: b.mac}
	}
	live, weight := map[bond]bool{}, map[bond]int{}
	for _, b := range e.bindings {
		live[of(b)] = live[of(b)] || b.live
		weight[of(b)] += answers[b.no]
	}
	var best bond
	chosen := false
	for _, b := range e.latest() {
		k := of(b)
		if !chosen || better(k.mac, best.mac, live[k], live[best], weight[k], weight[best]) {
			best, chosen = k, true
		}
	}
	use := map[uint32]bool{0: true}
	for _, b := range e.bindings {
		if of(b) == best {
			use[b.no] = true
		}
	}
	return use
}

// better: a live binding before a past one, one with a MAC before one without,
// then more answers, then the lower MAC.
func better(mac, than hwaddr, live, thanLive bool, weight, thanWeight int) bool {
	switch {
	case live != thanLive:
		return live
	case mac.zero() != than.zero():
		return !mac.zero()
	case weight != thanWeight:
		return weight > thanWeight
	}
	return compareMACs(mac, than) < 0
}

// macName is the name under which a shared MAC is remembered.
func macName(s string) string { return "mac " + strings.ToLower(strings.ReplaceAll(s, "-", ":")) }

// coldOf returns a device's evidence, decoded; nil when it has none. Where it
// cannot be read now, what it returns is not the device's yet.
func (i *Inventory) coldOf(e *entry) *cold {
	if e.cold != nil {
		return e.cold
	}
	c, err := i.unpack(e)
	if c == nil && err == nil && i.store != nil && e.judgedBySigns() {
		err = errMissing
	}
	if errors.Is(err, errUnread) {
		return &cold{lost: e.judgedBySigns()}
	}
	if err != nil {
		c = &cold{lost: e.judgedBySigns()}
		i.unreadable(e.id, err)
		if i.store != nil && !i.readOnly {
			if c.lost {
				i.store.lose(1)
			}
			i.keepCold(e, c)
			return c
		}
	}
	if c != nil {
		e.hold().cold = c
		i.warmed(e)
	}
	return c
}

var errMissing = errors.New("it is not in the store")

// judgedBySigns tells that there must have been evidence.
func (e *entry) judgedBySigns() bool {
	return *e.claims != *noClaims || e.suggestive() && (e.people == nil || e.people.determination == nil)
}

// isLost tells whether what a device was judged by was lost, and nothing since
// settled it.
func (i *Inventory) isLost(e *entry) bool {
	c := i.coldOf(e)
	return c != nil && c.lost
}

func (i *Inventory) unreadable(device string, err error) {
	i.log.Error("evidence unreadable: it will be gathered anew, until then the verdicts stand", zapDevice(device), zapErr(err))
}

// unpack decodes what is kept or stored of a device's evidence; nil where there
// is none.
func (i *Inventory) unpack(e *entry) (*cold, error) {
	switch {
	case e.packed != nil && i.store == nil:
		return decodeCold(i, e.packed)
	case e.packed != nil:
		return readCold(i, e.packed)
	case i.store == nil:
		return nil, nil
	}
	form, err := i.store.cold(e.no)
	if form == nil {
		return nil, err
	}
	return decodeCold(i, form)
}

// keepCold puts changed evidence in place.
func (i *Inventory) keepCold(e *entry, c *cold) {
	if e.cold != c {
		e.hold().cold = c
		i.warmed(e)
	}
	e.hold().packed = nil
	e.coldDirty = true
	i.enqueue(e)
}

// warmed bounds how many devices' evidence stays decoded.
func (i *Inventory) warmed(e *entry) {
	e.warm = true
	i.warm = append(i.warm, e)
	for len(i.warm) > maxWarm {
		old := i.warm[0]
		i.warm = i.warm[1:]
		i.cool(old)
	}
}

// cool lets go of decoded evidence; what the writer still needs is packed.
func (i *Inventory) cool(e *entry) {
	e.warm = false
	if e.cold == nil || e.gone {
		return
	}
	switch {
	case !e.coldDirty && e.packed == nil:
		e.dropCold()
		return
	case !e.coldDirty:
	case i.store == nil:
		e.packed = encodeCold(e.cold, nil)
		e.coldDirty = false
	default:
		e.packed = coldBytes(e.cold, nil)
	}
	e.cold = nil
}
