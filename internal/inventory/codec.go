package inventory

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"net/netip"
	"sync"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// The form of a stored device: a version byte, the fields in order, CRC-32.
// Integers are varints, texts have their length before them. A later version
// appends fields; the reader of an older one sees zero values.
const (
	entryVersion = 1
	coldVersion  = 1
	coldPacked   = 0x80 // flag beside coldVersion: the rest is deflated
	packAbove    = 2 << 10
	maxUnpacked  = 1 << 20
)

var errDamaged = errors.New("stored device damaged (checksum differs)")

type encoder struct{ b []byte }

func (w *encoder) uint(v uint64)   { w.b = binary.AppendUvarint(w.b, v) }
func (w *encoder) int(v int64)     { w.b = binary.AppendVarint(w.b, v) }
func (w *encoder) fixed(p []byte)  { w.b = append(w.b, p...) }
func (w *encoder) string(s string) { w.uint(uint64(len(s))); w.b = append(w.b, s...) }
func (w *encoder) bool(v bool)     { w.b = append(w.b, map[bool]byte{true: 1}[v]) }

func (w *encoder) strings(s []string) {
	w.uint(uint64(len(s)))
	for _, one := range s {
		w.string(one)
	}
}

func (w *encoder) sealed() []byte {
	return binary.BigEndian.AppendUint32(w.b, crc32.ChecksumIEEE(w.b))
}

type decoder struct {
	b   []byte
	err error
}

func (r *decoder) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	return v * uint64(r.skip(n))
}

func (r *decoder) int() int64 {
	v, n := binary.Varint(r.b)
	return v * int64(r.skip(n))
}

// skip moves on by n bytes; it returns 1 when that was possible, else 0.
func (r *decoder) skip(n int) int {
	if n <= 0 || n > len(r.b) {
		r.err, r.b = errDamaged, nil
		return 0
	}
	r.b = r.b[n:]
	return 1
}

func (r *decoder) fixed(n int) []byte {
	if n > len(r.b) {
		r.err, r.b = errDamaged, nil
		return make([]byte, n)
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *decoder) string() string {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.err, r.b = errDamaged, nil
		return ""
	}
	return string(r.fixed(int(n)))
}

func (r *decoder) bool() bool { return r.fixed(1)[0] == 1 }

// count reads a length that cannot exceed what is left.
func (r *decoder) count() int {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.err, r.b = errDamaged, nil
		return 0
	}
	return int(n)
}

func (r *decoder) strings() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	out := make([]string, n)
	for k := range out {
		out[k] = r.string()
	}
	return out
}

// unseal checks the checksum and the version.
func unseal(b []byte, version byte) (*decoder, byte, error) {
	if len(b) < 5 {
		return nil, 0, errDamaged
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return nil, 0, errDamaged
	}
	if v := body[0] &^ coldPacked; v == 0 || v > version {
		return nil, 0, fmt.Errorf("stored device has version %d: needs a newer camcensus", v)
	}
	return &decoder{b: body[1:]}, body[0], nil
}

// section writes what fill writes, with its length before it.
func (w *encoder) section(fill func(*encoder)) {
	part := &encoder{}
	fill(part)
	w.string(string(part.b))
}

// section reads a part written by the encoder's section.
func (r *decoder) section() []byte {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.err, r.b = errDamaged, nil
		return nil
	}
	return r.fixed(int(n))
}

// encodeEntry writes the small part of a device, hostnames where names holds.
func encodeEntry(e *entry, names bool) []byte {
	w := &encoder{b: append(make([]byte, 0, 320), entryVersion)}
	w.string(e.id)
	w.string(string(e.state))
	for _, t := range []int64{e.first, e.last, e.returned, e.confirmed} {
		w.int(t)
	}
	w.uint(uint64(e.bindSeq))
	w.uint(uint64(len(e.bindings)))
	for _, b := range e.bindings {
		ip, _ := b.ip.MarshalBinary()
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
	return w.sealed()
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
	a := kin{state: State(i.intern(r.string()))}
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
	a.where = i.place(where{i.intern(r.string()), i.intern(r.string()), i.intern(r.string())})
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
	ip, ok := netip.AddrFromSlice([]byte(r.string()))
	if !ok {
		r.err = errDamaged
	}
	b.ip = ip
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
	c := claims{manufacturer: i.intern(r.string()), brand: i.intern(r.string()), model: i.intern(r.string()), firmware: i.intern(r.string())}
	c.class = fingerprint.Class(i.intern(r.string()))
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
	return &people{p.Determination, p.Annotations, p.Exceptions, p.Removal}, nil
}

// nameFields may hold what a person called a device; they are not stored for
// what is no camera.
var nameFields = map[string]bool{
	"hostname": true, "instance": true, "host": true, "friendly_name": true, "name": true, "scope.name": true,
	"device_name": true, "title": true, "subject": true, "subject.cn": true, "san": true, "txt": true, "txt.fn": true, "txt.n": true,
	"usn": true, "presentation_url": true, "location": true, "body": true,
}

// encodeCold writes the evidence and the reasons of a device; items for which
// skip holds are left out.
func encodeCold(c *cold, skip func(*item) bool) []byte { return sealCold(coldBytes(c, skip)) }

// sealCold packs large evidence and adds the checksum.
func sealCold(b []byte) []byte {
	if len(b) > packAbove {
		b = deflate(b)
	}
	return (&encoder{b: b}).sealed()
}

func coldBytes(c *cold, skip func(*item) bool) []byte {
	w := &encoder{b: make([]byte, 0, 512)}
	w.b = append(w.b, coldVersion)
	kept := 0
	for n := range c.items {
		if skip == nil || !skip(&c.items[n]) {
			kept++
		}
	}
	w.uint(uint64(kept))
	for n := range c.items {
		if it := &c.items[n]; skip == nil || !skip(it) {
			w.item(it)
		}
	}
	w.uint(uint64(len(c.reasons)))
	for n := range c.reasons {
		o := &c.reasons[n]
		w.strings([]string{o.Source, o.Field, o.Value, o.Rule, o.Supports, string(o.Group), string(o.Grade), o.Text})
		w.int(int64(o.Port))
		w.int(stamp(o.Seen))
	}
	w.strings(c.contradictions)
	w.strings(c.wordsWithout(skip))
	return w.b
}

func (w *encoder) item(it *item) {
	w.strings([]string{it.Source, it.Path, it.Field, it.Value, it.part})
	w.int(int64(it.Port))
	w.int(stamp(it.Seen))
	w.uint(uint64(it.bind))
	flags := uint64(0)
	for bit, v := range []bool{it.Solicited, it.history, it.bearing} {
		if v {
			flags |= 1 << bit
		}
	}
	w.uint(flags)
}

// decodeCold reads what encodeCold wrote.
func decodeCold(i *Inventory, b []byte) (*cold, error) {
	r, version, err := unseal(b, coldVersion)
	if err != nil {
		return nil, err
	}
	if version&coldPacked != 0 {
		if r.b, err = inflate(r.b); err != nil {
			return nil, fmt.Errorf("stored evidence: %w", err)
		}
	}
	return r.cold(i)
}

// readCold reads what coldBytes wrote.
func readCold(i *Inventory, b []byte) (*cold, error) { return (&decoder{b: b[1:]}).cold(i) }

func (r *decoder) cold(i *Inventory) (*cold, error) {
	c := &cold{items: make([]item, min(r.count(), 1024))}
	for n := range c.items {
		r.item(i, &c.items[n])
	}
	c.reasons = make([]fingerprint.Reason, min(r.count(), 1024))
	for n := range c.reasons {
		s := r.strings()
		if len(s) != 8 {
			return nil, errDamaged
		}
		c.reasons[n] = fingerprint.Reason{
			Source: i.intern(s[0]), Field: i.intern(s[1]), Value: i.intern(s[2]), Rule: i.intern(s[3]), Supports: i.intern(s[4]),
			Group: fingerprint.Group(i.intern(s[5])), Grade: fingerprint.Grade(i.intern(s[6])), Text: i.intern(s[7]),
			Port: int(r.int()), Seen: at(r.int()),
		}
	}
	c.contradictions = r.strings()
	if len(r.b) > 0 { // not in stores from before there were texts
		c.texts = r.strings()
	}
	if r.err != nil {
		return nil, r.err
	}
	return c, nil
}

func (r *decoder) item(i *Inventory, it *item) {
	s := r.strings()
	if len(s) != 5 {
		r.err = errDamaged
		s = make([]string, 5)
	}
	it.Source, it.Path, it.Field, it.Value, it.part = i.intern(s[0]), i.intern(s[1]), i.intern(s[2]), i.intern(s[3]), i.intern(s[4])
	it.Port = int(r.int())
	it.Seen = at(r.int())
	it.bind = uint32(r.uint())
	flags := r.uint()
	it.Solicited, it.history, it.bearing = flags&1 != 0, flags&2 != 0, flags&4 != 0
}

func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed)
	return w
}}

// deflate packs all after the version byte.
func deflate(b []byte) []byte {
	var out bytes.Buffer
	out.WriteByte(b[0] | coldPacked)
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&out)
	w.Write(b[1:])
	w.Close()
	return out.Bytes()
}

func inflate(b []byte) ([]byte, error) {
	return io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), maxUnpacked))
}
