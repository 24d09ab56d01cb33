package fingerprint

import (
	"maps"
	"slices"
)

// Brands lists the canonical spelling of every brand, sorted.
func (r *Ruleset) Brands() []string {
	return slices.Compact(slices.Sorted(maps.Values(r.brands)))
}

// Uses tells whether any rule looks at a field of a kind of record: what none
// looks at is the first to go where evidence must be bounded.
func (r *Ruleset) Uses(kind, field string) bool {
	return r.index.kinds[kind][field] != nil
}
