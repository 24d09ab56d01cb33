package inventory

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
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
	State        State   `json:"state"`  // at the end of the period
	Events       []Event `json:"events"` // the latest 20
	// Counts is how often each event happened in the period.
	Counts map[string]int `json:"counts"`

	seqs              []int64 // of Events, until they are read
	fresh, back, gone bool
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
	err := i.eachName(ctx, from, to, func(seq int64, device, event []byte) {
		if len(device) == 0 {
			return
		}
		c := by[string(device)]
		if c == nil {
			c = &Change{Device: string(device), State: Present, Counts: map[string]int{}}
			by[c.Device] = c
		}
		c.add(seq, event)
	})
	if err == nil {
		var met map[string]*Change
		if by, met = i.foldMerged(by); len(met) > 0 {
			err = i.eachName(ctx, time.Time{}, from, func(_ int64, device, event []byte) {
				if c := met[string(device)]; c != nil && string(event) == "appeared" {
					c.fresh = false
				}
			})
		}
	}
	if err == nil {
		err = i.fillEvents(ctx, by)
	}
	if err != nil {
		return nil, fmt.Errorf("inventory: diff: %w", err)
	}
	d := &Diff{From: from, To: to, New: []Change{}, Gone: []Change{}, Returned: []Change{}, Changed: []Change{}}
	for _, c := range by {
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

func (c *Change) add(seq int64, event []byte) {
	switch string(event) {
	case "appeared":
		c.fresh = true
	case "missing":
		c.gone, c.State = true, Missing
	case "removed":
		c.gone, c.State = true, Removed
	case "returned":
		c.gone, c.back, c.State = false, true, Present
	}
	c.Counts[string(event)]++
	if len(c.seqs) == maxChangeEvents {
		c.seqs = append(c.seqs[:0], c.seqs[1:]...)
	}
	c.seqs = append(c.seqs, seq)
}

// foldMerged adds what happened to an id that was merged away to the device it
// became part of. It also returns the devices that are new by that alone: they
// may have been there before.
func (i *Inventory) foldMerged(by map[string]*Change) (all, met map[string]*Change) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	met = map[string]*Change{}
	for id, c := range by {
		e := i.find(id)
		if e == nil || e.id == id {
			continue
		}
		if into := by[e.id]; into != nil {
			delete(by, id)
			for name, n := range c.Counts {
				into.Counts[name] += n
			}
			into.seqs = append(into.seqs, c.seqs...)
			slices.Sort(into.seqs)
			into.seqs = into.seqs[max(len(into.seqs)-maxChangeEvents, 0):]
			if c.fresh && !into.fresh {
				into.fresh, met[e.id] = true, into
			}
		}
	}
	return by, met
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

// eachName shows number, device and name of the events of a period, oldest
// first: of a long history, no more than is needed. The bytes are the query's
// own.
func (i *Inventory) eachName(ctx context.Context, from, to time.Time, show func(seq int64, device, event []byte)) error {
	if i.store == nil {
		i.mu.RLock()
		defer i.mu.RUnlock()
		for _, e := range i.chain.kept {
			if !e.Time.Before(from) && e.Time.Before(to) {
				show(e.Seq, []byte(e.Device), []byte(e.Event))
			}
		}
		return nil
	}
	if !i.readOnly {
		if err := i.Sync(); err != nil {
			return err
		}
	}
	since := int64(0)
	if !from.IsZero() {
		since = from.UnixNano()
	}
	var seq int64
	var device, event sql.RawBytes
	return each(ctx, i.store.read, "SELECT seq, device, event FROM events NOT INDEXED WHERE time >= ? AND time < ? ORDER BY seq", func(r *sql.Rows) error {
		err := r.Scan(&seq, &device, &event)
		show(seq, device, event)
		return err
	}, since, to.UnixNano())
}

// fillEvents reads the events that the changes tell.
func (i *Inventory) fillEvents(ctx context.Context, by map[string]*Change) error {
	owner := map[int64]*Change{}
	var seqs []int64
	for _, c := range by {
		for _, seq := range c.seqs {
			owner[seq] = c
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	if i.store == nil {
		i.mu.RLock()
		defer i.mu.RUnlock()
		for _, e := range i.chain.kept {
			if c := owner[e.Seq]; c != nil {
				c.Events = append(c.Events, e)
			}
		}
		return nil
	}
	for part := range slices.Chunk(seqs, 500) {
		args := make([]any, len(part))
		for n := range part {
			args[n] = part[n]
		}
		err := each(ctx, i.store.read, "SELECT seq, time, device, event, was, became, by, evidence, hash FROM events WHERE seq IN (?"+
			strings.Repeat(", ?", len(part)-1)+") ORDER BY seq", func(r *sql.Rows) error {
			e, err := scanEvent(r)
			if c := owner[e.Seq]; c != nil {
				c.Events = append(c.Events, e)
			}
			return err
		}, args...)
		if err != nil {
			return err
		}
	}
	return nil
}
