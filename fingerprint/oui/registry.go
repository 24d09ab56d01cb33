package oui

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Registry is one state of the IEEE registry. It lives in one string that is
// read in place, so that the shipped one costs neither time nor heap; it does
// not change and may be used by many goroutines.
//
// The string holds, little endian and in this order:
//
//	magic
//	seven counts: names, bytes of names, keys of 24, 28 and 36 bits, divided blocks, bytes of version+date
//	version \n date
//	names+1 offsets into the names, the names
//	4097 starts of the 24-bit keys that begin with each 12 bits
//	per size: the keys in hex digits, sorted; for each a word that holds, from
//	the top, the divided bit, the index of its name or of its divided block,
//	and the key's own digits behind those it shares with its neighbours
//	divided blocks: name, and the ranges of its 28- and 36-bit keys
type Registry struct {
	text           string
	version, date  string
	offsets        string
	names          string
	buckets        string
	keys           [3]string
	values         [3]string
	divided        string
	counts         [3]int
	dividedEntries int
}

const (
	magic      = "camcensus oui 2\n"
	counts     = 7
	dividedBit = 1 << 31
	ownBits    = 12 // of a word: the key's own digits
	ownMask    = 1<<ownBits - 1
	nobody     = dividedBit>>ownBits - 1
	wordSize   = 4
	dividedRow = 5 * wordSize
	bucketRows = 4096 + 1
)

var digits = [3]int{6, 7, 9}

var errBroken = errors.New("not a registry of this form")

// Version tells where the registry is from, Date (YYYY-MM-DD) of when it is.
func (r *Registry) Version() string { return r.version }

// Date is the day of the registry, "" when unknown.
func (r *Registry) Date() string { return r.date }

// Len is how many blocks it holds.
func (r *Registry) Len() int { return r.counts[0] + r.counts[1] + r.counts[2] }

// WriteTo writes the compact form that Read reads.
func (r *Registry) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, r.text)
	return int64(n), err
}

// Read reads the compact form, of at most 32 MiB.
func Read(from io.Reader) (*Registry, error) {
	text, err := io.ReadAll(io.LimitReader(from, 32<<20))
	if err != nil {
		return nil, fmt.Errorf("oui: read the registry: %w", err)
	}
	r, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("oui: read the registry: %w (import the IEEE's file again)", err)
	}
	return r, nil
}

// parse cuts the text into its parts. Lookups check every index they read, so
// a broken table finds nothing and harms nothing.
func parse(text string) (*Registry, error) {
	rest, ok := strings.CutPrefix(text, magic)
	if !ok || len(rest) < counts*wordSize {
		return nil, errBroken
	}
	var n [counts]int
	for i := range n {
		n[i] = int(word(rest, i))
		if n[i] > len(text) {
			return nil, errBroken
		}
	}
	rest = rest[counts*wordSize:]
	r := &Registry{text: text, counts: [3]int{n[2], n[3], n[4]}, dividedEntries: n[5]}
	var label string
	for _, part := range []struct {
		into *string
		size int
	}{
		{&label, n[6]}, {&r.offsets, (n[0] + 1) * wordSize}, {&r.names, n[1]}, {&r.buckets, bucketRows * wordSize},
		{&r.keys[0], n[2] * digits[0]}, {&r.values[0], n[2] * wordSize},
		{&r.keys[1], n[3] * digits[1]}, {&r.values[1], n[3] * wordSize},
		{&r.keys[2], n[4] * digits[2]}, {&r.values[2], n[4] * wordSize},
		{&r.divided, n[5] * dividedRow},
	} {
		if part.size > len(rest) {
			return nil, errBroken
		}
		*part.into, rest = rest[:part.size], rest[part.size:]
	}
	r.version, r.date, _ = strings.Cut(label, "\n")
	return r, nil
}

// word reads the i-th 32-bit number of s.
func word(s string, i int) uint32 {
	i *= wordSize
	_ = s[i+3]
	return uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24
}

// find looks up the block's first 24 bits and the 12 bits behind them.
func (r *Registry) find(high, low uint32) (Assignment, bool) {
	bucket := int(high >> ownBits)
	at := r.search(0, int(word(r.buckets, bucket)), int(word(r.buckets, bucket+1)), high&ownMask, ownMask)
	if at < 0 {
		return Assignment{}, false
	}
	value := word(r.values[0], at)
	index := value &^ dividedBit >> ownBits
	if value&dividedBit == 0 {
		return r.assignment(0, at, index)
	}
	if int(index) >= r.dividedEntries {
		return Assignment{}, false
	}
	row := int(index) * dividedRow / wordSize
	if i := r.search(2, int(word(r.divided, row+3)), int(word(r.divided, row+4)), low, ownMask); i >= 0 {
		return r.assignment(2, i, word(r.values[2], i)>>ownBits)
	}
	if i := r.search(1, int(word(r.divided, row+1)), int(word(r.divided, row+2)), low>>8, 0xf); i >= 0 {
		return r.assignment(1, i, word(r.values[1], i)>>ownBits)
	}
	return r.assignment(0, at, word(r.divided, row))
}

// search finds the key with the given own digits between two positions. The
// keys there are sorted and their digits lie between 0 and highest, so the
// number itself narrows where it can stand: dense blocks are found at once.
func (r *Registry) search(size, from, to int, want, highest uint32) int {
	if to > r.counts[size] || from >= to {
		return -1
	}
	values := r.values[size]
	low := max(from, to-1-int(highest-want))
	high := min(to-1, from+int(want))
	for low <= high {
		middle := int(uint(low+high) >> 1)
		switch own := word(values, middle) & ownMask; {
		case own == want:
			return middle
		case own < want:
			low = middle + 1
		default:
			high = middle - 1
		}
	}
	return -1
}

var (
	registries = [3]string{MAL, MAM, MAS}
	sizes      = [3]int{24, 28, 36}
)

func (r *Registry) assignment(size, at int, name uint32) (Assignment, bool) {
	registrant := r.name(name)
	if registrant == "" {
		return Assignment{}, false
	}
	width := digits[size]
	return Assignment{
		Registrant: registrant,
		Prefix:     r.keys[size][at*width : (at+1)*width],
		Bits:       sizes[size],
		Registry:   registries[size],
		Private:    registrant == "Private",
	}, true
}

func (r *Registry) name(i uint32) string {
	if int(i) >= len(r.offsets)/wordSize-1 {
		return ""
	}
	from, to := int(word(r.offsets, int(i))), int(word(r.offsets, int(i)+1))
	if from > to || to > len(r.names) {
		return ""
	}
	return r.names[from:to]
}

// Block is one line of a registry: the hex digits that are fixed (6, 7 or 9,
// upper case) and the registrant.
type Block struct{ Prefix, Registrant string }

// Blocks returns every block, shortest prefixes first.
func (r *Registry) Blocks() []Block {
	blocks := make([]Block, 0, r.Len())
	for size := range r.keys {
		for i := range r.counts[size] {
			value := word(r.values[size], i)
			name := r.name(value &^ dividedBit >> ownBits)
			if value&dividedBit != 0 {
				name = r.name(word(r.divided, int(value&^dividedBit>>ownBits)*dividedRow/wordSize))
			}
			if name != "" {
				blocks = append(blocks, Block{r.keys[size][i*digits[size] : (i+1)*digits[size]], name})
			}
		}
	}
	return blocks
}

// Registrants returns every distinct registrant, sorted.
func (r *Registry) Registrants() []string {
	names := make([]string, 0, len(r.offsets)/wordSize)
	for i := range max(len(r.offsets)/wordSize-1, 0) {
		names = append(names, r.name(uint32(i)))
	}
	return names
}

// Build makes a registry of blocks; of two with one prefix the later counts.
func Build(blocks []Block, version, date string) (*Registry, error) {
	b := builder{names: map[string]uint32{}}
	byPrefix := make(map[string]string, len(blocks))
	for _, block := range blocks {
		byPrefix[block.Prefix] = block.Registrant
	}
	for prefix, registrant := range byPrefix {
		size := slices.Index(digits[:], len(prefix))
		if _, err := strconv.ParseUint(prefix, 16, 64); err != nil || size < 0 || registrant == "" {
			return nil, fmt.Errorf("oui: block %q of %q: 6, 7 or 9 hex digits and a name are needed", prefix, registrant)
		}
		b.keys[size] = append(b.keys[size], prefix)
		b.names[registrant] = 0
	}
	if len(b.names) >= nobody {
		return nil, fmt.Errorf("oui: %d registrants, the table holds %d", len(b.names), nobody-1)
	}
	b.addParents(byPrefix)
	for size := range b.keys {
		slices.Sort(b.keys[size])
	}
	return parse(string(b.encode(byPrefix, version+"\n"+date)))
}

type builder struct {
	names map[string]uint32
	keys  [3][]string
}

// addParents gives every longer block a 24-bit one to be found by.
func (b *builder) addParents(byPrefix map[string]string) {
	for _, keys := range b.keys[1:] {
		for _, key := range keys {
			if _, ok := byPrefix[key[:6]]; !ok {
				byPrefix[key[:6]] = ""
				b.keys[0] = append(b.keys[0], key[:6])
			}
		}
	}
}

func (b *builder) encode(byPrefix map[string]string, label string) []byte {
	sorted := make([]string, 0, len(b.names))
	for name := range b.names {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	var offsets, names, buckets, divided []byte
	for i, name := range sorted {
		b.names[name] = uint32(i)
		offsets = binary.LittleEndian.AppendUint32(offsets, uint32(len(names)))
		names = append(names, name...)
	}
	offsets = binary.LittleEndian.AppendUint32(offsets, uint32(len(names)))
	for bucket := range bucketRows {
		start, _ := slices.BinarySearch(b.keys[0], fmt.Sprintf("%03X", bucket))
		if bucket == bucketRows-1 {
			start = len(b.keys[0])
		}
		buckets = binary.LittleEndian.AppendUint32(buckets, uint32(start))
	}
	var values [3][]byte
	rows := 0
	for size, keys := range b.keys {
		for _, key := range keys {
			value := b.nameOf(byPrefix[key]) << ownBits
			if size == 0 {
				if row := b.dividedRow(key, value>>ownBits); row != nil {
					divided = append(divided, row...)
					value = dividedBit | uint32(rows)<<ownBits
					rows++
				}
			}
			values[size] = binary.LittleEndian.AppendUint32(values[size], value|ownDigits(size, key))
		}
	}
	out := []byte(magic)
	for _, n := range []int{len(sorted), len(names), len(b.keys[0]), len(b.keys[1]), len(b.keys[2]), rows, len(label)} {
		out = binary.LittleEndian.AppendUint32(out, uint32(n))
	}
	out = slices.Concat(out, []byte(label), offsets, names, buckets)
	for size, keys := range b.keys {
		out = slices.Concat(out, []byte(strings.Join(keys, "")), values[size])
	}
	return append(out, divided...)
}

// ownDigits are those by which a key differs from its neighbours: three hex
// digits, of a 28-bit key one.
func ownDigits(size int, key string) uint32 {
	from := len(key) - 3
	if size == 1 {
		from = len(key) - 1
	}
	n, _ := strconv.ParseUint(key[from:], 16, 32) // hex digits: the caller saw to that
	return uint32(n)
}

func (b *builder) nameOf(registrant string) uint32 {
	if i, ok := b.names[registrant]; ok && registrant != "" {
		return i
	}
	return nobody
}

// dividedRow says where the longer blocks inside a 24-bit one stand, nil when
// there are none.
func (b *builder) dividedRow(key string, name uint32) []byte {
	row := binary.LittleEndian.AppendUint32(nil, name)
	found := false
	for _, keys := range b.keys[1:] {
		from, _ := slices.BinarySearch(keys, key)
		to, _ := slices.BinarySearchFunc(keys, key, func(k, key string) int {
			return cmp.Or(cmp.Compare(k[:6], key), -1)
		})
		found = found || to > from
		row = binary.LittleEndian.AppendUint32(row, uint32(from))
		row = binary.LittleEndian.AppendUint32(row, uint32(to))
	}
	if !found {
		return nil
	}
	return row
}
