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
	// Written is when the dates were compared: what comes after it is not told.
	Written time.Time `json:"written"`
	// SetAside has the events of the period that are not in the store; nil: none.
	SetAside *SetAside `json:"set_aside,omitempty"`
	// NewReturned is how many of the new were away in the period and came back.
	NewReturned int `json:"new_returned"`
}

// Blank tells that the inventory began when the period was over.
func (d *Diff) Blank() bool { return !d.Began.Before(d.To) }

// Elsewhere tells that the whole period's events are in a file set aside.
func (d *Diff) Elsewhere() bool { return d.SetAside != nil && !d.SetAside.Before.Before(d.To) }

// Unknown says in a language, en or fr, of what parts of the period nothing is
// told: since there was no inventory, since its events are elsewhere, or since
// the period has not ended.
func (d *Diff) Unknown(lang string) []string {
	var out []string
	say := func(text string) { out = append(out, Phrase(lang, text)) }
	on := moment(d.Began)
	switch {
	case d.SetAside != nil: // what that file knows began earlier
		out = append(out, d.SetAside.Text(lang))
	case d.Blank():
		say("The inventory began on " + on + ", after this period: nothing is known of it.")
	case !d.From.IsZero() && d.From.Before(d.Began):
		say("The inventory began on " + on + ": nothing is known of the time before.")
	}
	if d.To.After(d.Written) {
		say("The period has not ended: this tells of it until " + moment(d.Written) + ".")
	}
	return out
}

// Unknown is that of a Diff. A zero time bounds nothing.
func (i *Inventory) Unknown(ctx context.Context, from, to time.Time, lang string) ([]string, error) {
	d, err := i.framed(ctx, from, to)
	if err != nil {
		return nil, err
	}
	return d.Unknown(lang), nil
}

// framed is a Diff without its changes.
func (i *Inventory) framed(ctx context.Context, from, to time.Time) (*Diff, error) {
	now := i.now()
	to, err := period(from, to, now)
	if err != nil {
		return nil, err
	}
	d := &Diff{From: from, To: to, Written: now}
	if d.Began, err = i.began(ctx); err != nil {
		return nil, err
	}
	aside, err := i.SetAside(ctx)
	if aside != nil && from.Before(aside.Before) {
		d.SetAside = aside
	}
	return d, err
}

// period ends an open period now; one that is empty or yet to come is refused
// (ErrInvalid), lest what nobody can know be told as nought.
func period(from, to, now time.Time) (time.Time, error) {
	if to.IsZero() {
		to = now
	}
	switch {
	case from.After(now):
		return to, fmt.Errorf("%w: the period begins on %s, which is yet to come", ErrInvalid, moment(from))
	case !from.Before(to):
		return to, fmt.Errorf("%w: the period ends (%s) before it begins (%s)", ErrInvalid, to.Format(time.RFC3339), from.Format(time.RFC3339))
	}
	return to, nil
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
	Events       []Event `json:"events"` // the latest 20, and the last verdict of each list
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
	if err := i.synced(); err != nil {
		return nil, diffSums{}, fmt.Errorf("inventory: diff: %w", err)
	}
	d, err := i.framed(ctx, from, to)
	if err != nil {
		return nil, diffSums{}, fmt.Errorf("inventory: diff: %w", err)
	}
	to = d.To
	by, heirs, err := i.parts(ctx, from, to)
	if err != nil {
		return nil, diffSums{}, fmt.Errorf("inventory: diff: %w", err)
	}
	var firsts [lists][]int64
	for _, p := range by {
		if p.merged {
			continue
		}
		firsts[p.list()] = append(firsts[p.list()], p.first)
		if p.list() == listNew && p.back {
			d.NewReturned++
		}
	}
	sums := diffSums{len(firsts[listNew]), len(firsts[listGone]), len(firsts[listReturned]), len(firsts[listChanged])}
	last := [lists]int64{} // the first event of the last device of each list
	for n, f := range firsts {
		if slices.Sort(f); most > 0 {
			f = f[:min(most, len(f))]
		}
		if len(f) > 0 {
			last[n] = f[len(f)-1]
		}
	}
	var chosen []*told
	for id, p := range by {
		if !p.merged && p.first <= last[p.list()] {
			chosen = append(chosen, &told{device: id, part: p})
		}
	}
	slices.SortFunc(chosen, func(a, b *told) int { return cmp.Compare(a.first, b.first) })
	if err = i.tellOf(ctx, from, to, by, heirs, chosen); err == nil {
		err = i.fillEvents(ctx, chosen)
	}
	if err == nil {
		err = i.recall(ctx, chosen)
	}
	if err != nil {
		return nil, diffSums{}, fmt.Errorf("inventory: diff: %w", err)
	}
	d.New, d.Gone, d.Returned, d.Changed = i.changesOf(chosen, listNew), i.changesOf(chosen, listGone), i.changesOf(chosen, listReturned), i.changesOf(chosen, listChanged)
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

// deviceKey is a device's id as a fixed number of bytes: of a hundred thousand
// of them no string is kept.
type deviceKey [len("d-") + 13]byte

func keyOf(id []byte) (k deviceKey) {
	copy(k[:], id)
	return k
}

func (k deviceKey) String() string { return strings.TrimRight(string(k[:]), "\x00") }

// part is one device's part in a period.
type part struct {
	first                      int64 // number of its first event
	fresh, back, gone, removed bool
	took                       bool // another was merged into it
	merged                     bool // into another, to which it was added
}

func (p *part) state() State {
	switch {
	case p.removed:
		return Removed
	case p.gone:
		return Missing
	}
	return Present
}

// The lists of a Diff.
const (
	listNew = iota
	listGone
	listReturned
	listChanged
	lists
)

// list is where a device stands.
func (p *part) list() int {
	switch {
	case p.gone:
		return listGone
	case p.fresh:
		return listNew
	case p.back:
		return listReturned
	}
	return listChanged
}

func (p *part) add(event []byte) {
	switch string(event) {
	case "appeared":
		p.fresh = true
	case "missing":
		p.gone, p.removed = true, false
	case "removed":
		p.gone, p.removed = true, true
	case "returned":
		p.gone, p.removed, p.back = false, false, true
	case "merged":
		p.took = true
	}
}

// told is a device's part with what its events say.
type told struct {
	part
	device deviceKey
	seqs   []int64 // of the latest
	lasts  []lastVerdict
	counts map[string]int
	events []Event

	maker, model string // of a device that is no longer kept
}

// lastVerdict is the event by which a list judged a device last.
type lastVerdict struct {
	list string
	seq  int64
}

func (t *told) add(seq int64, event []byte, list string) {
	t.counts[string(event)]++
	if list != "" {
		t.lasts = append(slices.DeleteFunc(t.lasts, func(l lastVerdict) bool { return l.list == list }), lastVerdict{list, seq})
	}
	if len(t.seqs) == maxChangeEvents {
		t.seqs = append(t.seqs[:0], t.seqs[1:]...)
	}
	t.seqs = append(t.seqs, seq)
}

// wanted are the events that are told.
func (t *told) wanted() []int64 {
	out := t.seqs
	for _, l := range t.lasts {
		if l.seq < t.seqs[0] {
			out = append(out, l.seq)
		}
	}
	return out
}

// parts reads a period off the chain, by device. What happened to an id that
// was merged away belongs to the device it became part of.
func (i *Inventory) parts(ctx context.Context, from, to time.Time) (map[deviceKey]part, successors, error) {
	by := map[deviceKey]part{}
	err := i.eachName(ctx, from, to, "''", func(seq int64, device, event, _ []byte) {
		if len(device) == 0 {
			return
		}
		id := keyOf(device)
		p, met := by[id]
		if !met {
			p.first = seq
		}
		before := p
		if p.add(event); p != before || !met {
			by[id] = p
		}
	})
	if err != nil {
		return nil, nil, err
	}
	heirs, err := i.successors(ctx, from, to, by)
	if err != nil {
		return nil, nil, err
	}
	if met := i.foldMerged(by, heirs); len(met) > 0 {
		err = i.eachName(ctx, time.Time{}, from, "''", func(_ int64, device, event, _ []byte) {
			if id := keyOf(device); met[id] && string(event) == "appeared" {
				p := by[id]
				p.fresh = false
				by[id] = p
			}
		})
	}
	return by, heirs, err
}

// successors are the devices that ids were merged into in a period, where these
// are no longer kept: only the chain tells of such merges.
type successors map[deviceKey]deviceKey

// successors reads them where there are any.
func (i *Inventory) successors(ctx context.Context, from, to time.Time, by map[deviceKey]part) (successors, error) {
	out, lost := successors{}, false
	i.mu.RLock()
	for id, p := range by {
		lost = lost || p.took && i.find(id.String()) == nil
	}
	i.mu.RUnlock()
	if !lost {
		return out, nil
	}
	err := i.eachName(ctx, from, to, "CASE event WHEN 'merged' THEN was WHEN 'split' THEN became ELSE '' END", func(_ int64, device, event, other []byte) {
		switch string(event) {
		case "merged":
			out[keyOf(other)] = keyOf(device)
		case "split":
			delete(out, keyOf(other))
		}
	})
	return out, err
}

// into is the device that an id was merged into, if it was.
func (i *Inventory) into(id deviceKey, heirs successors) (deviceKey, bool) {
	if i.devices[id.String()] != nil {
		return id, false
	}
	if e := i.find(id.String()); e != nil {
		return keyOf([]byte(e.id)), true
	}
	last := id
	for range 64 {
		next, merged := heirs[last]
		if !merged {
			break
		}
		last = next
	}
	return last, last != id
}

// foldMerged adds what happened to an id that was merged away to the device it
// became part of. It returns the devices that are new by that alone: they may
// have been there before.
func (i *Inventory) foldMerged(by map[deviceKey]part, heirs successors) (met map[deviceKey]bool) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	met = map[deviceKey]bool{}
	for id, p := range by {
		to, merged := i.into(id, heirs)
		into, ok := by[to]
		if !merged || !ok {
			continue
		}
		into.first = min(into.first, p.first)
		if p.fresh && !into.fresh {
			into.fresh, met[to] = true, true
		}
		p.merged = true
		by[id], by[to] = p, into
	}
	return met
}

// tellOf reads what the events of the chosen say.
func (i *Inventory) tellOf(ctx context.Context, from, to time.Time, by map[deviceKey]part, heirs successors, chosen []*told) error {
	tells := make(map[deviceKey]*told, len(chosen))
	for _, t := range chosen {
		t.counts = map[string]int{}
		tells[t.device] = t
	}
	i.mu.RLock()
	for id, p := range by {
		if p.merged {
			if into, _ := i.into(id, heirs); tells[into] != nil {
				tells[id] = tells[into]
			}
		}
	}
	i.mu.RUnlock()
	lists := map[string]string{} // a name is kept once
	return i.eachName(ctx, from, to, judgingList, func(seq int64, device, event, list []byte) {
		t := tells[keyOf(device)]
		if t == nil {
			return
		}
		if _, met := lists[string(list)]; !met {
			name := string(list)
			lists[name] = name
		}
		t.add(seq, event, lists[string(list)])
	})
}

// changesOf adds what is known of one list's devices today.
func (i *Inventory) changesOf(of []*told, list int) []Change {
	out := []Change{}
	i.mu.RLock()
	defer i.mu.RUnlock()
	for _, t := range of {
		if t.list() != list {
			continue
		}
		c := Change{Device: t.device.String(), State: t.state(), Events: t.events, Counts: t.counts}
		if e := i.find(c.Device); e != nil {
			i.portray(&c, e)
		} else {
			c.Manufacturer, c.Model = t.maker, t.model
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
	if p := e.people; p != nil {
		c.Location = p.annotations.Location
		if p.determination != nil {
			c.Manufacturer = p.determination.Manufacturer
		}
	}
}

// synced has the store's file hold all that happened.
func (i *Inventory) synced() error {
	if i.store == nil || i.readOnly {
		return nil
	}
	return i.Sync()
}

// further is what judgingList and successors read off an event.
func (e *Event) further() string {
	switch e.Event {
	case "verdict_changed":
		return e.list()
	case "merged":
		return e.From
	case "split":
		return e.To
	}
	return ""
}

// judgingList is the list of an event by which a verdict changed, as a column.
const judgingList = "CASE event WHEN 'verdict_changed' THEN substr(became, 1, instr(became || ' ', ' ') - 1) ELSE '' END"

// eachName shows number, device and name of the events of a period, and a further
// column, oldest first: of a long history, no more than is needed. The bytes are
// the query's own.
func (i *Inventory) eachName(ctx context.Context, from, to time.Time, column string, show func(seq int64, device, event, further []byte)) error {
	if i.store == nil {
		i.mu.RLock()
		defer i.mu.RUnlock()
		for _, e := range i.chain.kept {
			if !e.Time.Before(from) && e.Time.Before(to) {
				show(e.Seq, []byte(e.Device), []byte(e.Event), []byte(e.further()))
			}
		}
		return nil
	}
	since := int64(0)
	if !from.IsZero() {
		since = from.UnixNano()
	}
	var seq int64
	var device, event, further sql.RawBytes
	return each(ctx, i.store.read, "SELECT seq, device, event, "+column+" FROM events NOT INDEXED WHERE time >= ? AND time < ? ORDER BY seq", func(r *sql.Rows) error {
		err := r.Scan(&seq, &device, &event, &further)
		show(seq, device, event, further)
		return err
	}, since, to.UnixNano())
}

// recall reads who made the devices that are no longer kept off the chain.
func (i *Inventory) recall(ctx context.Context, of []*told) error {
	if i.store == nil {
		return nil
	}
	var lost []*told
	i.mu.RLock()
	for _, t := range of {
		if i.find(t.device.String()) == nil {
			lost = append(lost, t)
		}
	}
	i.mu.RUnlock()
	for _, t := range lost {
		own := slices.IndexFunc(t.events, func(e Event) bool { return e.Device == t.device.String() })
		if own < 0 {
			continue
		}
		// By the number, which has an index.
		err := each(ctx, i.store.read, "SELECT became FROM events WHERE owner = (SELECT owner FROM events WHERE seq = ?) AND device = ? AND event = 'identified' ORDER BY seq DESC LIMIT 1", func(r *sql.Rows) error {
			var text string
			err := r.Scan(&text)
			t.maker, t.model = namedIn(text)
			return err
		}, t.events[own].Seq, t.device.String())
		if err != nil {
			return err
		}
	}
	return nil
}

// namedIn is the maker and the model in what claims.what says; "" where a comma in
// a name leaves it open which they are.
func namedIn(text string) (maker, model string) {
	if n := strings.LastIndex(text, " ("); n >= 0 {
		text = text[:n]
	}
	parts := slices.DeleteFunc(strings.Split(text, ", "), func(s string) bool {
		return strings.HasPrefix(s, "sold as ") || strings.HasPrefix(s, "firmware ")
	})
	switch {
	case len(parts) == 0 || len(parts) > 2:
		return "", ""
	case len(parts) == 2:
		model = parts[1]
	}
	if parts[0] != "maker unknown" {
		maker = parts[0]
	}
	return maker, model
}

// fillEvents reads the events that are told.
func (i *Inventory) fillEvents(ctx context.Context, of []*told) error {
	owner := map[int64]*told{}
	var seqs []int64
	for _, t := range of {
		for _, seq := range t.wanted() {
			owner[seq] = t
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
