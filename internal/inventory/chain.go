package inventory

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// chain is the append-only history: each event's hash covers the one before.
type chain struct {
	seq    int64
	head   [32]byte
	counts map[string]uint64
	kept   []Event // memory inventory: the latest
	// stored is how far the store has it.
	stored     int64
	storedHead [32]byte
	// base: the events up to it are in a file that was set aside.
	base     int64
	baseHead [32]byte
	mark     string // what the next event has yet to record; see fileBegins
}

// fileBegins is how the evidence of the event begins that records, within the
// chain, that earlier events are in a file that was set aside: with the number of
// the last of them, and the name of that file.
const fileBegins = "this file begins after event "

// setAsideMark is that record; aside "" where no file is left.
func setAsideMark(base int64, aside string) string {
	return fileBegins + strconv.FormatInt(base, 10) + ", the one before it is " + cmp.Or(aside, "gone")
}

// markedBase reads such a record off the evidence of an event; rest is what the
// event itself rests on.
func markedBase(evidence string) (base int64, aside, rest string, ok bool) {
	text, ok := strings.CutPrefix(evidence, fileBegins)
	if !ok {
		return 0, "", evidence, false
	}
	text, rest, _ = strings.Cut(text, "; ")
	number, aside, _ := strings.Cut(text, ", the one before it is ")
	base, err := strconv.ParseInt(number, 10, 64)
	return base, aside, rest, err == nil
}

// maxKept bounds the events of an inventory in memory.
const maxKept = 100000

// hashEvent is SHA-256 over the previous hash and the entry, each text with
// its length before it.
func hashEvent(prev [32]byte, e *Event) [32]byte {
	b := make([]byte, 0, 256)
	b = append(b, prev[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time.UnixNano()))
	for _, s := range []string{e.Device, e.Event, e.From, e.To, e.By, e.Evidence} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}

// maxEventText bounds each text of an event, in bytes.
const maxEventText = 1024

// abridged is a text as an event tells it: of one over limit bytes its beginning, its
// length and the SHA-256 of all of it, so that the chain shows every change.
func abridged(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	rest := fmt.Sprintf("… (%d bytes, sha256:%x)", len(s), sha256.Sum256([]byte(s)))
	return clip(s, max(limit-len(rest), 0)) + rest
}

// tell writes an event of a device into the chain. A device in which nothing
// suggests a camera, and which nobody said was taken away, leaves no trace there
// but for what persons do.
func (i *Inventory) tell(e *entry, ev Event) {
	if !e.chronicled() && ev.By == "" {
		return
	}
	ev.Device = e.id
	i.append(ev)
}

// chronicled tells whether the chain follows a device: it may be a camera, or a
// person said that it was taken away, and whether it stays away is to be seen.
func (e *entry) chronicled() bool {
	return e.tracked || e.returned != 0 || e.people != nil && e.people.removal != nil
}

// owner is a device's number in the store, 0 for none.
func (i *Inventory) owner(id string) int64 {
	if e := i.devices[id]; e != nil {
		return e.no
	}
	return i.alias[id].no
}

func (i *Inventory) append(ev Event) Event {
	c := &i.chain
	if c.counts == nil {
		c.counts = map[string]uint64{}
	}
	for _, s := range []*string{&ev.From, &ev.To, &ev.By, &ev.Evidence} {
		*s = abridged(*s, maxEventText)
	}
	if strings.HasPrefix(ev.Evidence, fileBegins) {
		ev.Evidence = " " + ev.Evidence // a person's words are no such record
	}
	if c.mark != "" {
		ev.Evidence, c.mark = joinLine(c.mark, ev.Evidence), ""
		i.store.put("DELETE FROM meta WHERE name = ?", markMeta)
	}
	c.seq++
	ev.Seq = c.seq
	ev.Time = ev.Time.Round(0).UTC()
	c.head = hashEvent(c.head, &ev)
	ev.Hash = hex.EncodeToString(c.head[:])
	c.counts[ev.Event]++
	i.changes++
	if i.store != nil {
		i.store.putEvent(ev, i.owner(ev.Device))
		return ev
	}
	c.stored, c.storedHead = c.seq, c.head
	if c.kept = append(c.kept, ev); len(c.kept) > maxKept+maxKept/4 {
		c.kept = slices.Clone(c.kept[len(c.kept)-maxKept:])
	}
	return ev
}

// relink writes into the first of the events that are not stored yet that a file
// was set aside, and chains them anew to the last one that is; without any the
// next event records it.
func (i *Inventory) relink(unstored []Event, mark string) {
	c := &i.chain
	c.head = c.storedHead
	if len(unstored) == 0 {
		c.mark = mark
		i.store.put(setMeta, markMeta, mark)
		return
	}
	unstored[0].Evidence = joinLine(mark, unstored[0].Evidence)
	for n := range unstored {
		c.head = hashEvent(c.head, &unstored[n])
		unstored[n].Hash = hex.EncodeToString(c.head[:])
	}
	i.changes++
}

// NetworkEvent tells that a network was lost or is back.
func (i *Inventory) NetworkEvent(network string, back bool, why string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	ev := Event{Time: i.now(), Event: "network_lost", From: network, Evidence: why}
	if back {
		ev = Event{Time: i.now(), Event: "network_back", To: network, Evidence: why}
	}
	i.append(ev)
}

// EventCounts is how often each event of EventNames happened, from 0.
func (i *Inventory) EventCounts() map[string]uint64 {
	i.mu.RLock()
	defer i.mu.RUnlock()
	out := make(map[string]uint64, len(EventNames))
	for _, n := range EventNames {
		out[n] = 0
	}
	maps.Copy(out, i.chain.counts)
	return out
}

// Chain is the length of the chain and its head as far as they are stored:
// what an auditor may hold the file against later.
func (i *Inventory) Chain() (length int64, head string) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.chain.stored, hex.EncodeToString(i.chain.storedHead[:])
}

// EventQuery selects events. The zero value asks for the newest 100.
type EventQuery struct {
	Device string
	Event  string
	Since  time.Time // included
	Until  time.Time // excluded
	Oldest bool      // oldest first
	Limit  int       // 0 means 100
	Cursor string    // as an earlier answer gave it
}

// Events returns the events a query selects, newest first, and the cursor to
// go on with, "" at the end. An id that was merged away stands for the device
// it became part of; events of both are told.
func (i *Inventory) Events(ctx context.Context, q EventQuery) ([]Event, string, error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	if i.store != nil {
		return i.storedEvents(ctx, q)
	}
	i.mu.RLock()
	defer i.mu.RUnlock()
	return pickEvents(i.chain.kept, q, i.names(q.Device))
}

// names are all ids of a device.
func (i *Inventory) names(id string) []string {
	if id == "" {
		return nil
	}
	e := i.find(id)
	if e == nil {
		return []string{id}
	}
	names := []string{e.id}
	for gone := range i.alias {
		if i.find(gone) == e {
			names = append(names, gone)
		}
	}
	return names
}

// pickEvents applies a query to events in rising order.
func pickEvents(all []Event, q EventQuery, names []string) ([]Event, string, error) {
	after, err := cursor(q)
	if err != nil {
		return nil, "", err
	}
	out := []Event{}
	for n := range all {
		e := &all[n]
		if !q.Oldest {
			e = &all[len(all)-1-n]
		}
		if after > 0 && (q.Oldest && e.Seq <= after || !q.Oldest && e.Seq >= after) || !q.matches(e, names) {
			continue
		}
		if len(out) == q.Limit {
			return out, strconv.FormatInt(out[len(out)-1].Seq, 10), nil
		}
		out = append(out, *e)
	}
	return out, "", nil
}

func (q *EventQuery) matches(e *Event, names []string) bool {
	return (q.Device == "" || slices.Contains(names, e.Device)) && (q.Event == "" || e.Event == q.Event) &&
		(q.Since.IsZero() || !e.Time.Before(q.Since)) && (q.Until.IsZero() || e.Time.Before(q.Until))
}

func cursor(q EventQuery) (int64, error) {
	if q.Cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(q.Cursor, 10, 64)
	if err != nil || n < 0 {
		return 0, &CursorError{q.Cursor}
	}
	return n, nil
}

// CursorError is a cursor that no answer ever gave.
type CursorError struct{ Cursor string }

func (e *CursorError) Error() string { return "inventory: unknown cursor " + strconv.Quote(e.Cursor) }
