package fingerprint

// head is the maker at the head of a present group.
func (r *Ruleset) head(at int) int {
	for range 4 {
		m := r.makers[at]
		if m.of == none || m.former {
			return at
		}
		at = m.of
	}
	return at
}

// related tells whether signs of the two makers agree: the same maker, one
// group, or one selling the other's devices under its own name.
func (r *Ruleset) related(a, b int) bool {
	return r.head(a) == r.head(b) || r.sells(a, b) || r.sells(b, a)
}

// sells tells whether seller is known to put its label on maker's devices.
func (r *Ruleset) sells(seller, maker int) bool {
	for _, row := range r.makers[seller].relabels {
		if r.head(row.maker) == r.head(maker) {
			return true
		}
	}
	m := r.makers[seller]
	return m.former && r.head(m.of) == r.head(maker)
}

// sellsOthers tells whether the firm's label, address and models may stand on
// another maker's device; model is "" when not known.
func (m *maker) sellsOthers(model string) bool {
	for _, row := range m.relabels {
		if row.models == nil || model == "" || row.models.MatchString(model) {
			return true
		}
	}
	return false
}

// onlyRelabels tells whether all that the firm sells is known to be made by
// another.
func (m *maker) onlyRelabels() bool {
	for _, row := range m.relabels {
		if row.scope == "all" && !row.memory {
			return true
		}
	}
	return false
}
