package inventory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
)

// The form of a stored device: a version byte, the fields in order, CRC-32.
// Integers are varints, texts have their length before them. A later version
// appends fields; the reader of an older one sees zero values.
const (
	entryVersion = 1
	coldVersion  = 2    // 1 had the items before the conclusions, packed in one piece
	coldPacked   = 0x80 // flag beside coldVersion: the rest is deflated
	packAbove    = 2 << 10
	maxUnpacked  = 1 << 20
)

var errDamaged = errors.New("stored device damaged (checksum differs)")

type encoder struct{ b []byte }

var scratch = sync.Pool{New: func() any { return &encoder{b: make([]byte, 0, packAbove)} }}

// encoded returns what fill writes, in bytes of its own with room for a
// checksum.
func encoded(fill func(*encoder)) []byte {
	w := scratch.Get().(*encoder)
	defer scratch.Put(w)
	w.b = w.b[:0]
	fill(w)
	return append(make([]byte, 0, len(w.b)+crc32.Size), w.b...)
}

func (w *encoder) uint(v uint64)   { w.b = binary.AppendUvarint(w.b, v) }
func (w *encoder) int(v int64)     { w.b = binary.AppendVarint(w.b, v) }
func (w *encoder) fixed(p []byte)  { w.b = append(w.b, p...) }
func (w *encoder) string(s string) { w.uint(uint64(len(s))); w.b = append(w.b, s...) }
func (w *encoder) bytes(p []byte)  { w.uint(uint64(len(p))); w.b = append(w.b, p...) }

func (w *encoder) bool(v bool) {
	if v {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

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
	b     []byte
	text  string   // where set, what b is the end of: texts are cut from it
	words *phrases // where set, texts are taken from there
	err   error
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
	p := r.section()
	switch {
	case r.words != nil:
		return r.words.of(p)
	case r.text == "":
		return string(p)
	}
	end := len(r.text) - len(r.b)
	return r.text[end-len(p) : end]
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
	start := len(w.b)
	fill(w)
	size := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64), uint64(len(w.b)-start))
	w.b = slices.Insert(w.b, start, size...)
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
