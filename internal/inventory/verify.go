package inventory

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"camcensus/discovery"
)

// Verification is what Verify found.
type Verification struct {
	Length int64 `json:"length"` // sequence number of the last event
	Base   int64 `json:"base"`   // events up to it are not in this file
	// Recorded is the event by which the chain itself tells why they are not, 0
	// for none; Aside is the name of the file that was set aside, "" where none is
	// known.
	Recorded int64  `json:"recorded"`
	Aside    string `json:"aside"`
	Events   int64  `json:"events"` // those in this file, each of them verified
	Head     string `json:"head"`
	Records  int    `json:"records"` // raw records that events cite
	// AnswersOnly are those of them of which the events cover the answer and
	// neither its address nor its time: an older version kept them.
	AnswersOnly int `json:"answers_only"`
	Devices     int `json:"devices"`
	// Lost are those of them of which the evidence went with a damaged file, and
	// that nothing since settled.
	Lost []string `json:"lost"`
	// Forgotten are the devices that events tell of and that are no longer kept.
	Forgotten []string `json:"forgotten"`
	// Faults are what is wrong, one line each; Open is what cannot be told from
	// this file. Both are empty when all holds.
	Faults []string `json:"faults"`
	Open   []string `json:"open"`

	scratch *Inventory // holds the words while forms are read
	filing  *filing
	cited   *citations
}

// OK tells that nothing is wrong, and nothing is left open.
func (v *Verification) OK() bool { return len(v.Faults) == 0 && len(v.Open) == 0 }

const maxFaults = 20

func (v *Verification) open(format string, args ...any) {
	v.Open = append(v.Open, fmt.Sprintf(format, args...))
}

func (v *Verification) fault(format string, args ...any) {
	if len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
	}
}

// Verify reads the whole store and tells whether anything in it was altered,
// dropped or reordered. Against a head that was written down earlier, with its
// sequence number, it also finds a cut tail and a chain that was made anew; the
// first 12 digits of the head are enough; head "" leaves that out.
func (i *Inventory) Verify(ctx context.Context, head string, seq int64) (*Verification, error) {
	if i.store == nil {
		return i.verifyMemory(head, seq), nil
	}
	if !i.readOnly {
		if err := i.Sync(); err != nil {
			return nil, fmt.Errorf("inventory: verify: %w", err)
		}
	}
	tx, err := i.store.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("inventory: verify: %w", err)
	}
	defer tx.Rollback()
	v := newVerification()
	for _, step := range []func(context.Context, *sql.Tx) error{v.integrity, v.events(head, seq), v.forms, v.filed, v.records} {
		if err := step(ctx, tx); err != nil {
			if !isCorrupt(err) {
				return nil, fmt.Errorf("inventory: verify: %w", err)
			}
			v.fault("the file is damaged: %v", err)
		}
	}
	return v, nil
}

func newVerification() *Verification {
	return &Verification{Lost: []string{}, Forgotten: []string{}, Faults: []string{}, Open: []string{}, scratch: newInventory(Options{}), filing: newFiling(), cited: newCitations()}
}

func (v *Verification) integrity(ctx context.Context, tx *sql.Tx) error {
	return eachTx(ctx, tx, "PRAGMA integrity_check(20)", func(r *sql.Rows) error {
		var line string
		err := r.Scan(&line)
		if line != "ok" {
			v.fault("file: %s", line)
		}
		return err
	})
}

func eachTx(ctx context.Context, tx *sql.Tx, query string, show func(*sql.Rows) error) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := show(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// walk follows the chain event by event.
type walk struct {
	v    *Verification
	head [32]byte
	seq  int64
	want string // the earlier head
	at   int64  // and its sequence number
	met  bool

	counts, told map[string]int64 // events by name: met, and as the file says
	due          string           // the record of a file set aside that no event bears yet
}

func (w *walk) step(e *Event) {
	switch {
	case e.Seq <= w.seq:
		w.v.fault("event %d stands in a file that is said to begin after event %d", e.Seq, w.seq)
	case e.Seq != w.seq+1:
		w.v.fault("event %d follows event %d: %d events are missing", e.Seq, w.seq, e.Seq-w.seq-1)
	}
	next := hashEvent(w.head, e)
	if got := hex.EncodeToString(next[:]); got != e.Hash {
		w.v.fault("event %d (%s of %s): its hash does not follow from the event before it and its text", e.Seq, e.Event, e.Device)
	}
	hex.Decode(w.head[:], []byte(e.Hash))
	w.seq = e.Seq
	if base, aside, _, ok := markedBase(e.Evidence); ok && base == w.v.Base {
		if w.v.Aside = aside; base > 0 {
			w.v.Recorded = e.Seq
		}
	}
	w.v.Events++
	w.counts[e.Event]++
	w.compare()
}

// minHead is how many digits of an earlier head are held to be one: as many as
// the metrics tell.
const minHead = 12

// compare holds the chain against the earlier head.
func (w *walk) compare() {
	if w.want == "" || w.seq != w.at {
		return
	}
	w.met = true
	if len(w.want) < minHead || !strings.HasPrefix(hex.EncodeToString(w.head[:]), strings.ToLower(w.want)) {
		w.v.fault("event %d has hash %x, the earlier head says %s: the chain was made anew", w.seq, w.head, w.want)
	}
}

func (w *walk) finish(length int64) {
	if length > w.seq {
		w.v.fault("the chain ends at event %d, %d were written: its tail was cut off", w.seq, length)
	}
	for name, n := range w.told {
		if n < w.counts[name] || w.v.Base == 0 && n != w.counts[name] {
			w.v.fault("%d events %q are in the chain, %d were counted", w.counts[name], name, n)
		}
	}
	w.missing()
	switch {
	case w.want == "" || w.met:
	case w.at < w.v.Base:
		w.v.open("event %d of the earlier head is not in this file, which begins after event %d: it cannot be checked here, but in %s", w.at, w.v.Base, w.v.elsewhere())
	case w.at > w.seq:
		w.v.fault("the chain ends at event %d, the earlier head is of event %d: its tail was cut off", w.seq, w.at)
	default:
		w.v.fault("event %d of the earlier head is not in this file", w.at)
	}
	w.v.Length, w.v.Head = w.seq, hex.EncodeToString(w.head[:])
}

// missing leaves open what happened to events that are not in this file, unless
// the chain itself tells.
func (w *walk) missing() {
	v := w.v
	if v.Recorded == 0 && w.due != "" {
		_, v.Aside, _, _ = markedBase(w.due)
	}
	switch {
	case v.Base == 0 || v.Recorded > 0:
	case w.due != "":
		v.open("events 1 to %d are not in this file; it says that they are in %s, but no event records that yet", v.Base, v.elsewhere())
	default:
		v.open("events 1 to %d are not in this file, and no event in it records that a file was set aside: they were taken out, or a version before this one set the file aside", v.Base)
	}
}

// elsewhere is where events are that this file lacks.
func (v *Verification) elsewhere() string {
	if v.Aside == "" || v.Aside == "gone" {
		return "the file that has them"
	}
	return v.Aside
}

func (v *Verification) events(head string, seq int64) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		w := &walk{v: v, want: head, at: seq, counts: map[string]int64{}, told: map[string]int64{}}
		length, err := v.base(ctx, tx, w)
		if err != nil {
			return err
		}
		w.compare()
		err = eachTx(ctx, tx, "SELECT seq, time, device, event, was, became, by, evidence, hash, owner FROM events ORDER BY seq", func(r *sql.Rows) error {
			var owner int64
			e, err := scanEvent(r, &owner)
			if err == nil {
				w.step(&e)
				v.filing.step(v, &e, owner)
				v.cited.step(&e)
			}
			return err
		})
		w.finish(length)
		return err
	}
}

// base reads where the chain of this file begins and how long it is said to be.
func (v *Verification) base(ctx context.Context, tx *sql.Tx, w *walk) (int64, error) {
	var length int64
	err := eachTx(ctx, tx, "SELECT name, value FROM meta WHERE name LIKE 'chain.%' OR name LIKE 'count.%'", func(r *sql.Rows) error {
		var name, value string
		if err := r.Scan(&name, &value); err != nil {
			return err
		}
		n, _ := strconv.ParseInt(value, 10, 64)
		if event, ok := strings.CutPrefix(name, "count."); ok {
			w.told[event] = n
		}
		switch name {
		case "chain.length":
			length = n
		case "chain.base":
			v.Base, w.seq = n, n
		case markMeta:
			w.due = value
		case "chain.base_head":
			hex.Decode(w.head[:], []byte(value))
		}
		return nil
	})
	return length, err
}

// forms checks every stored device and its evidence against their checksums.
func (v *Verification) forms(ctx context.Context, tx *sql.Tx) error {
	for _, t := range []struct{ query, what string }{
		{"SELECT no, id, state, class, manufacturer, first_seen, last_seen, form FROM devices", "device"},
		{"SELECT no, '', '', '', '', 0, 0, form FROM evidence", "evidence"},
	} {
		err := eachTx(ctx, tx, t.query, func(r *sql.Rows) error {
			var id, state, class, maker string
			var no, first, last int64
			var form sql.RawBytes
			if err := r.Scan(&no, &id, &state, &class, &maker, &first, &last, &form); err != nil {
				return err
			}
			if t.what == "device" {
				v.device(no, id, state, class, maker, first, last, form)
				return nil
			}
			d := v.filing.kept[no]
			if d == nil {
				v.fault("there is evidence of device number %d, but no such device", no)
				return nil
			}
			d.evidence = true
			c := &cold{}
			if err := unsealCold(form, func(r *decoder) error { return r.conclusions(v.scratch, c) }, nil); err != nil {
				v.fault("evidence of %s: %v", d.id, err)
			} else if c.lost {
				v.Lost = append(v.Lost, d.id)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *Verification) device(no int64, id, state, class, maker string, first, last int64, form []byte) {
	v.Devices++
	d := &keptDevice{id: id}
	v.filing.kept[no] = d
	e, err := decodeEntry(v.scratch, form)
	if err == nil {
		d.tracked, d.judged = e.tracked || e.annotated(), e.judgedBySigns()
	}
	switch {
	case err != nil:
		v.fault("device %s: %v", id, err)
	case e.id != id || string(e.state) != state || string(e.claims.class) != class || e.claims.manufacturer != maker || e.first != first || e.last != last:
		v.fault("device %s: its columns and its stored form differ", id)
	}
}

func readRecords(ctx context.Context, db *sql.DB, device string) ([]discovery.Record, error) {
	var out []discovery.Record
	err := each(ctx, db, "SELECT record FROM records WHERE device = ?", func(r *sql.Rows) error {
		var text string
		if err := r.Scan(&text); err != nil {
			return err
		}
		var rec discovery.Record
		if err := json.Unmarshal([]byte(text), &rec); err != nil {
			return err
		}
		out = append(out, rec)
		return nil
	}, device)
	return out, err
}

func (i *Inventory) verifyMemory(head string, seq int64) *Verification {
	i.mu.RLock()
	defer i.mu.RUnlock()
	v := newVerification()
	w := &walk{v: v, want: head, at: seq, counts: map[string]int64{}}
	if kept := i.chain.kept; len(kept) > 0 && kept[0].Seq > 1 {
		v.Base, v.Recorded, w.seq = kept[0].Seq, kept[0].Seq, kept[0].Seq
		hex.Decode(w.head[:], []byte(kept[0].Hash))
		for n := range kept[1:] {
			w.step(&kept[n+1])
		}
	} else {
		for n := range kept {
			w.step(&kept[n])
		}
	}
	w.finish(i.chain.seq)
	return v
}

// Backup writes a whole, consistent copy of the store to a new file, while the
// agent goes on.
func (i *Inventory) Backup(ctx context.Context, file string) error {
	if i.store == nil {
		return errors.New("inventory: backup: it is in memory only")
	}
	if !i.readOnly {
		if err := i.Sync(); err != nil {
			return fmt.Errorf("inventory: backup to %s: %w", file, err)
		}
	}
	db, err := sql.Open("sqlite", dsn(i.store.path, "mode=ro&_pragma=busy_timeout(5000)"))
	if err != nil {
		return fmt.Errorf("inventory: backup to %s: %w", file, err)
	}
	defer db.Close()
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("inventory: backup to %s: the file exists already", file)
	case err != nil:
		return fmt.Errorf("inventory: backup: %w", err)
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", file)
	if err = cmp.Or(err, f.Chmod(0o640), f.Sync(), f.Close()); err == nil {
		return nil
	}
	f.Close()
	os.Remove(file + "-journal")
	if os.Remove(file) != nil {
		return fmt.Errorf("inventory: backup to %s: %w: what was begun of it is no backup", file, err)
	}
	return fmt.Errorf("inventory: backup to %s: %w: nothing was kept of it", file, err)
}
