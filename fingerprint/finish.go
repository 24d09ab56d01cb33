package fingerprint

import (
	"slices"
	"strings"
)

// maxReasons bounds the reasons shown of one device.
const maxReasons = 24

// finish fills what is shown: brand, reasons, contradictions.
func (s *state) finish(id *Identity) {
	s.brand(id)
	s.reasons(id)
	id.Contradictions = s.notes
	if id.Contradictions == nil {
		id.Contradictions = []string{}
	}
	s.spellModel(id)
}

// spellModel gives one spelling to one model: by the maker's own respellings, and
// without the maker's or the label's name before it.
func (s *state) spellModel(id *Identity) {
	if id.Model == "" {
		return
	}
	if at, known := s.set.byName[id.Manufacturer]; known {
		for _, r := range s.set.makers[at].respell {
			id.Model = strings.TrimSpace(r.pattern.ReplaceAllString(id.Model, r.replace))
		}
	}
	id.Model = strings.Join(strings.Fields(id.Model), " ")
	for _, name := range []string{id.Manufacturer, id.Brand} {
		id.Model = withoutName(id.Model, name)
	}
}

// withoutName takes a leading name off a model number, as long as a number is
// left: "AXIS P3245-LVE" is P3245-LVE, "HP LaserJet" stays.
func withoutName(model, name string) string {
	if name == "" || len(model) <= len(name)+1 || !strings.EqualFold(model[:len(name)], name) || !strings.ContainsRune(" _-/", rune(model[len(name)])) {
		return model
	}
	rest := strings.TrimLeft(model[len(name):], " _-/")
	if !strings.ContainsAny(rest, "0123456789") {
		return model
	}
	return rest
}

// label is one brand that some sign shows.
type label struct {
	name  string
	rank  int
	typed bool
}

func (s *state) brand(id *Identity) {
	best := label{}
	offer := func(name string, grade strength, group groupAt) {
		l := label{name: name, rank: int(grade)*2 + 1, typed: group == signTyped}
		if l.typed {
			l.rank = 1
		}
		if l.rank > best.rank {
			best = l
		}
	}
	for i := range s.fired {
		f := &s.fired[i]
		if f.rule.brand != "" && !s.answers[f.answer].void {
			offer(f.rule.brand, f.rule.grade, f.rule.group)
		}
	}
	for i := range s.tallies {
		t := &s.tallies[i]
		for g, grade := range t.labels {
			if grade > nothing {
				offer(s.set.makers[t.maker].name, grade, groupAt(g))
			}
		}
	}
	if s.slanders(id.Manufacturer, best) {
		best = label{}
	}
	id.Brand = best.name
	if id.Brand == "" {
		if at, known := s.set.byName[id.Manufacturer]; known && !s.set.makers[at].listed {
			id.Brand = id.Manufacturer
		}
	}
	for i := range id.Candidates {
		c := &id.Candidates[i]
		c.Relabel = s.relabelled(c.Maker, best)
	}
}

// slanders tells whether a label is only typed text that puts a listed maker's
// name on a device that another maker made: what somebody wrote into a name
// field is no label, and would read as an accusation.
func (s *state) slanders(manufacturer string, l label) bool {
	at, known := s.set.byName[manufacturer]
	other, maker := s.set.byName[l.name]
	return l.typed && known && maker && s.set.makers[other].listed && !s.set.ownLabel(at, l.name)
}

// relabelled tells whether the label is another firm's. Typed text does not
// make a relabel of a device that bears its maker's own model number.
func (s *state) relabelled(maker string, l label) bool {
	at := s.set.byName[maker]
	if l.name == "" || s.set.ownLabel(at, l.name) {
		return false
	}
	if !l.typed {
		return true
	}
	for i := range s.fired {
		f := &s.fired[i]
		if f.rule.maker == at && f.rule.group == signModel && f.rule.grade == strong && f.rule.brand == "" {
			return false
		}
	}
	return true
}

// ownLabel tells whether a brand is the maker's own or one of its group's.
func (r *Ruleset) ownLabel(at int, brand string) bool {
	return slices.Contains(r.labels[r.head(at)], brand)
}

// reasons lists what was seen, the strongest first; of one grade, what was
// answered to a question put to this host alone before what was only heard.
func (s *state) reasons(id *Identity) {
	n := 0
	for i := range s.fired {
		if s.shown(i) {
			n++
		}
	}
	id.Reasons = make([]Reason, 0, min(n+len(s.address), maxReasons))
	for grade := strong; grade >= weak; grade-- {
		for _, asked := range [...]bool{true, false} {
			for i := range s.fired {
				f := &s.fired[i]
				if f.rule.grade == grade && s.ev[f.ev].Solicited == asked && s.shown(i) && len(id.Reasons) < maxReasons {
					id.Reasons = append(id.Reasons, s.reason(f))
				}
			}
		}
		for _, a := range s.address {
			if s.addressGrade(s.set.makers[a.maker]) == grade && len(id.Reasons) < maxReasons {
				id.Reasons = append(id.Reasons, s.addressReason(a, grade))
			}
		}
	}
}

// shown tells whether the firing is a reason of its own: it names a maker, a
// brand or a class, its answer counts, and no earlier one says the same of an
// answer of the same kind. That a maker's own name stands in a field is none
// where a rule of its file says more of it.
func (s *state) shown(i int) bool {
	f := &s.fired[i]
	if s.answers[f.answer].void || f.rule.maker == none && f.rule.brand == "" && f.rule.class == "" {
		return false
	}
	for j := range s.fired {
		g := &s.fired[j]
		if f.rule.own > 0 && g.ev == f.ev && g.rule != f.rule && g.rule.maker == f.rule.maker {
			return false
		}
		if j < i && g.rule == f.rule && !s.answers[g.answer].void && s.answers[g.answer].source == s.answers[f.answer].source {
			return false
		}
	}
	return true
}

func (s *state) reason(f *firing) Reason {
	e := &s.ev[f.ev]
	r := Reason{
		Source: e.Source, Port: e.Port, Field: e.Field, Value: clip(e.Value, maxShown),
		Rule: f.rule.id, Group: groupOf[f.rule.group], Grade: f.rule.grade.name(), Seen: e.Seen,
		Supports: s.supports(f.rule),
	}
	r.Text = s.places[f.ev].seen + seenValue(e.Field, r.Value) + seenEnd(e.Field) + f.rule.means
	return r
}

func (s *state) supports(r *rule) string {
	switch {
	case r.maker != none:
		return s.set.makers[r.maker].name
	case r.brand != "":
		return r.brand
	}
	return string(r.class)
}

func (s *state) addressReason(a addressSign, grade strength) Reason {
	e, m := &s.ev[a.ev], s.set.makers[a.maker]
	text := "Its hardware address " + e.Value + " is in a block registered to " + strings.TrimRight(a.registrant, ".") + "."
	switch {
	case m.sellsOthers(""):
		text += " That firm sells other makers' devices under its own label, so the address does not tell who made this one."
	case m.makes == "other":
		text += " That firm is not known for cameras, but the address alone does not tell what this is."
	case m.makes != "cameras":
		text += " That firm makes much besides cameras, so the address alone does not tell what this is."
	}
	return Reason{
		Source: e.Source, Port: e.Port, Field: e.Field, Value: e.Value, Rule: m.addressRule,
		Supports: m.name, Group: GroupAddress, Grade: grade.name(), Seen: e.Seen, Text: text,
	}
}
