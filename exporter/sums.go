package exporter

import (
	"cmp"
	"slices"
	"sync"

	"camcensus/fingerprint"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// sums is what is counted over all devices once per change of the inventory,
// so that a scrape costs the same with ten thousand devices and a hundred
// thousand.
type sums struct {
	devices      map[deviceKey]int
	flagged      map[flaggedKey]int
	verdicts     map[verdictKey]int
	unclassified int
	// worst counts present and missing devices by their gravest verdict.
	worst map[string]int
	// series are the devices that get series of their own, in the order of
	// DESIGN section 7; dropped is how many did not.
	series  []*inventory.Device
	dropped int
	// byID is the order in which lists and cursors run; empty where the
	// devices are many.
	byID []*inventory.Device
}

type deviceKey struct {
	class        fingerprint.Class
	manufacturer string
	state        inventory.State
}

type flaggedKey struct {
	policy, manufacturer, verdict string
	state                         inventory.State
	excepted                      bool
}

type verdictKey struct {
	policy, verdict string
	class           fingerprint.Class
}

// sumCache keeps the sums of the latest device slice.
type sumCache struct {
	mu       sync.Mutex
	devices  []inventory.Device
	changes  uint64 // of the many
	policies []Policy
	makers   []string
	brands   []string
	settings Settings
	sums     *sums
}

// of returns the sums of a snapshot, counted anew only when its devices,
// policies, names or limits are not those of the last call. Identity of the
// device slice is enough: a snapshot never changes, and the cache's own
// reference keeps the memory from being used again.
func (c *sumCache) of(s *Snapshot) *sums {
	c.mu.Lock()
	defer c.mu.Unlock()
	changes := s.changes()
	if c.sums != nil && c.changes == changes && sameSlice(c.devices, s.Devices) && slices.EqualFunc(c.policies, s.Policies, samePolicy) &&
		slices.Equal(c.makers, s.Makers) && slices.Equal(c.brands, s.Brands) &&
		c.settings.DeviceSeries == s.Settings.DeviceSeries && c.settings.MaxDeviceSeries == s.Settings.MaxDeviceSeries {
		return c.sums
	}
	c.devices, c.policies, c.makers, c.brands, c.settings = s.Devices, s.Policies, s.Makers, s.Brands, s.Settings
	c.changes = changes
	c.sums = count(s)
	return c.sums
}

func sameSlice[T any](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	return len(a) == 0 || &a[0] == &b[0]
}

func samePolicy(a, b Policy) bool { return a.Name == b.Name && slices.Equal(a.Makers, b.Makers) }

func count(s *Snapshot) *sums {
	t := &sums{
		devices:  make(map[deviceKey]int),
		flagged:  make(map[flaggedKey]int),
		verdicts: make(map[verdictKey]int),
		worst:    make(map[string]int),
		byID:     make([]*inventory.Device, len(s.Devices)),
	}
	makers, _ := knownNames(s)
	for _, p := range s.Policies {
		t.zeros(p, makers)
	}
	c := newTally(s, makers)
	chosen := newChoice(s.Settings)
	for i := range s.Devices {
		d := &s.Devices[i]
		t.byID[i] = d
		chosen.offer(d, c.add(d, false))
	}
	if s.Many != nil {
		chosen.passing = true
		s.Many.EachBrief(func(d *inventory.Device) bool { chosen.offer(d, c.add(d, true)); return true })
	}
	c.into(t)
	t.series, t.dropped = chosen.result()
	s.complete(t.series)
	if !slices.IsSortedFunc(t.byID, byID) {
		slices.SortFunc(t.byID, byID)
	}
	return t
}

func byID(a, b *inventory.Device) int { return cmp.Compare(a.ID, b.ID) }

// zeros makes the series that alerts need before the first such device: every
// maker on the policy, and every verdict.
func (t *sums) zeros(p Policy, makers names) {
	for _, maker := range p.Makers {
		for _, verdict := range []string{policy.Banned, policy.SuspectedV} {
			t.flagged[flaggedKey{p.Name, makers.label(maker), verdict, inventory.Present, false}] = 0
		}
	}
	for _, verdict := range []string{policy.Banned, policy.SuspectedV, policy.Clear, policy.Unknown, policy.OutOfScope} {
		t.verdicts[verdictKey{p.Name, verdict, fingerprint.ClassCamera}] = 0
	}
}
