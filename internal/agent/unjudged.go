package agent

import (
	"maps"
	"slices"
	"sync"

	"camcensus/internal/inventory"
)

// unjudged are the devices that something new is known of and that nobody
// judged since: of several devices at one address only one may be asked. A
// cycle judges them at its end.
type unjudged struct {
	mu  sync.Mutex
	ids map[string]bool
}

// judgeRest judges the devices that were left, and those that were split off a
// gateway's MAC.
func (a *Agent) judgeRest() {
	known := a.unjudged.take()
	left := known
	if len(a.judge().policies) > 0 {
		a.inventory.EachBrief(func(d *inventory.Device) bool {
			if _, listed := slices.BinarySearch(known, d.ID); len(d.Verdicts) == 0 && !listed {
				left = append(left, d.ID)
			}
			return true
		})
	}
	for n, device := range left {
		if n%64 == 63 {
			a.inventory.Relieve()
		}
		a.assess(device)
	}
}

func (u *unjudged) add(device string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ids == nil {
		u.ids = map[string]bool{}
	}
	u.ids[device] = true
}

func (u *unjudged) remove(device string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.ids, device)
}

// take returns the devices, sorted, and forgets them.
func (u *unjudged) take() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	ids := slices.Sorted(maps.Keys(u.ids))
	u.ids = nil
	return ids
}
