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
	// Began is when the inventory did: nothing is known before.
	Began time.Time `json:"began"`
	// NewReturned is how many of the new were away in the period and came back.
	NewReturned int `json:"new_returned"`
}

// Blank tells that the inventory began when the period was over.
func (d *Diff) Blank() bool { return !d.Began.Before(d.To) }

// Unknown says in a language, en or fr, of what part of the period nothing is
// known, since there was no inventory; "" where that is none.
func (d *Diff) Unknown(lang string) string {
	on := moment(d.Began)
	switch {
	case d.Blank():
		return Phrase(lang, "The inventory began on "+on+", after this period: nothing is known of it.")
	case !d.From.IsZero() && d.From.Before(d.Began):
		return Phrase(lang, "The inventory began on "+on+": nothing is known of the time before.")
	}
	return ""
}

// Also says in a language, en or fr, how many of the new returned as well, since
// a device stands in one list only; "" where none did.
func (d *Diff) Also(lang string) string {
	if d.NewReturned == 0 {
		return ""
	}
	return Phrase(lang, fmt.Sprintf("Of the new, so many were away in the period and returned: %d. Each device stands in one list only.", d.NewReturned))
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
}

// maxChangeEvents bounds the events shown of one device; the latest are kept.
const maxChangeEvents = 20

// Diff compares two dates: devices that are new, gone (missing or removed at
// the end), returned, or otherwise changed. A device stands in one list only,
// in this order: gone, new, returned, changed. Each list is in the order of
// the devices' first events.
func (i *Inventory) Diff(ctx context.Context, from, to time.Time) (*Diff, error) {
	d, _, err := i.diff(ctx, from, to, 0)
	return d, err
}

// diffSums are the lengths of a Diff's lists before they are cut.
type diffSums struct{ New, Gone, Returned, Changed int }

// diff tells of each list the first most changes, all where most is 0: what
// makes a list of 100,000 long is what each device's events say.
func (i *Inventory) diff(ctx context.Context, from, to time.Time, most int) (*Diff, diffSums, error) {
	if to.IsZero() {
		to = i.now()
	}
	if !from.Before(to) {
		return nil, diffSums{}, fmt.Errorf("inventory: diff: %s is not before %s", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	by, err := i.parts(ctx, from, to, most == 0)
	if err != nil {
		return nil, diffSums{}, fmt.Errorf("inventory: diff: %w", err)
	}
	began, err := i.began(ctx)
	if err != nil {
		return nil, diffSums{}, fmt.Errorf("inventory: diff: %w", err)
	}
	d := &Diff{From: from, To: to, Began: began}
	var fresh, gone, back, changed []*part
	for id, p := range by {
		switch {
		case p.device != id: // merged into another
		case p.gone:
			gone = append(gone, p)
		case p.fresh:
			fresh = append(fresh, p)
			if p.back {
				d.NewReturned++
			}
		case p.back:
			back = append(back, p)
		default:
			changed = append(changed, p)
		}
	}
	sums := diffSums{len(fresh), len(gone), len(back), len(changed)}
	var chosen []*part
	for _, list := range []*[]*part{&fresh, &gone, &back, &changed} {
		slices.SortFunc(*list, func(a, b *part) int { return cmp.Compare(a.first, b.first) })
		if most > 0 {
			*list = (*list)[:min(most, len(*list))]
		}
		chosen = append(chosen, *list...)
	}
	if most > 0 {
		err = i.tellOf(ctx, from, to, by, chosen)
	}
	if err == nil {
		err = i.fillEvents(ctx, chosen)
	}
	if err != nil {
		return nil, diffSums{}, fmt.Errorf("inventory: diff: %w", err)
	}
	d.New, d.Gone, d.Returned, d.Changed = i.changesOf(fresh), i.changesOf(gone), i.changesOf(back), i.changesOf(changed)
	return d, sums, nil
}

// began is when the inventory did: its file was made, or, where that is a newer
// one than what is in it, the first of its devices and events.
func (i *Inventory) began(ctx context.Context) (time.Time, error) {
	i.mu.RLock()
	began := i.created
	for _, e := range i.order {
		if !e.gone && e.first != 0 && e.first < began.UnixNano() {
			began = at(e.first)
		}
	}
	if i.store == nil && len(i.chain.kept) > 0 && i.chain.kept[0].Time.Before(began) {
		began = i.chain.kept[0].Time
	}
	i.mu.RUnlock()
	if i.store == nil {
		return began, nil
	}
	err := each(ctx, i.store.read, "SELECT time FROM events ORDER BY seq LIMIT 1", func(r *sql.Rows) error {
		var first int64
		err := r.Scan(&first)
		if first < began.UnixNano() {
			began = at(first)
		}
		return err
	})
	return began, err
}

// part is one device's part in a period.
type part struct {
	device            string
	first             int64 // number of its first event
	state             State
	fresh, back, gone bool
	told              *told // what its events say; nil where that is not asked
}

// told is what the events of one device say.
type told struct {
	seqs   []int64 // of the latest
	counts map[string]int
	events []Event
}

func (p *part) add(seq int64, event []byte) {
	switch string(event) {
	case "appeared":
		p.fresh = true
	case "missing":
		p.gone, p.state = true, Missing
	case "removed":
		p.gone, p.state = true, Removed
	case "returned":
		p.gone, p.back, p.state = false, true, Present
	}
	if p.told != nil {
		p.told.add(seq, event)
	}
}

func (t *told) add(seq int64, event []byte) {
	t.counts[string(event)]++
	if len(t.seqs) == maxChangeEvents {
		t.seqs = append(t.seqs[:0], t.seqs[1:]...)
	}
	t.seqs = append(t.seqs, seq)
}

// parts reads a period off the chain, by device. What happened to an id that
// was merged away belongs to the device it became part of, and stands under
// both.
func (i *Inventory) parts(ctx context.Context, from, to time.Time, whole bool) (map[string]*part, error) {
	by := map[string]*part{}
	err := i.eachName(ctx, from, to, func(seq int64, device, event []byte) {
		if len(device) == 0 {
			return
		}
		p := by[string(device)]
		if p == nil {
			p = &part{device: string(device), first: seq, state: Present}
			if whole {
				p.told = &told{counts: map[string]int{}}
			}
			by[p.device] = p
		}
		p.add(seq, event)
	})
	if err != nil {
		return nil, err
	}
	if met := i.foldMerged(by); len(met) > 0 {
		err = i.eachName(ctx, time.Time{}, from, func(_ int64, device, event []byte) {
			if p := met[string(device)]; p != nil && string(event) == "appeared" {
				p.fresh = false
			}
		})
	}
	return by, err
}

// foldMerged adds what happened to an id that was merged away to the device it
// became part of. It returns the devices that are new by that alone: they may
// have been there before.
func (i *Inventory) foldMerged(by map[string]*part) (met map[string]*part) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	met = map[string]*part{}
	for id, p := range by {
		e := i.find(id)
		if e == nil || e.id == id {
			continue
		}
		into := by[e.id]
		if into == nil {
			continue
		}
		by[id] = into
		into.first = min(into.first, p.first)
		if into.told != nil {
			into.told.take(p.told)
		}
		if p.fresh && !into.fresh {
			into.fresh, met[e.id] = true, into
		}
	}
	return met
}

func (t *told) take(other *told) {
	for name, n := range other.counts {
		t.counts[name] += n
	}
	t.seqs = append(t.seqs, other.seqs...)
	slices.Sort(t.seqs)
	t.seqs = t.seqs[max(len(t.seqs)-maxChangeEvents, 0):]
}

// tellOf reads what the events of the chosen say.
func (i *Inventory) tellOf(ctx context.Context, from, to time.Time, by map[string]*part, chosen []*part) error {
	for _, p := range chosen {
		p.told = &told{counts: map[string]int{}}
	}
	return i.eachName(ctx, from, to, func(seq int64, device, event []byte) {
		if p := by[string(device)]; p != nil && p.told != nil {
			p.told.add(seq, event)
		}
	})
}

// changesOf adds what is known of the devices today.
func (i *Inventory) changesOf(parts []*part) []Change {
	out := make([]Change, 0, len(parts))
	i.mu.RLock()
	defer i.mu.RUnlock()
	for _, p := range parts {
		c := Change{Device: p.device, State: p.state, Events: p.told.events, Counts: p.told.counts}
		if e := i.find(p.device); e != nil {
			i.portray(&c, e)
		}
		out = append(out, c)
	}
	return out
}

func (i *Inventory) portray(c *Change, e *entry) {
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

// fillEvents reads the events that are told.
func (i *Inventory) fillEvents(ctx context.Context, parts []*part) error {
	owner := map[int64]*told{}
	var seqs []int64
	for _, p := range parts {
		for _, seq := range p.told.seqs {
			owner[seq] = p.told
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	if i.store == nil {
		i.mu.RLock()
		defer i.mu.RUnlock()
		for _, e := range i.chain.kept {
			if t := owner[e.Seq]; t != nil {
				t.events = append(t.events, e)
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
			if t := owner[e.Seq]; t != nil {
				t.events = append(t.events, e)
			}
			return err
		}, args...)
		if err != nil {
			return err
		}
	}
	return nil
}
