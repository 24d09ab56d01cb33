package agent

import (
	"fmt"
	"strings"

	"camcensus/internal/inventory"
)

// Finding returns how a maker that a person named is written here. A name that
// is none of those known, yet nearly one that a list names, is refused: a slip
// of the pen must not clear a device.
func (j *Judge) Finding(name string) (string, error) {
	name = strings.TrimSpace(name)
	if known := j.rules.Brand(name); known != "" {
		return known, nil
	}
	for _, p := range j.policies {
		for _, listed := range p.Makers() {
			if n := slips(strings.ToLower(name), strings.ToLower(listed)); n <= min(2, len(listed)-4) {
				return "", fmt.Errorf("%w: no maker %q is known here: did you mean %s?", inventory.ErrInvalid, name, listed)
			}
		}
	}
	return name, nil
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
