package fingerprint

import (
	"fmt"
	"strings"
)

// Maker returns the canonical name of the maker that a person wrote: its name
// or one of its legal names, in any case. A label is refused, for it does not
// tell who made a device; so is a name that no rule file holds.
func (r *Ruleset) Maker(name string) (string, error) {
	key := squeezed(name)
	if key == "" {
		return "", fmt.Errorf("a maker needs a name")
	}
	for i, m := range r.makers {
		if squeezed(m.name) == key {
			return m.name, r.madeByOthers(i)
		}
	}
	for i, m := range r.makers {
		for _, legal := range m.legal {
			if squeezed(legal) == key {
				return m.name, r.madeByOthers(i)
			}
		}
	}
	if brand := r.Brand(strings.TrimSpace(name)); brand != "" {
		return "", fmt.Errorf("%s is a label, not a maker%s: name who made the device", brand, r.labelOf(brand))
	}
	return "", fmt.Errorf("no maker %q is known here: see the page's list of makers, or add a rule file with maker, names and makes (docs/rules.md)", strings.TrimSpace(name))
}

// madeByOthers is the error for a firm that is documented to sell nothing but
// others' devices.
func (r *Ruleset) madeByOthers(i int) error {
	m := r.makers[i]
	for _, row := range m.relabels {
		if row.scope == "all" && !row.memory {
			return fmt.Errorf("%s is a label, not a maker (its devices are documented as made by %s): name who made the device",
				m.name, r.makers[row.maker].name)
		}
	}
	return nil
}

// labelOf tells who is documented to make what a label stands on.
func (r *Ruleset) labelOf(brand string) string {
	for _, m := range r.makers {
		for _, own := range m.own {
			if own == brand {
				return " (a label of " + m.name + ")"
			}
		}
	}
	return ""
}

// squeezed is a name without case, spaces and punctuation, so that
// "Co.,Ltd." and "Co., Ltd" are one.
func squeezed(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c > 0x7f:
			return c
		}
		return -1
	}, name)
}
