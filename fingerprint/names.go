package fingerprint

import (
	"maps"
	"slices"
)

// Brands lists the canonical spelling of every brand, sorted.
func (r *Ruleset) Brands() []string {
	return slices.Compact(slices.Sorted(maps.Values(r.brands)))
}
