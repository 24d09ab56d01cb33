package exporter

import (
	"container/heap"
	"slices"

	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// The closed lists by which a tally counts, as indexes.
var (
	tallyStates   = [...]inventory.State{inventory.Present, inventory.Missing, inventory.Removed}
	tallyVerdicts = [...]string{policy.Banned, policy.SuspectedV, policy.Unknown, policy.OutOfScope, policy.Clear, policy.Unclassified}
)

const (
	nClasses  = 9
	nStates   = len(tallyStates)
	nVerdicts = len(tallyVerdicts)
	flaggable = 2 // banned and suspected come first in tallyVerdicts
)

// tally counts devices in arrays: a hundred thousand of them are counted
// between two scrapes, and maps with keys of five texts cost ten times as
// much.
type tally struct {
	known    names
	makerOf  map[string]int // a device's manufacturer to its place in makers
	makers   []string       // labels
	policies []string
	devices  [][nClasses][nStates]int       // by maker
	flagged  [][][flaggable][nStates][2]int // by policy, maker; the last is excepted
	verdicts [][nVerdicts][nClasses]int     // by policy, of present and missing devices
	worst    [nVerdicts]int                 // of present and missing devices
	// forms are the verdicts that many devices share, read once. The keys
	// hold them, so that the memory is not used for others meanwhile.
	forms map[*policy.Verdict]*form
}

// form is one list of verdicts as a tally counts it.
type form struct {
	worst int
	cells []formCell
}

type formCell struct{ policy, verdict, excepted int }

func newTally(s *Snapshot, known names) *tally {
	c := &tally{known: known, makerOf: make(map[string]int), forms: make(map[*policy.Verdict]*form)}
	for _, p := range s.Policies {
		c.policies = append(c.policies, p.Name)
	}
	c.flagged = make([][][flaggable][nStates][2]int, len(c.policies))
	c.verdicts = make([][nVerdicts][nClasses]int, len(c.policies))
	return c
}

func (c *tally) maker(name string) int {
	if i, ok := c.makerOf[name]; ok {
		return i
	}
	label := c.known.label(name)
	i := slices.Index(c.makers, label)
	if i < 0 {
		i = len(c.makers)
		c.makers = append(c.makers, label)
		c.devices = append(c.devices, [nClasses][nStates]int{})
		for p := range c.flagged {
			c.flagged[p] = append(c.flagged[p], [flaggable][nStates][2]int{})
		}
	}
	c.makerOf[name] = i
	return i
}

// form reads the verdicts of a device; shared: other devices have the same
// list of them.
func (c *tally) form(verdicts []policy.Verdict, shared bool) *form {
	if len(verdicts) == 0 {
		return &noForm
	}
	if f, known := c.forms[&verdicts[0]]; known {
		return f
	}
	f := &form{worst: nVerdicts - 1, cells: make([]formCell, 0, len(verdicts))}
	for i := range verdicts {
		v := &verdicts[i]
		cell := formCell{policy: slices.Index(c.policies, v.Policy), verdict: severity(v.Verdict)}
		if v.Excepted {
			cell.excepted = 1
		}
		f.worst = min(f.worst, cell.verdict)
		if cell.policy >= 0 {
			f.cells = append(f.cells, cell)
		}
	}
	if shared {
		c.forms[&verdicts[0]] = f
	}
	return f
}

var noForm = form{worst: nVerdicts - 1}

// add counts one device and returns its gravest severity.
func (c *tally) add(d *inventory.Device, shared bool) (worst int) {
	maker := c.maker(d.Manufacturer)
	class := slices.Index(classes, classLabel(d.Class))
	state := max(0, slices.Index(tallyStates[:], d.State))
	c.devices[maker][class][state]++
	f := c.form(d.Verdicts, shared)
	for _, v := range f.cells {
		if d.State != inventory.Removed {
			c.verdicts[v.policy][v.verdict][class]++
		}
		if v.verdict < flaggable {
			c.flagged[v.policy][maker][v.verdict][state][v.excepted]++
		}
	}
	if d.State != inventory.Removed {
		c.worst[f.worst]++
	}
	return f.worst
}

// into writes what was counted under the labels.
func (c *tally) into(t *sums) {
	for m, label := range c.makers {
		for class, byState := range c.devices[m] {
			for state, n := range byState {
				if n > 0 {
					t.devices[deviceKey{classes[class], label, tallyStates[state]}] = n
				}
			}
		}
	}
	for p, name := range c.policies {
		for m, byVerdict := range c.flagged[p] {
			for verdict, byState := range byVerdict {
				for state, n := range byState {
					for excepted := range n {
						if n[excepted] > 0 {
							t.flagged[flaggedKey{name, c.makers[m], tallyVerdicts[verdict], tallyStates[state], excepted == 1}] = n[excepted]
						}
					}
				}
			}
		}
		for verdict, byClass := range c.verdicts[p] {
			for class, n := range byClass {
				if n > 0 && tallyVerdicts[verdict] != policy.Unclassified {
					t.verdicts[verdictKey{name, tallyVerdicts[verdict], classes[class]}] = n
				}
			}
		}
	}
	for verdict, n := range c.worst {
		t.worst[tallyVerdicts[verdict]] = n
	}
	t.unclassified = t.worst[policy.Unclassified]
}

const defaultMaxDeviceSeries = 2000

// seriesChoice picks the devices with series of their own, flagged ones and those
// that returned after their removal, or all: banned, then suspected, then the
// rest, the oldest first, so that a kept series stays. It
// is a heap with the first to go on top.
type seriesChoice struct {
	mode    string
	limit   int
	offered int
	kept    []ranked
	passing bool // what is offered is there for the call only
}

type ranked struct {
	device *inventory.Device
	rank   int
}

func newChoice(s Settings) *seriesChoice {
	c := &seriesChoice{mode: s.DeviceSeries, limit: s.MaxDeviceSeries}
	if c.limit <= 0 {
		c.limit = defaultMaxDeviceSeries
	}
	return c
}

func (a ranked) before(b ranked) bool {
	if a.rank != b.rank {
		return a.rank < b.rank
	}
	if order := a.device.FirstSeen.Compare(b.device.FirstSeen); order != 0 {
		return order < 0
	}
	return a.device.ID < b.device.ID
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (c *seriesChoice) Len() int           { return len(c.kept) }
func (c *seriesChoice) Less(i, j int) bool { return c.kept[j].before(c.kept[i]) }
func (c *seriesChoice) Swap(i, j int)      { c.kept[i], c.kept[j] = c.kept[j], c.kept[i] }
func (c *seriesChoice) Push(x any)         { c.kept = append(c.kept, x.(ranked)) }
func (c *seriesChoice) Pop() any {
	last := c.kept[len(c.kept)-1]
	c.kept = c.kept[:len(c.kept)-1]
	return last
}

func (c *seriesChoice) offer(d *inventory.Device, worst int) {
	rank := min(worst, flaggable)
	if c.mode == DeviceSeriesNone || d.State == inventory.Removed || rank == flaggable && d.Returned.IsZero() && c.mode != DeviceSeriesAll {
		return // what a person removed and what is there again has an alert of its own, flagged or not
	}
	c.offered++
	one := ranked{d, rank}
	switch {
	case len(c.kept) < c.limit:
		if c.passing {
			own := *d
			one.device = &own
		}
		heap.Push(c, one)
	case one.before(c.kept[0]):
		if c.passing {
			*c.kept[0].device, one.device = *d, c.kept[0].device
		}
		c.kept[0] = one
		heap.Fix(c, 0)
	}
}

func (c *seriesChoice) result() (series []*inventory.Device, dropped int) {
	slices.SortFunc(c.kept, func(a, b ranked) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	for _, k := range c.kept {
		series = append(series, k.device)
	}
	return series, c.offered - len(c.kept)
}
