package fingerprint

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// index finds the clauses that a field's value may satisfy.
type index struct {
	kinds   map[string]map[string]*place
	clauses []*clause
	names   map[string][]*clause // on makers' own names, by headOf
}

// place is where a field is found: in answers of one kind, under one name. A
// field has several, as a web answer may hold a document of another kind.
type place struct {
	*fieldIndex
	seen string // how a reason begins: "Seen: the title of its web page, “"
}

// fieldIndex holds the clauses of one field.
type fieldIndex struct {
	always   []*clause   // no literal rules these out
	literals [][]*clause // by the automaton's literal
	lengths  []int       // of the automaton's literals, in bytes
	search   *automaton  // nil when no clause has a literal
	own      uint8       // the row of ownNames that reads it, from 1; 0: none
}

func newIndex(rules []*rule) *index {
	x := &index{kinds: map[string]map[string]*place{}, names: map[string][]*clause{}}
	texts := map[*fieldIndex]map[string]int{}
	order := map[*fieldIndex][]string{}
	for n, r := range rules {
		r.number, r.order = int32(n), soonestToFail(r)
		for _, k := range r.match {
			k.number = int32(len(x.clauses))
			x.clauses = append(x.clauses, k)
			if r.own > 0 {
				x.name(k)
				continue
			}
			for _, field := range k.fields {
				f := x.field(field)
				if k.pattern.required == nil {
					f.always = append(f.always, k)
					continue
				}
				if texts[f] == nil {
					texts[f] = map[string]int{}
				}
				for _, l := range k.pattern.required {
					at, known := texts[f][l]
					if !known {
						at = len(order[f])
						texts[f][l] = at
						order[f] = append(order[f], l)
						f.literals = append(f.literals, nil)
						f.lengths = append(f.lengths, len(l))
					}
					f.literals[at] = append(f.literals[at], k)
				}
			}
		}
	}
	for f, literals := range order {
		taken := 0
		f.search, taken = newAutomaton(literals)
		for _, clauses := range f.literals[taken:] {
			for _, k := range clauses {
				k.pattern.shape = expression // nothing looks its texts up
			}
			f.always = append(f.always, clauses...)
		}
	}
	return x
}

// name puts a clause on a maker's name under every head that the name may
// have.
func (x *index) name(k *clause) {
	for _, field := range k.fields {
		x.field(field).own = k.rule.own
	}
	var joined string
	for word := range strings.FieldsFuncSeq(k.pattern.texts[0], func(r rune) bool { return r < utf8.RuneSelf && joins(byte(r)) }) {
		joined += word
		var buf [maxHead]byte
		head := headOf(joined, &buf)
		if len(head) > 0 && !slices.Contains(x.names[string(head)], k) {
			x.names[string(head)] = append(x.names[string(head)], k)
		}
	}
}

func (x *index) field(name string) *fieldIndex {
	kind, field, _ := strings.Cut(name, ".")
	if p := x.of(kind)[field]; p != nil {
		return p.fieldIndex
	}
	f := &fieldIndex{}
	x.of(kind)[field] = &place{f, seenHead(kind, field)}
	if slices.Contains(heldKinds, kind) {
		for _, other := range webKinds {
			if other != kind {
				x.of(other)[name] = &place{f, seenHead(other, name)}
			}
		}
	}
	return f
}

func (x *index) of(kind string) map[string]*place {
	if x.kinds[kind] == nil {
		x.kinds[kind] = map[string]*place{}
		if kind == "http" {
			x.kinds["https"] = x.kinds[kind]
		}
	}
	return x.kinds[kind]
}

// soonestToFail orders a rule's conditions: first what the rarest texts speak
// for, vetoes last.
func soonestToFail(r *rule) []*clause {
	order := slices.Clone(r.match)
	slices.SortStableFunc(order, func(a, b *clause) int {
		return cmp.Or(cmp.Compare(a.bit&r.veto, b.bit&r.veto), cmp.Compare(worth(b.pattern.required), worth(a.pattern.required)))
	})
	return order
}
