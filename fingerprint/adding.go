package fingerprint

import (
	"cmp"
	"slices"
)

// tally is what all signs say of one maker.
type tally struct {
	maker     int
	groups    [groupCount]strength // signs of the maker's own making
	labels    [groupCount]strength // of a firm that sells others' devices: its address, label and models
	solicited bool                 // a counted medium or strong sign was answered to a question put to this host
	own       bool                 // its own model, label or firmware spoke, not merely its address
	model     bool                 // its own model spoke
	standing  Standing
	dropped   bool // taken up into another maker's
}

func (t *tally) best() strength {
	best := nothing
	for g, s := range t.groups {
		if groupAt(g) != signTyped {
			best = max(best, s)
		}
	}
	return best
}

// count is how many groups speak with at least the given strength.
func (t *tally) count(least strength) int {
	n := 0
	for g, s := range t.groups {
		if groupAt(g) != signTyped && s >= least {
			n++
		}
	}
	return n
}

// score orders makers that no instrument names, for whom the best sign will
// do.
func (t *tally) score() int {
	total := 0
	for g := range t.groups {
		switch max(t.groups[g], t.labels[g]) {
		case strong:
			total += 1000
		case medium:
			total += 100
		case weak:
			switch groupAt(g) {
			case signAddress:
				total++
			case signTyped:
				total += 2
			default:
				total += 3
			}
		}
	}
	return total
}

// addUp turns what fired into an identity.
func (s *state) addUp() Identity {
	id := Identity{Class: ClassUnknown}
	s.classes(&id)
	s.voidAnswers()
	s.facts(&id)
	s.tally(id.Model)
	s.joinGroups()
	s.dropLabels()
	contradicted := s.stand()
	if s.forwardsCamera(&id, contradicted) {
		id.Class, id.MaybeCamera = ClassUnknown, true
	}
	s.name(&id, contradicted)
	s.presume(&id)
	s.finish(&id)
	return id
}

// voidAnswers silences every answer that names two makers or two models: it
// is another's page, a relay, or a forgery.
func (s *state) voidAnswers() {
	for i := range s.fired {
		f := &s.fired[i]
		if !f.names() || s.answers[f.answer].void {
			continue
		}
		for j := i + 1; j < len(s.fired); j++ {
			g := &s.fired[j]
			if g.answer == f.answer && g.names() && !s.set.related(f.rule.maker, g.rule.maker) {
				s.answers[f.answer].void = true
				s.note("The " + s.answerText(f.answer) + " names both " + s.set.makers[f.rule.maker].name +
					" and " + s.set.makers[g.rule.maker].name + "; it counts for neither.")
				break
			}
		}
	}
	s.voidTwoModels()
}

func (f *firing) names() bool {
	return f.rule.maker != none && f.rule.grade >= medium && f.rule.group != signTyped
}

// oneValued tells the fields of which one device has one value. A name is none
// of them: its owner may have changed it between two answers.
func oneValued(field string) bool {
	switch field {
	case "scope.hardware", "model", "epr",
		"isapi.model", "onvif.model", "upnp.model", "onvif.epr", "dhip.model", "wsd.scope.hardware":
		return true
	}
	return false
}

func (s *state) voidTwoModels() {
	for i := range s.ev {
		a := &s.answers[s.of[i]]
		e := &s.ev[i]
		if a.void || !oneValued(e.Field) {
			continue
		}
		for j := i + 1; j < len(s.ev); j++ {
			o := &s.ev[j]
			if s.of[j] == s.of[i] && o.Field == e.Field && !sameText(o.Value, e.Value) {
				a.void = true
				s.note("The " + s.answerText(s.of[i]) + " gives two values for " + fieldText(e.Source, e.Field) +
					" (" + quote(e.Value) + ", " + quote(o.Value) + "): it speaks for two devices or is forged, and counts for no maker.")
				break
			}
		}
	}
}

// tally sums the signs up, maker by maker.
func (s *state) tally(model string) {
	for i := range s.fired {
		f := &s.fired[i]
		if f.rule.maker == none || s.answers[f.answer].void {
			continue
		}
		t := s.tallyOf(f.rule.maker)
		m := s.set.makers[f.rule.maker]
		grade, group := f.rule.grade, f.rule.group
		if group == signTyped || s.answers[f.answer].cut {
			grade = min(grade, weak)
		}
		if m.sellsOthers(model) && (f.rule.label || group == signAddress || group == signModel || group == signTyped) {
			t.labels[group] = max(t.labels[group], grade)
			continue
		}
		t.groups[group] = max(t.groups[group], grade)
		if grade < medium {
			continue
		}
		t.own = t.own || group != signAddress
		t.model = t.model || group == signModel
		t.solicited = t.solicited || s.ev[f.ev].Solicited
	}
	for _, a := range s.address {
		m := s.set.makers[a.maker]
		t := s.tallyOf(a.maker)
		grade := s.addressGrade(m)
		if m.sellsOthers(model) {
			t.labels[signAddress] = max(t.labels[signAddress], grade)
			continue
		}
		t.groups[signAddress] = max(t.groups[signAddress], grade)
		t.solicited = t.solicited || grade >= medium && s.ev[a.ev].Solicited
	}
}

// addressGrade: the address of a firm that makes mainly cameras is a sign by
// itself; that of any other firm only once something else says camera.
func (s *state) addressGrade(m *maker) strength {
	if m.makes == "cameras" || m.makes == "mixed" && s.camera {
		return medium
	}
	return weak
}

func (s *state) tallyOf(maker int) *tally {
	for i := range s.tallies {
		if s.tallies[i].maker == maker {
			return &s.tallies[i]
		}
	}
	s.tallies = append(s.tallies, tally{maker: maker})
	return &s.tallies[len(s.tallies)-1]
}

// joinGroups gives the signs of a group to the member that made the device:
// an affiliate whose model, label or firmware spoke; the head of the group
// where only the affiliate's address did and the head's model spoke.
func (s *state) joinGroups() {
	for i := range s.tallies {
		t := &s.tallies[i]
		m := s.set.makers[t.maker]
		if m.of == none || m.former {
			continue
		}
		for j := range s.tallies {
			head := &s.tallies[j]
			if head.maker != m.of || head.dropped || j == i {
				continue
			}
			if t.own && !(head.model && !t.model) || t.best() >= medium && !head.model {
				t.take(head)
			} else {
				head.take(t)
			}
		}
	}
}

func (t *tally) take(other *tally) {
	for g := range t.groups {
		t.groups[g] = max(t.groups[g], other.groups[g])
	}
	t.solicited = t.solicited || other.solicited
	other.dropped = true
}

// dropLabels removes a seller of whom only labels speak where the maker
// behind the label is known.
func (s *state) dropLabels() {
	for i := range s.tallies {
		t := &s.tallies[i]
		if t.dropped || t.best() > nothing {
			continue
		}
		for j := range s.tallies {
			o := &s.tallies[j]
			if j != i && !o.dropped && o.best() >= medium && s.set.sells(t.maker, o.maker) {
				t.dropped = true
			}
		}
	}
}

// stand gives every maker its standing and tells whether two makers
// contradict each other.
func (s *state) stand() (contradicted bool) {
	rivals := 0
	for i := range s.tallies {
		t := &s.tallies[i]
		if t.dropped {
			continue
		}
		t.standing = t.stand()
		for j := range i {
			o := &s.tallies[j]
			if !o.dropped && o.best() >= medium && t.best() >= medium && !s.set.related(o.maker, t.maker) {
				rivals++
				s.note("The signs speak for two makers, " + s.set.makers[o.maker].name + " and " +
					s.set.makers[t.maker].name + ".")
			}
		}
	}
	if rivals == 0 {
		return false
	}
	for i := range s.tallies {
		t := &s.tallies[i]
		switch {
		case t.standing == NoStanding:
		case s.set.makers[t.maker].listed && t.best() < strong:
			t.standing = NoStanding
		default:
			t.standing = Suspected
		}
	}
	return true
}

// forwardsCamera: beside another's network equipment, a listed maker of cameras
// speaks by a strong sign. Whether that is a camera to which a router forwards
// or a second device at the address, it is not beyond the lists' reach.
func (s *state) forwardsCamera(id *Identity, contradicted bool) bool {
	return id.Class == ClassNetwork && slices.ContainsFunc(s.tallies, func(t tally) bool {
		m := s.set.makers[t.maker]
		kind := classAt(m.mainly)
		return m.listed && kind >= 0 && kind < cameraKinds && !t.dropped && t.standing >= Suspected && t.best() == strong &&
			(contradicted || s.networkOfOthers(t.maker))
	})
}

// networkOfOthers: only signs of other makers say that this is network
// equipment.
func (s *state) networkOfOthers(maker int) bool {
	return !slices.ContainsFunc(s.fired, func(f firing) bool {
		r := f.rule
		return r.class == ClassNetwork && (r.maker == none || s.set.related(r.maker, maker))
	})
}

func (t *tally) stand() Standing {
	strongs, mediums := t.count(strong), t.count(medium)
	switch {
	case strongs >= 1 && mediums >= 2 && t.solicited:
		return Established
	case strongs >= 1 || mediums >= 2:
		return Named
	case mediums == 1:
		return Suspected
	}
	return NoStanding
}

// name chooses the manufacturer and lists the candidates.
func (s *state) name(id *Identity, contradicted bool) {
	slices.SortStableFunc(s.tallies, func(a, b tally) int {
		return cmp.Or(cmp.Compare(b.standing, a.standing), cmp.Compare(b.score(), a.score()))
	})
	suspected := false
	for i := range s.tallies {
		t := &s.tallies[i]
		m := s.set.makers[t.maker]
		if t.dropped || t.standing == NoStanding {
			continue
		}
		suspected = suspected || m.listed
		c := Candidate{Maker: m.name, Standing: t.standing, Former: m.former, Groups: make(map[Group]Grade, 4)}
		if m.of != none {
			c.Of = s.set.makers[m.of].name
		}
		for g, grade := range t.groups {
			if grade > nothing {
				c.Groups[groupOf[g]] = grade.name()
			}
		}
		id.Candidates = append(id.Candidates, c)
	}
	if best := s.bestNamed(contradicted, suspected); best != nil {
		id.Manufacturer = s.set.makers[best.maker].name
		id.Certainty = best.certainty(contradicted)
	} else if len(id.Candidates) > 0 {
		id.Certainty = s.tallies[0].certainty(contradicted) / 2
	}
}

// bestNamed is the maker to be shown: a listed one by a strong sign or two
// medium ones, any other by the best sign; none where two are alike good.
func (s *state) bestNamed(contradicted, suspected bool) *tally {
	var best *tally
	tied := false
	for i := range s.tallies {
		t := &s.tallies[i]
		if t.dropped || !s.nameable(t, contradicted, suspected) {
			continue
		}
		switch {
		case best == nil || firmer(t, best, contradicted):
			best, tied = t, false
		case !firmer(best, t, contradicted) && !s.set.related(best.maker, t.maker):
			tied = true
		}
	}
	if tied {
		return nil
	}
	return best
}

func (s *state) nameable(t *tally, contradicted, suspected bool) bool {
	m := s.set.makers[t.maker]
	if contradicted {
		return t.best() == strong
	}
	if m.listed {
		return t.standing >= Named
	}
	if m.onlyRelabels() && t.best() == nothing {
		return false
	}
	// A hint at another firm does not stand beside a listed maker's sign.
	return t.score() > 0 && !(suspected && t.best() < medium)
}

func firmer(a, b *tally, contradicted bool) bool {
	if x, y := a.best(), b.best(); x != y || contradicted {
		return x > y
	}
	return a.score() > b.score()
}

// certainty is for display and sorting: each group leaves less room for
// doubt.
func (t *tally) certainty(contradicted bool) float64 {
	doubt := 1.0
	for g := range t.groups {
		switch max(t.groups[g], t.labels[g]) {
		case strong:
			doubt *= 0.1
		case medium:
			doubt *= 0.4
		case weak:
			doubt *= 0.8
		}
	}
	sure := 1 - doubt
	if !t.solicited {
		sure *= 0.95
	}
	if contradicted {
		sure *= 0.4
	}
	return float64(int(min(sure, 0.99)*100+0.5)) / 100
}
