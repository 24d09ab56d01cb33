package inventory

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/flate"

	"camcensus/fingerprint"
)

// nameFields may hold what a person called a device, a place or himself; they are
// not stored for what is no camera.
var nameFields = map[string]bool{
	"hostname": true, "instance": true, "host": true, "friendly_name": true, "name": true, "device_name": true, "system_contact": true,
	"scope": true, "scope.name": true, "scope.location": true, "xaddr": true, "usn": true, "presentation_url": true, "location": true,
	"title": true, "body": true, "subject": true, "subject.cn": true, "san": true, "txt": true, "sdp.session": true, "sdp.info": true,
}

// makerKeys are the keys of a service's TXT lines that tell the make and no name.
var makerKeys = map[string]bool{
	"am": true, "ci": true, "mac": true, "macaddress": true, "manufacturer": true, "md": true, "mfg": true, "model": true, "product": true,
	"ty": true, "usb_mdl": true, "usb_mfg": true, "vendor": true,
}

// mayName tells whether a field may hold such a name, in whatever answer it
// stands. What a page or a service words as it likes may.
func mayName(source, field string) bool {
	_, field = fingerprint.Spoken(source, field)
	family, key, _ := strings.Cut(field, ".")
	switch family {
	case "json", "meta":
		return true
	case "txt":
		return !makerKeys[key]
	}
	return nameFields[field]
}

// encodeCold writes the evidence and the reasons of a device; items for which
// skip holds are left out.
func encodeCold(c *cold, skip func(*item) bool) []byte { return sealCold(coldBytes(c, skip)) }

// sealCold packs large evidence and adds the checksum.
func sealCold(b []byte) []byte {
	if len(b) > packAbove {
		r := &decoder{b: b[1:]}
		conclusions := r.section()
		w := &encoder{b: make([]byte, 0, len(b)/2)}
		w.b = append(w.b, b[0]|coldPacked)
		w.bytes(deflate(conclusions))
		w.fixed(deflate(r.b))
		b = w.b
	}
	return (&encoder{b: b}).sealed()
}

// coldBytes writes what was concluded, which every page shows, and behind it
// what it was concluded from.
func coldBytes(c *cold, skip func(*item) bool) []byte {
	return encoded(func(w *encoder) { w.cold(c, skip) })
}

func (w *encoder) cold(c *cold, skip func(*item) bool) {
	w.b = append(w.b, coldVersion)
	w.section(func(w *encoder) { w.conclusions(c, skip) })
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
}

func (w *encoder) conclusions(c *cold, skip func(*item) bool) {
	w.uint(uint64(len(c.reasons)))
	for n := range c.reasons {
		o := &c.reasons[n]
		w.strings([]string{o.Source, o.Field, o.Value, o.Rule, o.Supports, string(o.Group), string(o.Grade), o.Text})
		w.int(int64(o.Port))
		w.int(stamp(o.Seen))
	}
	w.strings(c.contradictions)
	w.strings(c.wordsWithout(skip))
	w.bool(c.lost)
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
	c := &cold{}
	err := unsealCold(b, func(r *decoder) error { return r.conclusions(i, c) }, func(r *decoder) error { return r.items(i, c) })
	if err != nil {
		return nil, err
	}
	return c, nil
}

// decodeShown reads only what is shown of what encodeCold wrote.
func decodeShown(i *Inventory, b []byte) (*shown, error) {
	c := &cold{}
	err := unsealCold(b, func(r *decoder) error {
		r.text = string(r.b) // one piece: it is shown and forgotten
		return r.conclusions(i, c)
	}, nil)
	if err != nil {
		return nil, err
	}
	return show(c), nil
}

// readShown is decodeShown into something that was used before, with texts that
// were met before.
func readShown(i *Inventory, b []byte, into *cold, words *phrases) error {
	into.reasons, into.contradictions, into.texts = into.reasons[:0], nil, nil
	return unsealCold(b, func(r *decoder) error {
		r.words = words
		return r.conclusions(i, into)
	}, nil)
}

// unsealCold has the two parts of what encodeCold wrote read, each readable
// until its reader returns; items nil: they are left out.
func unsealCold(b []byte, conclusions, items func(*decoder) error) error {
	r, version, err := unseal(b, coldVersion)
	if err != nil {
		return err
	}
	packed := version&coldPacked != 0
	if version&^coldPacked == 1 {
		return inflated(r.b, packed, func(r *decoder) error { return r.version1(conclusions, items) })
	}
	first := r.section()
	if r.err != nil {
		return r.err
	}
	if err := inflated(first, packed, conclusions); err != nil || items == nil {
		return err
	}
	return inflated(r.b, packed, items)
}

// version1 reads the form in which the items came first.
func (r *decoder) version1(conclusions, items func(*decoder) error) error {
	if items == nil {
		items = (*decoder).skipItems
	}
	if err := items(r); err != nil {
		return err
	}
	return conclusions(r)
}

// inflated has a part read, which was packed or not.
func inflated(b []byte, packed bool, read func(*decoder) error) error {
	if !packed {
		return read(&decoder{b: b})
	}
	f := inflaters.Get().(*inflater)
	defer inflaters.Put(f)
	b, err := f.inflate(b)
	if err != nil {
		return fmt.Errorf("stored evidence: %w", err)
	}
	return read(&decoder{b: b})
}

// readCold reads what coldBytes wrote.
func readCold(i *Inventory, b []byte) (*cold, error) {
	c, r := &cold{}, &decoder{b: b[1:]}
	first := &decoder{b: r.section()}
	if err := cmp.Or(first.conclusions(i, c), r.items(i, c)); err != nil {
		return nil, err
	}
	return c, nil
}

func (r *decoder) items(i *Inventory, c *cold) error {
	c.items = make([]item, min(r.count(), 1024))
	for n := range c.items {
		r.item(i, &c.items[n])
	}
	return r.err
}

// conclusions reads what the device's evidence adds up to.
func (r *decoder) conclusions(i *Inventory, c *cold) error {
	if n := min(r.count(), 1024); n <= cap(c.reasons) && c.reasons != nil {
		c.reasons = c.reasons[:n]
	} else {
		c.reasons = make([]fingerprint.Reason, n)
	}
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
	c.lost = len(r.b) > 0 && r.bool() // nor in those from before it was told
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

func (r *decoder) skipItems() error {
	for range r.count() {
		for range r.count() {
			r.section()
		}
		r.int()
		r.int()
		r.uint()
		r.uint()
	}
	return r.err
}

// word reads a text that devices have in common.
func (r *decoder) word(i *Inventory) string {
	if r.text != "" || r.words != nil {
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

func deflate(b []byte) []byte {
	var out bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&out)
	w.Write(b)
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
