package inventory

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// Diff is what changed between two dates, from the chain of events.
type Diff struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	New      []Change  `json:"new"`
	Gone     []Change  `json:"gone"`
	Returned []Change  `json:"returned"`
	Changed  []Change  `json:"changed"`
}

// Change is one device's part in a Diff.
type Change struct {
	Device       string  `json:"device"`
	IP           string  `json:"ip"`
	Manufacturer string  `json:"manufacturer"`
	Model        string  `json:"model"`
	Location     string  `json:"location"`
	State        State   `json:"state"` // at the end of the period
	Events       []Event `json:"events"`

	fresh, back, gone, other bool
}

// maxChangeEvents bounds the events shown of one device; the latest are kept.
const maxChangeEvents = 20

// Diff compares two dates: devices that are new, gone (missing or removed at
// the end), returned, or otherwise changed. A device stands in one list only,
// in this order: gone, new, returned, changed.
func (i *Inventory) Diff(ctx context.Context, from, to time.Time) (*Diff, error) {
	if to.IsZero() {
		to = i.now()
	}
	if !from.Before(to) {
		return nil, fmt.Errorf("inventory: diff: %s is not before %s", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	by := map[string]*Change{}
	err := i.eachEvent(ctx, from, to, func(e Event) {
		if e.Device == "" {
			return
		}
		c := by[e.Device]
		if c == nil {
			c = &Change{Device: e.Device, State: Present}
			by[e.Device] = c
		}
		c.add(e)
	})
	if err != nil {
		return nil, fmt.Errorf("inventory: diff: %w", err)
	}
	d := &Diff{From: from, To: to, New: []Change{}, Gone: []Change{}, Returned: []Change{}, Changed: []Change{}}
	for _, c := range i.foldMerged(by) {
		i.portray(c)
		list := &d.Changed
		switch {
		case c.gone:
			list = &d.Gone
		case c.fresh:
			list = &d.New
		case c.back:
			list = &d.Returned
		}
		*list = append(*list, *c)
	}
	for _, list := range [][]Change{d.New, d.Gone, d.Returned, d.Changed} {
		slices.SortFunc(list, func(a, b Change) int {
			return cmp.Or(a.Events[0].Time.Compare(b.Events[0].Time), cmp.Compare(a.Device, b.Device))
		})
	}
	return d, nil
}

func (c *Change) add(e Event) {
	switch e.Event {
	case "appeared":
		c.fresh = true
	case "missing", "removed":
		c.gone, c.State = true, State(e.To)
	case "returned":
		c.gone, c.back, c.State = false, true, Present
	}
	if len(c.Events) == maxChangeEvents {
		c.Events = append(c.Events[:0], c.Events[1:]...)
	}
	c.Events = append(c.Events, e)
}

// foldMerged adds what happened to an id that was merged away to the device it
// became part of.
func (i *Inventory) foldMerged(by map[string]*Change) map[string]*Change {
	i.mu.RLock()
	defer i.mu.RUnlock()
	for id, c := range by {
		e := i.find(id)
		if e == nil || e.id == id {
			continue
		}
		if into := by[e.id]; into != nil {
			delete(by, id)
			into.Events = append(into.Events, c.Events...)
			slices.SortFunc(into.Events, func(a, b Event) int { return cmp.Compare(a.Seq, b.Seq) })
			into.Events = into.Events[max(len(into.Events)-maxChangeEvents, 0):]
		}
	}
	return by
}

// portray adds what is known of the device today.
func (i *Inventory) portray(c *Change) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	e := i.find(c.Device)
	if e == nil {
		return
	}
	if a := e.addresses(); len(a) > 0 {
		c.IP = a[0]
	}
	c.Manufacturer, c.Model = e.claims.manufacturer, e.claims.model
	if e.people != nil {
		c.Location = e.people.annotations.Location
	}
}

// eachEvent shows the events of a period, oldest first.
func (i *Inventory) eachEvent(ctx context.Context, from, to time.Time, show func(Event)) error {
	if i.store != nil {
		if !i.readOnly {
			if err := i.Sync(); err != nil {
				return err
			}
		}
		since := from.UnixNano()
		if from.IsZero() {
			since = 0
		}
		return each(ctx, i.store.read, "SELECT seq, time, device, event, was, became, by, evidence, hash FROM events WHERE time >= ? AND time < ? ORDER BY seq",
			func(r *sql.Rows) error {
				e, err := scanEvent(r)
				if err == nil {
					show(e)
				}
				return err
			}, since, to.UnixNano())
	}
	i.mu.RLock()
	kept := slices.Clone(i.chain.kept)
	i.mu.RUnlock()
	for _, e := range kept {
		if !e.Time.Before(from) && e.Time.Before(to) {
			show(e)
		}
	}
	return nil
}
