package inventory

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"sync"
	"time"

	"camcensus/fingerprint"
)

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
func decodeCold(i *Inventory, b []byte) (c *cold, err error) {
	err = unsealCold(b, func(r *decoder) error {
		c, err = r.cold(i)
		return err
	})
	return c, err
}

// decodeShown reads only what is shown of what encodeCold wrote.
func decodeShown(i *Inventory, b []byte) (s *shown, err error) {
	err = unsealCold(b, func(r *decoder) error {
		for range r.count() {
			r.skipItem()
		}
		c := &cold{}
		r.text = string(r.b) // one piece: it is shown and forgotten
		err := r.conclusions(i, c)
		s = show(c)
		return err
	})
	return s, err
}

// unsealCold has what encodeCold wrote read, which is readable until read
// returns.
func unsealCold(b []byte, read func(*decoder) error) error {
	r, version, err := unseal(b, coldVersion)
	if err != nil {
		return err
	}
	if version&coldPacked == 0 {
		return read(r)
	}
	f := inflaters.Get().(*inflater)
	defer inflaters.Put(f)
	if r.b, err = f.inflate(r.b); err != nil {
		return fmt.Errorf("stored evidence: %w", err)
	}
	return read(r)
}

// readCold reads what coldBytes wrote.
func readCold(i *Inventory, b []byte) (*cold, error) { return (&decoder{b: b[1:]}).cold(i) }

func (r *decoder) cold(i *Inventory) (*cold, error) {
	c := &cold{items: make([]item, min(r.count(), 1024))}
	for n := range c.items {
		r.item(i, &c.items[n])
	}
	if err := r.conclusions(i, c); err != nil {
		return nil, err
	}
	return c, nil
}

// conclusions reads what follows the items.
func (r *decoder) conclusions(i *Inventory, c *cold) error {
	c.reasons = make([]fingerprint.Reason, min(r.count(), 1024))
	for n := range c.reasons {
		if r.count() != 8 {
			return errDamaged
		}
		c.reasons[n] = fingerprint.Reason{
			Source: r.word(i), Field: r.word(i), Value: r.word(i), Rule: r.word(i), Supports: r.word(i),
			Group: fingerprint.Group(r.word(i)), Grade: fingerprint.Grade(r.word(i)), Text: r.word(i),
			Port: int(r.int()), Seen: at(r.int()),
		}
	}
	c.contradictions = r.strings()
	if len(r.b) > 0 { // not in stores from before there were texts
		c.texts = r.strings()
	}
	return r.err
}

func (r *decoder) item(i *Inventory, it *item) {
	if r.count() != 5 {
		r.err, r.b = errDamaged, nil
		return
	}
	it.Source, it.Path, it.Field, it.Value, it.part = r.word(i), r.word(i), r.word(i), r.word(i), r.word(i)
	it.Port = int(r.int())
	it.Seen = at(r.int())
	it.bind = uint32(r.uint())
	flags := r.uint()
	it.Solicited, it.history, it.bearing = flags&1 != 0, flags&2 != 0, flags&4 != 0
}

func (r *decoder) skipItem() {
	for range r.count() {
		r.section()
	}
	r.int()
	r.int()
	r.uint()
	r.uint()
}

// word reads a text that devices have in common.
func (r *decoder) word(i *Inventory) string {
	if r.text != "" {
		return r.string()
	}
	return i.internBytes(r.section())
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

// inflater unpacks; its buffers are kept, since a page shows hundreds of
// devices.
type inflater struct {
	in   bytes.Reader
	flat io.ReadCloser
	out  bytes.Buffer
}

var inflaters = sync.Pool{New: func() any { return &inflater{flat: flate.NewReader(nil)} }}

// inflate unpacks what deflate packed; the result holds until the next call.
func (f *inflater) inflate(b []byte) ([]byte, error) {
	f.in.Reset(b)
	f.out.Reset()
	if err := f.flat.(flate.Resetter).Reset(&f.in, nil); err != nil {
		return nil, err
	}
	_, err := f.out.ReadFrom(io.LimitReader(f.flat, maxUnpacked))
	return f.out.Bytes(), err
}
