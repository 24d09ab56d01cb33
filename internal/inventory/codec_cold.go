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
