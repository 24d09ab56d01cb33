package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// What an edit may fail by; callers turn these into a status.
var (
	ErrNoDevice = errors.New("no such device")
	ErrReadOnly = errors.New("the inventory is open for reading only")
	// ErrInvalid: the edit itself is wrong; its text says how.
	ErrInvalid = errors.New("invalid")
	// ErrDeferred: the edit holds, but is not on disk yet.
	ErrDeferred = errors.New("kept in memory, not on disk yet")
)

// edit runs a change to one device under the lock and waits until it is on
// disk.
func (i *Inventory) edit(what, id, by string, change func(e *entry, now time.Time) error) error {
	i.mu.Lock()
	err := i.change(id, by, change)
	i.mu.Unlock()
	if err != nil {
		return fmt.Errorf("inventory: %s %s: %w", what, id, err)
	}
	if err := i.await(waiter{all: wide[what]}); err != nil {
		return fmt.Errorf("inventory: %s %s: %w: %w", what, id, ErrDeferred, err)
	}
	return nil
}

// wide are the edits that change more than the one device.
var wide = map[string]bool{"merge": true, "split": true}

func (i *Inventory) change(id, by string, change func(e *entry, now time.Time) error) error {
	switch e := i.find(id); {
	case i.readOnly:
		return ErrReadOnly
	case strings.TrimSpace(by) == "":
		return fmt.Errorf("%w: who does it is not told (by)", ErrInvalid)
	case e == nil:
		return ErrNoDevice
	default:
		err := change(e, i.now())
		i.store.hurry(e)
		return err
	}
}

// Except grants an exception: x needs Policy, Owner, Reason, By and Expires in
// the future. It returns the exception with its id.
func (i *Inventory) Except(id string, x Exception) (Exception, error) {
	err := i.edit("except", id, x.By, func(e *entry, now time.Time) error {
		for _, f := range [][2]string{{"policy", x.Policy}, {"owner", x.Owner}, {"reason", x.Reason}} {
			if strings.TrimSpace(f[1]) == "" {
				return fmt.Errorf("%w: an exception needs %s", ErrInvalid, f[0])
			}
			if err := fits(f[0], f[1]); err != nil {
				return err
			}
		}
		if !x.Expires.After(now) {
			return fmt.Errorf("%w: an exception needs an expiry in the future, not %s", ErrInvalid, x.Expires.Format(time.RFC3339))
		}
		x.ID, x.Created, x.Expires = "x-"+deviceID("")[2:10], now, x.Expires.UTC()
		p := e.person()
		p.exceptions = append(slices.Clip(p.exceptions), x)
		i.touch(e)
		i.tell(e, Event{
			Time: now, Event: "excepted", To: x.line() + " until " + x.Expires.Format(time.RFC3339), By: x.By,
			Evidence: abridged("owner "+x.Owner, maxEventText/2-2) + ": " + abridged(x.Reason, maxEventText/2),
		})
		return nil
	})
	return x, err
}

// line names an exception, for events.
func (x *Exception) line() string { return abridged(x.Policy, maxEventText/2) + " " + x.ID }

// Unexcept withdraws an exception by its id, or, where exception names a
// policy, every exception of the device under that policy.
func (i *Inventory) Unexcept(id, exception, by string) error {
	return i.edit("unexcept", id, by, func(e *entry, now time.Time) error {
		if e.people == nil {
			return fmt.Errorf("%w: no exception %q", ErrInvalid, exception)
		}
		p := e.people
		kept := p.exceptions[:0:0]
		for _, x := range p.exceptions {
			if x.ID != exception && x.Policy != exception {
				kept = append(kept, x)
				continue
			}
			i.tell(e, Event{Time: now, Event: "exception_withdrawn", From: x.line(), By: by})
		}
		if len(kept) == len(p.exceptions) {
			return fmt.Errorf("%w: no exception %q", ErrInvalid, exception)
		}
		p.exceptions = kept
		i.touch(e)
		return nil
	})
}

// Remove takes down a person's word that the device was taken away. A sighting
// after that makes it present again, with the event "returned".
func (i *Inventory) Remove(id, reason, by string) error {
	return i.edit("remove", id, by, func(e *entry, now time.Time) error {
		if strings.TrimSpace(reason) == "" {
			return fmt.Errorf("%w: a removal needs a reason", ErrInvalid)
		}
		if err := fits("reason", reason); err != nil {
			return err
		}
		from := e.state
		i.setState(e, Removed)
		e.person().removal = &Removal{Reason: reason, By: by, Time: now}
		i.touch(e)
		i.tell(e, Event{Time: now, Event: "removed", From: string(from), To: string(Removed), By: by, Evidence: reason})
		return nil
	})
}

// AnnotationPatch changes the fields that are not nil.
type AnnotationPatch struct {
	Location *string `json:"location"`
	Owner    *string `json:"owner"`
	Acquired *string `json:"acquired"` // YYYY-MM-DD or ""
	Note     *string `json:"note"`
}

// maxWords bounds each text that a person gives, in bytes.
const maxWords = 8 << 10

func fits(name, text string) error {
	if len(text) > maxWords {
		return fmt.Errorf("%w: %s is %d bytes long: needs at most %d", ErrInvalid, name, len(text), maxWords)
	}
	return nil
}

// Annotate keeps what only a person knows; where the date of acquisition
// changes, the device is judged anew.
func (i *Inventory) Annotate(id string, c AnnotationPatch, by string) error {
	dated := false
	err := i.edit("annotate", id, by, func(e *entry, now time.Time) error {
		if c.Acquired != nil && *c.Acquired != "" {
			on, err := time.Parse(time.DateOnly, *c.Acquired)
			if err != nil {
				return fmt.Errorf("%w: acquired %q is no date (needs YYYY-MM-DD)", ErrInvalid, *c.Acquired)
			}
			if toCome(on, now) {
				return fmt.Errorf("%w: acquired %s is yet to come", ErrInvalid, *c.Acquired)
			}
		}
		var was Annotations
		if e.people != nil {
			was = e.people.annotations
		}
		a := was
		for _, f := range []struct {
			name     string
			to, from *string
		}{{"location", &a.Location, c.Location}, {"owner", &a.Owner, c.Owner}, {"acquired", &a.Acquired, c.Acquired}, {"note", &a.Note, c.Note}} {
			if f.from == nil {
				continue
			}
			if err := fits(f.name, *f.from); err != nil {
				return err
			}
			*f.to = strings.ToValidUTF8(*f.from, "?")
		}
		if was == a {
			return nil
		}
		dated = was.Acquired != a.Acquired
		e.person().annotations = a
		i.touch(e)
		from, to := was.changes(a)
		i.tell(e, Event{Time: now, Event: "annotated", From: from, To: to, By: by})
		return nil
	})
	if dated {
		i.rejudge(id)
	}
	return err
}

// toCome tells whether a day is after today, by UTC and where this runs.
func toCome(day, now time.Time) bool {
	return day.UTC().Format(time.DateOnly) > max(now.UTC().Format(time.DateOnly), now.Local().Format(time.DateOnly))
}

// changes tells the annotations that differ, as they were and as they are; one
// that was or is empty is left out on that side.
func (a Annotations) changes(now Annotations) (from, to string) {
	fields := slices.DeleteFunc([][3]string{
		{"location", a.Location, now.Location}, {"owner", a.Owner, now.Owner}, {"acquired", a.Acquired, now.Acquired}, {"note", a.Note, now.Note},
	}, func(f [3]string) bool { return f[1] == f[2] })
	line := func(side int) string {
		var parts []string
		for _, f := range fields {
			if f[side] != "" {
				parts = append(parts, f[0]+"="+abridged(f[side], maxEventText/len(fields)-len(f[0])-len("=; ")))
			}
		}
		return strings.Join(parts, "; ")
	}
	return line(1), line(2)
}

// Bases are what a determination may rest on.
var Bases = []string{"label", "document", "maker_letter", "inspection"}

// Determine takes down a person's finding on who made the device; nil takes it
// back. The device is judged anew.
func (i *Inventory) Determine(id string, d *Determination, by string) error {
	err := i.edit("determine", id, by, func(e *entry, now time.Time) error {
		p := e.person()
		from, to, why := p.determination.line(), "", ""
		if d != nil {
			if strings.TrimSpace(d.Manufacturer) == "" || !slices.Contains(Bases, d.Basis) {
				return fmt.Errorf("%w: a determination needs a manufacturer and a basis (%s)", ErrInvalid, strings.Join(Bases, ", "))
			}
			if err := cmp.Or(fits("manufacturer", d.Manufacturer), fits("note", d.Note)); err != nil {
				return err
			}
			fresh := *d
			fresh.By = cmp.Or(d.By, by)
			if fresh.Date.IsZero() {
				fresh.Date = now
			}
			if toCome(fresh.Date, now) {
				return fmt.Errorf("%w: date %s is yet to come", ErrInvalid, fresh.Date.Format(time.DateOnly))
			}
			p.determination = &fresh
			to, why = fresh.line(), fresh.Note
		} else {
			if p.determination == nil {
				return fmt.Errorf("%w: there is no determination to take back", ErrInvalid)
			}
			p.determination = nil
		}
		i.touch(e)
		i.tell(e, Event{Time: now, Event: "determined", From: from, To: to, By: by, Evidence: why})
		p.decided = &decided{event: i.chain.seq, by: by}
		if d == nil && e.claims.class != fingerprint.ClassUnknown && (len(i.counting(e)) == 0 || i.isLost(e)) {
			i.unsettle(e, now)
		}
		return nil
	})
	if (err == nil || errors.Is(err, ErrDeferred)) && i.rejudge(id) {
		i.mu.Lock()
		if e := i.find(id); e != nil && e.people != nil {
			e.people.decided = nil
		}
		i.mu.Unlock()
	}
	return err
}

// unsettle leaves the verdicts of a device open, where they rested on nothing but
// a determination.
func (i *Inventory) unsettle(e *entry, now time.Time) {
	old := e.verdicts
	open := make([]policy.Verdict, len(old))
	for n, v := range old {
		open[n] = policy.Verdict{Policy: v.Policy, Verdict: policy.Unknown, Verb: v.Verb}
	}
	i.judged(e, open)
	i.verdictEvents(e, old, now, "")
}

// decided is the event of a determination whose consequences for the verdicts are
// yet to be told.
type decided struct {
	event int64
	by    string
}

// grounds are what a verdict of the device rests on, where the signs say basis,
// and the person who decided it just now, "" for nobody. What a person determined
// stands before the signs, which may speak against it.
func (e *entry) grounds(basis string) (evidence, by string) {
	if e.people == nil {
		return basis, ""
	}
	d, now := e.people.determination, e.people.decided
	switch {
	case now != nil && d != nil:
		return fmt.Sprintf("as event %d: determined by %s: %s", now.event, d.By, d.line()), now.by
	case now != nil:
		return joinLine(fmt.Sprintf("as event %d: determination taken back by %s", now.event, now.by), basis), now.by
	case d != nil:
		return joinLine("determined by "+d.By+" on "+d.Date.Format(time.DateOnly)+": "+d.line(), basis), ""
	}
	return basis, ""
}

func (d *Determination) line() string {
	if d == nil {
		return ""
	}
	return d.Manufacturer + " (" + d.Basis + ")"
}

// Merge is a person's word that two ids are one device. It returns the id that
// lives on.
func (i *Inventory) Merge(id, other, reason, by string) (string, error) {
	kept := ""
	err := i.edit("merge", id, by, func(e *entry, now time.Time) error {
		o := i.find(other)
		if o == nil || o == e {
			return fmt.Errorf("%w: %s is not another device", ErrInvalid, other)
		}
		delete(i.apart, pair(e.id, o.id))
		i.store.dropApart(pair(e.id, o.id))
		kept = i.merge(e, o, now, by, reason).id
		return nil
	})
	if err == nil || errors.Is(err, ErrDeferred) {
		i.rejudge(kept)
	}
	return kept, err
}

// Split undoes a merge: id is the one that was merged away. Both are judged
// anew, and are not merged again unless a person says so.
func (i *Inventory) Split(id, reason, by string) error {
	kept := ""
	err := i.edit("split", id, by, func(e *entry, now time.Time) error {
		u := i.undo[id]
		if u == nil {
			return fmt.Errorf("%w: no merge of %s that could be undone", ErrInvalid, id)
		}
		kept = e.id
		return i.restore(u, now, by, reason)
	})
	if err == nil || errors.Is(err, ErrDeferred) {
		i.rejudge(kept)
		i.rejudge(id)
	}
	return err
}

// Merged is one merge that can be undone.
type Merged struct {
	Kept string    `json:"kept"`
	Gone string    `json:"gone"`
	Time time.Time `json:"time"`
}

// Merges lists the merges into a device that can be undone.
func (i *Inventory) Merges(id string) []Merged {
	i.mu.RLock()
	defer i.mu.RUnlock()
	out := []Merged{}
	e := i.find(id)
	for _, u := range i.undo {
		if e != nil && i.find(u.kept) == e {
			out = append(out, Merged{Kept: e.id, Gone: u.gone, Time: at(u.time)})
		}
	}
	slices.SortFunc(out, func(a, b Merged) int { return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Gone, b.Gone)) })
	return out
}
