package inventory

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"camcensus/discovery"
)

// The chain covers what an event says. These checks hold against it what else
// lies in the file and has to agree: the number of the device under which an
// event is found, what became of merged ids, and the raw records that events
// cite.

// filing follows under which device each event is filed.
type filing struct {
	trails map[string]*trail // by the id of a device
	of     map[int64]string  // the device that a number is of, as the events say
	newest int64             // the highest number so far
	merged map[string]merging
	split  map[string]bool // ids that something was split from
	kept   map[int64]*keptDevice

	// What persons said and did not take back keeps a device for ever: its
	// determination, and its exceptions by their ids.
	determined map[string]int64
	excepted   map[string]grant
	mixed      map[string]bool // ids merged or split: what was said of one may have gone to the other
}

// grant is the event of an exception.
type grant struct {
	seq    int64
	device string
}

// trail is how the events of one id are filed. A device that was forgotten and
// shows itself again has its id, and a new number.
type trail struct {
	no     int64
	newest int64 // the highest number of all when its last event was written
	again  bool  // this is not its first number
	begun  bool  // under this number it appeared, or was merged
	seen   bool  // it appeared, under whatever number
	signs  int64 // the event by which signs identified it last, under this number
}

// merging is an event of one device having become part of another.
type merging struct {
	seq  int64
	into string
	no   int64 // the number of that one
}

// keptDevice is a device that is stored.
type keptDevice struct {
	id       string
	tracked  bool // events tell of it
	judged   bool // by evidence
	evidence bool
}

func newFiling() *filing {
	return &filing{trails: map[string]*trail{}, of: map[int64]string{}, merged: map[string]merging{}, split: map[string]bool{}, kept: map[int64]*keptDevice{},
		determined: map[string]int64{}, excepted: map[string]grant{}, mixed: map[string]bool{}}
}

func (f *filing) step(v *Verification, e *Event, owner int64) {
	switch {
	case e.Device == "" && owner == 0:
		return
	case e.Device == "" || owner <= 0:
		v.misfiled(e)
		return
	}
	if id, known := f.of[owner]; known && id != e.Device {
		v.misfiled(e)
		return
	}
	f.of[owner] = e.Device
	f.said(e)
	t := f.trails[e.Device]
	if t == nil {
		t = &trail{no: owner}
		f.trails[e.Device] = t
	}
	if owner != t.no {
		// The number of one that came back is higher than any before it.
		if owner <= t.newest {
			v.misfiled(e)
			return
		}
		t.no, t.again, t.begun, t.signs = owner, true, false, 0
	}
	switch e.Event {
	case "appeared":
		t.begun, t.seen = true, true
	case "identified":
		if e.Evidence != "" {
			t.signs = e.Seq
		}
	case "merged":
		t.begun = true
		f.merged[e.From] = merging{seq: e.Seq, into: e.To, no: owner}
	case "split":
		delete(f.merged, e.To)
		f.split[e.From] = true
	}
	if t.again && !t.begun && e.By == "" && e.Event != "exception_expired" {
		v.misfiled(e)
	}
	f.newest = max(f.newest, owner)
	t.newest = f.newest
}

// said follows what persons said of the device of an event.
func (f *filing) said(e *Event) {
	words := strings.Fields(e.From)
	switch e.Event {
	case "determined":
		if delete(f.determined, e.Device); e.To != "" {
			f.determined[e.Device] = e.Seq
		}
	case "excepted":
		granted, _, _ := strings.Cut(e.To, " until ")
		if words = strings.Fields(granted); len(words) > 0 {
			f.excepted[words[len(words)-1]] = grant{e.Seq, e.Device}
		}
	case "exception_expired", "exception_withdrawn":
		if len(words) > 0 {
			delete(f.excepted, words[len(words)-1])
		}
	case "merged", "split":
		f.mixed[e.From], f.mixed[e.To] = true, true
	}
}

func (v *Verification) misfiled(e *Event) {
	v.fault("event %d (%s of %s) is filed under another device: a list of the device's events would not show it", e.Seq, e.Event, e.Device)
}

// filed holds the numbers and the merged ids against what the events say, and
// the evidence against the devices.
func (v *Verification) filed(ctx context.Context, tx *sql.Tx) error {
	f, aliases, holder := v.filing, map[string]alias{}, map[int64]string{}
	numbers := map[string]int64{}
	for no, d := range f.kept {
		numbers[d.id], holder[no] = no, d.id
		if d.evidence {
			continue
		}
		// What cannot be read of a file that is set aside is gathered anew.
		if t := f.trails[d.id]; v.Base > 0 && d.judged {
			v.Lost = append(v.Lost, d.id)
		} else if t != nil && t.no == no && t.signs > 0 && v.Base == 0 {
			v.fault("the evidence of %s, on which event %d rests, is not there", d.id, t.signs)
		}
	}
	slices.Sort(v.Lost)
	err := eachTx(ctx, tx, "SELECT id, device, no FROM aliases", func(r *sql.Rows) error {
		var id string
		var a alias
		err := r.Scan(&id, &a.device, &a.no)
		aliases[id], numbers[id], holder[a.no] = a, a.no, id
		return err
	})
	for id, t := range f.trails {
		no, there := numbers[id]
		d := f.kept[no]
		switch {
		case !there:
			v.Forgotten = append(v.Forgotten, id)
		case no != t.no && (no <= t.newest || d != nil && d.tracked):
			v.fault("events of %s are filed under number %d, the device has %d: a list of its events would not show them", id, t.no, no)
		}
	}
	for no, id := range f.of {
		if is := holder[no]; is != "" && is != id {
			v.fault("events of %s are filed under %s: a list of its events would not show them", id, is)
		}
	}
	for gone, m := range f.merged {
		a, there := aliases[gone]
		t := f.trails[gone]
		switch {
		case holder[m.no] == "": // the other is no longer kept
		case there && a.device != m.into:
			v.fault("%s became part of %s (event %d), the file says of %s", gone, m.into, m.seq, a.device)
		case !there && t != nil && t.seen && !f.split[gone] && numbers[gone] == 0:
			v.fault("%s became part of %s (event %d), the file no longer says so: a list of that device's events would not show those of %s", gone, m.into, m.seq, gone)
		}
	}
	slices.Sort(v.Forgotten)
	for id, seq := range f.determined {
		v.spokenOf(id, seq, numbers)
	}
	for _, x := range f.excepted {
		v.spokenOf(x.device, x.seq, numbers)
	}
	return err
}

// spokenOf tells of a device that is not there, though what a person said of it
// in an event stands.
func (v *Verification) spokenOf(id string, seq int64, numbers map[string]int64) {
	if numbers[id] == 0 && !v.filing.mixed[id] {
		v.fault("%s is not there, though what event %d says of it stands", id, seq)
	}
}

// citations are the raw records that events rest on.
type citations struct {
	by      map[cited]citing
	clipped map[string]bool // devices of which an event may cite more than it shows
}

type cited struct{ device, digest string }

type citing struct {
	seq  int64
	kind string
	met  bool
}

func newCitations() *citations {
	return &citations{by: map[cited]citing{}, clipped: map[string]bool{}}
}

// step notes what an event cites. One that was cut at its longest, as older
// versions did, may end within what a device sent.
func (c *citations) step(e *Event) {
	if e.Event != "verdict_changed" {
		return
	}
	_, _, evidence, _ := markedBase(e.Evidence)
	if len(evidence) > maxEventText-utf8.UTFMax {
		c.clipped[e.Device] = true
		return
	}
	end := citation.FindStringSubmatch(evidence)
	if end == nil {
		return
	}
	for one := range slices.Chunk(strings.Fields(end[1]), 2) {
		k := cited{e.Device, strings.TrimPrefix(one[1], "sha256:")}
		if _, known := c.by[k]; !known {
			c.by[k] = citing{seq: e.Seq, kind: one[0]}
		}
	}
}

// records holds the raw records against their digests, and against the events
// that cite them: each is there, and no other.
func (v *Verification) records(ctx context.Context, tx *sql.Tx) error {
	count, uncited := map[string]int{}, 0
	err := eachTx(ctx, tx, "SELECT device, digest, kind, record FROM records", func(r *sql.Rows) error {
		var device, digest, kind, text string
		if err := r.Scan(&device, &digest, &kind, &text); err != nil {
			return err
		}
		count[device]++
		short := digest[:min(citedDigits, len(digest))]
		var rec discovery.Record
		err := json.Unmarshal([]byte(text), &rec)
		whole := digest == recordDigest([]byte(text))
		by, known := v.cited.by[cited{device, short}]
		switch {
		case err != nil || !whole && digest != recordDigest(rec.Bytes()) || kind != rec.Kind || known && kind != by.kind:
			v.fault("raw record %s of %s was altered", short, device)
		case known:
			v.Records++
			if !whole {
				v.AnswersOnly++
			}
		case v.cited.clipped[device]:
		case v.Base > 0:
			uncited++
		default:
			v.fault("raw record %s of %s is cited by no event", short, device)
		}
		by.met = true
		v.cited.by[cited{device, short}] = by
		return nil
	})
	if uncited > 0 { // a file that begins anew has none
		v.fault("there are %d raw records that only events 1 to %d can have cited: those were taken out of this very file", uncited, v.Base)
	}
	for k, by := range v.cited.by {
		if !by.met && count[k.device] < maxKeptPerDevice {
			v.fault("raw record %s of %s, which event %d cites, is not there", k.digest, k.device, by.seq)
		}
	}
	return err
}
