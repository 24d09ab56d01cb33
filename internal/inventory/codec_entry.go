package inventory

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// encodeEntry writes the small part of a device, hostnames where names holds.
func encodeEntry(e *entry, names bool) []byte {
	return (&encoder{b: encoded(func(w *encoder) { w.entry(e, names) })}).sealed()
}

func (w *encoder) entry(e *entry, names bool) {
	w.b = append(w.b, entryVersion)
	w.string(e.id)
	w.string(string(e.state))
	for _, t := range []int64{e.first, e.last, e.returned, e.confirmed} {
		w.int(t)
	}
	w.uint(uint64(e.bindSeq))
	w.uint(uint64(len(e.bindings)))
	for _, b := range e.bindings {
		ip, _ := b.ip().MarshalBinary()
		w.string(string(ip))
		w.fixed(b.mac[:])
		w.bool(b.live)
		w.uint(uint64(b.no))
		w.int(b.since)
		w.int(b.last)
	}
	w.uint(uint64(len(e.macs)))
	for _, m := range e.macs {
		w.fixed(m[:])
	}
	w.uint(uint64(len(e.keys)))
	for _, k := range e.keys {
		w.fixed(binary.BigEndian.AppendUint64(nil, uint64(k)))
	}
	if names {
		w.strings(e.hostnames)
	} else {
		w.uint(0)
	}
	w.section(func(w *encoder) { w.strings(e.sources) })
	for _, s := range []string{e.where.iface, e.where.reach, e.where.port, e.serial} {
		w.string(s)
	}
	w.section(func(w *encoder) { w.claims(e.claims) })
	w.section(func(w *encoder) { w.verdicts(e.verdicts) })
	w.people(e.people)
	w.uint(uint64(e.missed))
	w.bool(e.tracked)
	w.bool(e.sibling)
}

func (w *encoder) claims(c *claims) {
	for _, s := range []string{c.manufacturer, c.brand, c.model, c.firmware, string(c.class)} {
		w.string(s)
	}
	w.uint(math.Float64bits(c.certainty))
	w.int(int64(c.channels))
	w.bool(c.maybe)
}

func (w *encoder) verdicts(v []policy.Verdict) {
	w.uint(uint64(len(v)))
	for _, one := range v {
		w.strings([]string{one.Policy, one.Verdict, one.Basis, one.Verb, one.Measure, one.Text})
	}
}

// storedPeople is the JSON form of people: rare, and read by auditors.
type storedPeople struct {
	Determination *Determination `json:"determination,omitempty"`
	Annotations   Annotations    `json:"annotations"`
	Exceptions    []Exception    `json:"exceptions,omitempty"`
	Removal       *Removal       `json:"removal,omitempty"`
}

func (w *encoder) people(p *people) {
	if p == nil {
		w.string("")
		return
	}
	text, _ := json.Marshal(storedPeople{p.determination, p.annotations, p.exceptions, p.removal})
	w.string(string(text))
}

// decodeEntry reads the small part of a device.
func decodeEntry(i *Inventory, b []byte) (*entry, error) {
	r, _, err := unseal(b, entryVersion)
	if err != nil {
		return nil, err
	}
	e := &entry{id: r.string(), rare: nothingRare, held: nothingHeld}
	a := kin{state: State(r.word(i))}
	var returned int64
	for _, t := range []*int64{&e.first, &e.last, &returned, &e.confirmed} {
		*t = r.int()
	}
	e.stored = e.last
	e.bindSeq = uint32(r.uint())
	e.bindings = make([]binding, r.count())
	for n := range e.bindings {
		r.binding(&e.bindings[n])
	}
	e.macs = make([]hwaddr, r.count())
	for n := range e.macs {
		copy(e.macs[n][:], r.fixed(6))
	}
	e.keys = make([]key, r.count())
	for n := range e.keys {
		e.keys[n] = key(binary.BigEndian.Uint64(r.fixed(8)))
	}
	hostnames := r.strings()
	a.sources = i.sharedSources(r.section())
	a.where = i.place(where{r.word(i), r.word(i), r.word(i)})
	e.serial = r.string()
	a.claims = i.sharedClaims(r.section())
	a.verdicts = i.sharedVerdicts(r.section())
	people, err := r.people()
	if returned != 0 || hostnames != nil || people != nil {
		e.rare = &rare{hostnames, returned, people}
	}
	i.liken(e, a)
	e.missed = uint8(r.uint())
	e.tracked, e.sibling = r.bool(), r.bool()
	if r.err != nil {
		return nil, r.err
	}
	return e, err
}

func (r *decoder) binding(b *binding) {
	if ip, ok := netip.AddrFromSlice(r.section()); ok {
		b.at = addressOf(ip)
	} else {
		r.err = errDamaged
	}
	copy(b.mac[:], r.fixed(6))
	b.live = r.bool()
	b.no = uint32(r.uint())
	b.since, b.last = r.int(), r.int()
}

// known returns the value that a section stands for; equal sections give one
// shared value.
func known[T any](cache *map[string]T, part []byte, read func(*decoder) T) T {
	if v, ok := (*cache)[string(part)]; ok {
		return v
	}
	if *cache == nil || len(*cache) > 8192 {
		*cache = map[string]T{}
	}
	v := read(&decoder{b: part})
	(*cache)[string(part)] = v
	return v
}

func (i *Inventory) sharedSources(part []byte) []string {
	return known(&i.sourceForms, part, func(r *decoder) []string {
		out := r.strings()
		for n := range out {
			out[n] = i.intern(out[n])
		}
		return out
	})
}

func (i *Inventory) sharedClaims(part []byte) *claims {
	return known(&i.claimForms, part, func(r *decoder) *claims { return r.claims(i) })
}

func (i *Inventory) sharedVerdicts(part []byte) []policy.Verdict {
	return known(&i.verdictForms, part, func(r *decoder) []policy.Verdict { return r.verdicts(i) })
}

func (r *decoder) claims(i *Inventory) *claims {
	c := claims{manufacturer: r.word(i), brand: r.word(i), model: r.word(i), firmware: r.word(i)}
	c.class = fingerprint.Class(r.word(i))
	c.certainty = math.Float64frombits(r.uint())
	c.channels = int(r.int())
	c.maybe = r.bool()
	if c == *noClaims {
		return noClaims
	}
	return &c
}

func (r *decoder) verdicts(i *Inventory) []policy.Verdict {
	n := r.count()
	if n == 0 {
		return nil
	}
	out := make([]policy.Verdict, n)
	for k := range out {
		if s := r.strings(); len(s) == 6 {
			out[k] = policy.Verdict{Policy: i.intern(s[0]), Verdict: i.intern(s[1]), Basis: i.intern(s[2]), Verb: i.intern(s[3]), Measure: i.intern(s[4]), Text: s[5]}
		}
	}
	return out
}

func (r *decoder) people() (*people, error) {
	text := r.string()
	if text == "" {
		return nil, nil
	}
	var p storedPeople
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, fmt.Errorf("stored annotations: %w", err)
	}
	return &people{determination: p.Determination, annotations: p.Annotations, exceptions: p.Exceptions, removal: p.Removal}, nil
}
