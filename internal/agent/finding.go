package agent

import (
	"fmt"
	"strings"

	"camcensus/internal/inventory"
)

// Finding returns how a maker that a person named is written here. A label is
// refused, and so is a name that no rule file holds: neither tells who made a
// device, and a slip of the pen must not clear one.
func (j *Judge) Finding(name string) (string, error) {
	name = strings.TrimSpace(name)
	maker, err := j.rules.Maker(name)
	if err == nil {
		return maker, nil
	}
	for _, known := range j.rules.Makers() {
		if n := slips(strings.ToLower(name), strings.ToLower(known)); n > 0 && n <= min(2, len(known)-4) {
			return "", fmt.Errorf("%w: no maker %q is known here: did you mean %s?", inventory.ErrInvalid, name, known)
		}
	}
	return "", fmt.Errorf("%w: %w", inventory.ErrInvalid, err)
}

// Active refuses a policy that is not judged by.
func (j *Judge) Active(name string) error {
	var names []string
	for _, p := range j.policies {
		if p.Name == name {
			return nil
		}
		names = append(names, p.Name)
	}
	return fmt.Errorf("%w: policy %q is not active (active: %s)", inventory.ErrInvalid, name, strings.Join(names, ", "))
}

// slips is how many letters must be typed, left out or changed to make b of a.
func slips(a, b string) int {
	row := make([]int, len(b)+1)
	for k := range row {
		row[k] = k
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for k := range len(b) {
			cost := last
			if a[i] != b[k] {
				cost++
			}
			last, row[k+1] = row[k+1], min(cost, row[k]+1, row[k+1]+1)
		}
	}
	return row[len(b)]
}

// Knows tells whether it has the rule of that id.
func (j *Judge) Knows(rule string) bool {
	_, ok := j.rules.Explain(rule)
	return ok
}
