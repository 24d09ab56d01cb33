package fingerprint

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Bounds on what one device's evidence may cost.
const (
	maxEvidence = 4096     // items looked at
	maxValue    = 64 << 10 // bytes of one value looked at
	maxFirings  = 256      // rules that may speak for one device
	maxHits     = 4096     // conditions of rules of several that may hold in one answer
)

// Identify adds the evidence of one binding up to an identity, as DESIGN
// section 3 says. It may be called by many goroutines at a time.
func (r *Ruleset) Identify(ev []Evidence) Identity {
	s := r.states.get(r)
	defer r.states.put(s)
	if len(ev) > maxEvidence {
		ev = ev[:maxEvidence]
	}
	s.read(ev)
	return s.addUp()
}

// state is the scratch of one Identify; it is reused.
type state struct {
	set     *Ruleset
	ev      []Evidence
	answers []answer
	of      []int32  // evidence -> answer
	places  []*place // evidence -> where it is found, nil where no rule looks
	seen    []uint32 // clause -> value number it was last tried on
	value   uint32
	hits    []hit
	may     []uint16 // rule -> bits of its conditions that may hold in the answer at hand
	fired   []firing
	address []addressSign
	caps    []string
	tallies []tally
	notes   []string // contradictions
	class   [len(classOrder)][groupCount]strength
	camera  bool // something says camera, addresses apart
}

// answer is one reply: evidence of the same kind, port and path.
type answer struct {
	source, path string
	port         int
	fields       map[string]*place // where rules look in answers of its kind
	void         bool              // it names two makers, or speaks for two devices
	cut          bool              // it was cut short: what is missing might say otherwise
}

// webKinds are the kinds of answer that come over HTTP. A record of one may hold
// what belongs to another (a document in a plain web answer, the head before a
// document); such a field is named in full: isapi.model of http.
var webKinds = []string{"http", "isapi", "onvif", "upnp"}

// heldKinds are those kinds, DHIP, whose names the facts of Dahua's programming
// interfaces bear, and WS-Discovery, whose scopes ONVIF's GetScopes tells.
var heldKinds = append([]string{"dhip", "wsd"}, webKinds...)

// Spoken is the kind and the name of a field, wherever it was found: upnp and
// friendly_name of http's upnp.friendly_name.
func Spoken(source, field string) (kind, name string) {
	if kind, name, ok := strings.Cut(field, "."); ok && slices.Contains(heldKinds, kind) && slices.Contains(webKinds, aliasKind(source)) {
		return kind, name
	}
	return source, field
}

// hit is one condition of a rule of several that may hold in the answer at
// hand: the literals speak for it.
type hit struct {
	clause *clause
	ev     int32
	holds  bool // it does
}

// firing is one rule that holds of one answer.
type firing struct {
	rule     *rule
	ev       int32
	answer   int32
	model    string
	firmware string
	serial   string
	channels string
}

type statePool struct{ pool sync.Pool }

func (p *statePool) get(r *Ruleset) *state {
	if s, ok := p.pool.Get().(*state); ok {
		return s
	}
	return &state{set: r, seen: make([]uint32, len(r.index.clauses)), may: make([]uint16, len(r.rules))}
}

func (p *statePool) put(s *state) {
	clear(s.fired[:cap(s.fired)])
	clear(s.hits[:cap(s.hits)])
	clear(s.answers[:cap(s.answers)])
	clear(s.address[:cap(s.address)])
	clear(s.caps[:cap(s.caps)])
	s.ev, s.notes = nil, nil
	p.pool.Put(s)
}

// read runs the rules over the evidence, one answer at a time.
func (s *state) read(ev []Evidence) {
	s.ev = ev
	s.answers, s.of, s.places = s.answers[:0], s.of[:0], s.places[:0]
	s.fired, s.address, s.tallies = s.fired[:0], s.address[:0], s.tallies[:0]
	s.class = [len(classOrder)][groupCount]strength{}
	s.camera = false
	for i := range ev {
		a := s.answerOf(&ev[i])
		s.of = append(s.of, a)
		s.places = append(s.places, s.answers[a].fields[ev[i].Field])
		switch ev[i].Field {
		case "mac":
			s.readAddress(int32(i))
		case "truncated":
			s.answers[s.of[i]].cut = true
		}
	}
	for a := range s.answers {
		s.readAnswer(int32(a))
	}
}

func (s *state) answerOf(e *Evidence) int32 {
	for i := len(s.answers) - 1; i >= 0; i-- {
		a := &s.answers[i]
		if a.port == e.Port && a.source == e.Source && a.path == e.Path {
			return int32(i)
		}
	}
	s.answers = append(s.answers, answer{source: e.Source, path: e.Path, port: e.Port, fields: s.set.index.kinds[e.Source]})
	return int32(len(s.answers) - 1)
}

func (s *state) readAnswer(a int32) {
	s.hits = s.hits[:0]
	for i, p := range s.places {
		if p != nil && s.of[i] == a {
			s.readValue(p.fieldIndex, int32(i))
		}
	}
	s.combine(a)
}

// readValue looks one value up in the index: once through the automaton,
// then only the clauses whose literal occurs where it must.
func (s *state) readValue(f *fieldIndex, i int32) {
	value := s.valueOf(i)
	s.value++
	if s.value == 0 { // it wrapped: forget all marks
		clear(s.seen)
		s.value = 1
	}
	for _, k := range f.always {
		if s.seen[k.number] != s.value {
			s.seen[k.number] = s.value
			s.try(k, value, i)
		}
	}
	if f.own > 0 {
		var buf [maxHead]byte
		for _, k := range s.set.index.names[string(headOf(value, &buf))] {
			if k.rule.own == f.own {
				s.try(k, value, i)
			}
		}
	}
	if f.search == nil {
		return
	}
	a, at := f.search, 0
	next, class, width, first := a.next, &a.class, a.width, a.first
	for j := range len(value) {
		at = int(next[at*width+int(class[value[j]])])
		if at < first {
			continue
		}
		for _, literal := range a.found[at-first] {
			from := j + 1 - f.lengths[literal]
			for _, k := range f.literals[literal] {
				if s.seen[k.number] != s.value && k.pattern.stands(from, j+1, len(value)) {
					s.seen[k.number] = s.value
					s.try(k, value, i)
				}
			}
		}
	}
}

// valueOf is as much of a value as is looked at.
func (s *state) valueOf(i int32) string {
	return s.ev[i].Value[:min(len(s.ev[i].Value), maxValue)]
}

// try fires a rule of one condition if that holds; of a rule of several it
// keeps for combine what may.
func (s *state) try(k *clause, value string, i int32) {
	if k.rule.all != k.bit || k.rule.veto != 0 {
		if len(s.hits) < maxHits {
			s.hits = append(s.hits, hit{clause: k, ev: i})
			s.may[k.rule.number] |= k.bit
		}
		return
	}
	if k.pattern.match(value) {
		s.fire(k.rule, i, s.of[i], k, value)
	}
}

// combine fires the rules of several conditions that all hold in answer a. A
// condition is looked at closely only where the literals speak for all.
func (s *state) combine(a int32) {
	for i := range s.hits {
		r := s.hits[i].clause.rule
		may := s.may[r.number]
		s.may[r.number] = 0
		if may&r.all == r.all && s.holds(r, may, i) {
			s.fireTogether(r, a, i)
		}
	}
}

// holds tells whether all conditions of a rule, whose first hit is given, hold
// in the answer at hand and no veto does.
func (s *state) holds(r *rule, may uint16, first int) bool {
	for _, k := range r.order {
		if may&k.bit == 0 {
			continue // no text speaks for this veto
		}
		held := false
		for j := first; j < len(s.hits); j++ {
			if h := &s.hits[j]; h.clause == k && k.pattern.match(s.valueOf(h.ev)) {
				h.holds, held = true, true
			}
		}
		if held == (k.bit&r.veto != 0) {
			return false
		}
	}
	return true
}

func (s *state) fire(r *rule, i, a int32, k *clause, value string) {
	f := firing{rule: r, ev: i, answer: a}
	if r.captures {
		s.caps = k.pattern.submatches(s.caps[:0], value)
	}
	s.add(f)
}

func (s *state) fireTogether(r *rule, a int32, first int) {
	f := firing{rule: r, ev: s.hits[first].ev, answer: a}
	s.caps = s.caps[:0]
	for _, k := range r.match {
		if k.bit&r.all == 0 {
			break
		}
		ev, held := s.hitOf(k, first)
		if !held {
			continue
		}
		if k.bit == 1 {
			f.ev = ev
		}
		if r.captures {
			s.caps = k.pattern.submatches(s.caps, s.valueOf(ev))
		}
	}
	s.add(f)
}

// hitOf is the first evidence in which the condition holds, before all others
// what was answered to a question put to this host alone.
func (s *state) hitOf(k *clause, first int) (ev int32, held bool) {
	for _, h := range s.hits[first:] {
		if h.clause != k || !h.holds {
			continue
		}
		if s.ev[h.ev].Solicited {
			return h.ev, true
		}
		if !held {
			ev, held = h.ev, true
		}
	}
	return ev, held
}

func (s *state) add(f firing) {
	if len(s.fired) >= maxFirings {
		return
	}
	r := f.rule
	f.model = expand(r.model, s.caps)
	f.firmware = expand(r.firmware, s.caps)
	f.serial = expand(r.serial, s.caps)
	f.channels = expand(r.channels, s.caps)
	s.fired = append(s.fired, f)
}

// expand fills a template's $1 to $9.
func expand(template string, captures []string) string {
	if template == "" || !strings.Contains(template, "$") {
		return template
	}
	if len(template) == 2 && template[0] == '$' {
		n := int(template[1] - '1')
		if n < 0 || n >= len(captures) {
			return ""
		}
		return captures[n]
	}
	for n := len(captures); n >= 1; n-- {
		template = strings.ReplaceAll(template, "$"+strconv.Itoa(n), captures[n-1])
	}
	return template
}
