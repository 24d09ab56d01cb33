package fingerprint

import (
	"fmt"
	"slices"
	"strings"
)

// examples runs every example and counter-example of a file's rules through
// the whole set.
func (r *Ruleset) examples(f *ruleFile) []error {
	k := checker{file: f}
	for i := range f.Rules {
		entry := &f.Rules[i]
		id := stem(f.file) + "/" + entry.ID
		for _, e := range entry.Examples {
			if ev, ok := k.evidence(entry, e); ok && !r.fires(id, ev) {
				k.fault(e.line, "rule %s: the example does not match", entry.ID)
			}
		}
		for _, e := range entry.Counter {
			if ev, ok := k.evidence(entry, e); ok && r.fires(id, ev) {
				k.fault(e.line, "rule %s: the counter-example matches", entry.ID)
			}
		}
	}
	return k.faults
}

// fires tells whether one rule holds of one answer.
func (r *Ruleset) fires(id string, ev []Evidence) bool {
	s := r.states.get(r)
	defer r.states.put(s)
	s.read(ev)
	return slices.ContainsFunc(s.fired, func(f firing) bool { return f.rule.id == id })
}

// evidence makes one answer of an example.
func (c *checker) evidence(r *ruleEntry, e example) ([]Evidence, bool) {
	fields := e.fields
	if fields == nil {
		if len(r.Match) != 1 || len(r.Unless) > 0 {
			c.fault(e.line, "rule %s: has more than one condition, so its examples are field: text", r.ID)
			return nil, false
		}
		fields = map[string][]string{r.Match[0].Field[0]: {e.text}}
	}
	var ev []Evidence
	kind := ""
	for name, values := range fields {
		source, field, ok := strings.Cut(name, ".")
		if !ok || kind != "" && aliasKind(kind) != aliasKind(source) {
			c.fault(e.line, "rule %s: an example is one answer: KIND.NAME of one kind", r.ID)
			return nil, false
		}
		kind = source
		for _, v := range values {
			ev = append(ev, Evidence{Source: source, Field: field, Value: v})
		}
	}
	return ev, true
}

// Explain tells, for one rule's id, what it says and where it was learnt; ok
// is false for an unknown id.
func (r *Ruleset) Explain(id string) (text string, ok bool) {
	for _, rule := range r.rules {
		if rule.id == id {
			return fmt.Sprintf("%s (%s, %s)", rule.means, groupOf[rule.group], rule.grade.name()), true
		}
	}
	return "", false
}
