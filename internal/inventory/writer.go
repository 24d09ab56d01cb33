package inventory

import (
	"context"
	"encoding/hex"
	"time"

	"go.uber.org/zap"
)

// The writer's pace: a transaction holds at most maxBatch devices, and what
// comes in within gather goes into one.
const (
	maxBatch   = 1000
	gather     = 200 * time.Millisecond
	retryFirst = time.Second
	retryLast  = 30 * time.Second
)

// op is one small change beside devices and events.
type op struct {
	query  string
	args   []any
	stored func() // once it is on disk, under the inventory's lock; may be nil
}

// pending is what awaits the writer.
type pending struct {
	entries []*entry
	urgent  []*entry // somebody waits for them
	events  []Event
	owners  []int64 // of the events
	flying  []Event // in the transaction that runs now
	ops     []op
}

// row is one device, encoded for the writer.
type row struct {
	e          *entry
	no         int64
	id         string
	gone       bool
	state      string
	class      string
	maker      string
	first, end int64
	form       []byte
	cold       []byte // not sealed yet; nil when unchanged
}

type batch struct {
	rows   []row
	next   int // how many of them are not urgent
	events []Event
	owners []int64
	ops    []op
	counts map[string]uint64
}

// enqueue hands a device to the writer.
func (i *Inventory) enqueue(e *entry) {
	if i.store == nil || e.dirty {
		return
	}
	e.dirty = true
	i.store.pending.entries = append(i.store.pending.entries, e)
	i.store.ring()
}

func (s *store) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *store) put(query string, args ...any) {
	if s == nil {
		return
	}
	s.pending.ops = append(s.pending.ops, op{query: query, args: args})
	s.ring()
}

func (s *store) putEvent(e Event, owner int64) {
	s.pending.events = append(s.pending.events, e)
	s.pending.owners = append(s.pending.owners, owner)
	s.ring()
}

func (s *store) putAlias(id string, a alias) {
	s.put("INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", id, a.device, a.no)
}

func (s *store) putShared(name string) { s.put("INSERT OR IGNORE INTO shared VALUES (?)", name) }

// putMerge writes what it takes to undo a merge; from then on it lies in the
// store only.
func (s *store) putMerge(u *merged) {
	if s == nil {
		return
	}
	f := u.forms
	s.put("INSERT OR REPLACE INTO merges VALUES (?, ?, ?, ?, ?, ?, ?, ?)", u.gone, u.kept, u.time, u.offset, f.gone, f.goneSaid, f.kept, f.keptSaid)
	s.pending.ops[len(s.pending.ops)-1].stored = func() { u.forms = nil }
}

func (s *store) dropMerge(u *merged, kept string) {
	p := pair(kept, u.gone)
	s.put("DELETE FROM merges WHERE gone = ?", u.gone)
	s.put("DELETE FROM aliases WHERE id = ?", u.gone)
	s.put("INSERT OR IGNORE INTO apart VALUES (?, ?)", p[0], p[1])
}

func (s *store) dropApart(p [2]string) {
	s.put("DELETE FROM apart WHERE one = ? AND other = ?", p[0], p[1])
}

func (i *Inventory) putRecord(r keptRecord) {
	if i.store == nil {
		i.keptRecords = append(i.keptRecords, r)
		return
	}
	i.store.put("INSERT OR IGNORE INTO records SELECT ?, ?, ?, ? WHERE (SELECT count(*) FROM records WHERE device = ?) < ?",
		r.device, r.digest, r.record.Kind, string(r.text), r.device, maxKeptPerDevice)
}

// run writes until the store is closed.
func (s *store) run() {
	defer close(s.stopped)
	wait := retryFirst
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	guard := time.NewTicker(guardEvery)
	defer guard.Stop()
	due := false // the timer runs: what comes in meanwhile does not put it off
	for {
		var asked []waiter
		select {
		case <-s.wake:
			if !due {
				due = true
				timer.Reset(gather)
			}
			continue
		case <-timer.C:
			due = false
		case w := <-s.waiting:
			asked = append(asked, s.queued(w))
		case <-guard.C:
		case why := <-s.corrupt:
			_ = s.begin(why) // flush tries again
		case <-s.stop:
			return
		}
		if err := s.flush(asked); err != nil {
			due = true
			timer.Reset(wait)
			wait = min(2*wait, retryLast)
			continue
		}
		wait = retryFirst
	}
}

// flush writes all that is pending, and tells those who wait as soon as what
// they wait for is on disk.
func (s *store) flush(asked []waiter) (err error) {
	defer func() {
		for _, w := range asked {
			w.done <- err
		}
	}()
	if s.anew {
		if err := s.begin(nil); err != nil {
			return err
		}
	}
	if err := s.reconnect(); err != nil {
		s.inv.mu.Lock()
		s.failed("open", err)
		s.inv.mu.Unlock()
		return err
	}
	for {
		asked = append(asked, s.newWaiters()...)
		if err := s.guard(); err != nil {
			s.inv.mu.Lock()
			s.failed("guard", err)
			s.inv.mu.Unlock()
			return err
		}
		b := s.take()
		if b == nil {
			return nil
		}
		err := s.commit(b)
		s.settle(b, err)
		if err != nil {
			if isCorrupt(err) {
				_ = s.begin(err) // the next flush tries again
			}
			return err
		}
		waiting := asked[:0]
		for _, w := range asked {
			if !w.served(b) {
				waiting = append(waiting, w)
			}
		}
		asked = waiting
	}
}

// take encodes the next batch; nil when nothing is pending.
func (s *store) take() *batch {
	i := s.inv
	i.mu.Lock()
	defer i.mu.Unlock()
	p := &s.pending
	if len(p.entries)+len(p.urgent)+len(p.events)+len(p.ops) == 0 {
		return nil
	}
	n := min(len(p.entries), maxBatch)
	b := &batch{rows: make([]row, 0, n+len(p.urgent)), next: n, ops: p.ops, events: p.events, owners: p.owners, counts: map[string]uint64{}}
	for _, e := range p.urgent {
		b.rows = append(b.rows, i.row(e))
	}
	for _, e := range p.entries[:n] {
		if e.dirty {
			b.rows = append(b.rows, i.row(e))
		}
	}
	p.entries, p.urgent = p.entries[n:], nil
	soon := min(len(b.events), 4*maxBatch) // about as many as now
	p.ops, p.events, p.owners, p.flying = nil, make([]Event, 0, soon), make([]int64, 0, soon), b.events
	for _, e := range b.events {
		b.counts[e.Event] = i.chain.counts[e.Event]
	}
	return b
}

// row encodes a device. Names of what is no camera stay in memory.
func (i *Inventory) row(e *entry) row {
	e.dirty = false
	r := row{e: e, no: e.no, id: e.id, gone: e.gone}
	if e.gone {
		return r
	}
	r.state, r.class, r.maker, r.first, r.end = string(e.state), string(e.claims.class), e.claims.manufacturer, e.first, e.last
	r.form = encodeEntry(e, i.storesNames(e))
	e.stored = e.last
	if e.coldDirty {
		r.cold = i.coldForm(e)
		e.hold().packed = r.cold // until it is on disk
		e.coldDirty = false
	}
	return r
}

// coldForm encodes the evidence of a device, less the names that may not reach
// the disk.
func (i *Inventory) coldForm(e *entry) []byte {
	c, skip := e.cold, i.unnamed(e)
	if c == nil && skip == nil {
		return e.packed
	}
	if c == nil {
		var err error
		if c, err = readCold(i, e.packed); err != nil {
			return nil
		}
	}
	return coldBytes(c, skip)
}

// storesNames: hostnames and what else a person may have named a device by
// reach the disk only for cameras, unless all are wanted.
func (i *Inventory) storesNames(e *entry) bool {
	return i.opt.Hostnames == "all" || i.opt.Hostnames == "cameras" && e.tracked
}

// unnamed selects the items that may not reach the disk; nil: all may.
func (i *Inventory) unnamed(e *entry) func(*item) bool {
	if i.storesNames(e) {
		return nil
	}
	return func(it *item) bool { return mayName(it.Source, it.Field) }
}

// settle draws the consequences of a transaction.
func (s *store) settle(b *batch, err error) {
	i := s.inv
	i.mu.Lock()
	defer i.mu.Unlock()
	p := &s.pending
	p.flying = nil
	if err != nil {
		s.failed("write", err)
		s.giveBack(b)
		return
	}
	if s.health.Problem != "" {
		i.log.Info("inventory: on disk again", zap.String("path", s.path))
	}
	s.health.Problem = ""
	s.health.LastCommit = i.now()
	if n := len(b.events); n > 0 {
		last := b.events[n-1]
		i.chain.stored = last.Seq
		hex.Decode(i.chain.storedHead[:], []byte(last.Hash))
	}
	for _, o := range b.ops {
		if o.stored != nil {
			o.stored()
		}
	}
	for _, r := range b.rows {
		if r.e.coldDirty {
			continue
		}
		if !r.e.warm {
			r.e.dropCold()
		} else if r.e.packed != nil {
			r.e.packed = nil
		}
	}
}

// giveBack keeps a failed batch for the next attempt.
func (s *store) giveBack(b *batch) {
	p := &s.pending
	for _, r := range b.rows {
		r.e.coldDirty = r.e.coldDirty || r.cold != nil
		if !r.e.dirty {
			r.e.dirty = true
			p.entries = append(p.entries, r.e)
		}
	}
	p.events, p.owners = append(b.events, p.events...), append(b.owners, p.owners...)
	p.ops = append(b.ops, p.ops...)
}

// rowsPerInsert is how many rows one statement inserts: the statement's own
// cost is as much as that of a few rows.
const rowsPerInsert = 32

// judgedByMeta is there only while no agent runs: who was killed may have left
// evidence that was not judged yet.
const judgedByMeta = "judged_by"

// markMeta is there until an event has recorded that a file was set aside.
const markMeta = "chain.mark"

// siteMeta is the site that the store is of, as it was named last.
const siteMeta = "site"

const setMeta = "INSERT OR REPLACE INTO meta VALUES (?, ?)"

// begin sets a file that proved corrupt aside and begins a new one from what
// is in memory; the chain goes on from its head.
func (s *store) begin(why error) error {
	i := s.inv
	i.mu.Lock()
	defer i.mu.Unlock()
	if !s.anew {
		lost := s.salvage()
		if err := s.setAside(why); err != nil {
			s.failed("set aside", err)
			return err
		}
		s.anew = true
		if len(lost) > 0 {
			s.lose(len(lost))
			i.log.Error("inventory: evidence is lost: the verdicts stand until new evidence contradicts them", zap.Int("devices", len(lost)), zap.Strings("first", lost[:min(len(lost), 20)]))
		}
	}
	base, head := i.chain.stored, i.chain.storedHead
	born := i.created
	if err := s.connect(context.Background()); err != nil {
		s.failed("begin anew", err)
		i.created = born
		return err
	}
	s.anew = false
	i.chain.base, i.chain.baseHead = base, head
	s.pending.ops = append([]op{
		{query: setMeta, args: []any{"chain.base", base}},
		{query: setMeta, args: []any{"chain.base_head", hex.EncodeToString(head[:])}},
	}, s.pending.ops...)
	if base > 0 || s.aside != "" {
		i.relink(s.pending.events, setAsideMark(base, s.aside))
	}
	i.keepSite()
	for gone, a := range i.alias {
		s.putAlias(gone, a)
	}
	for name := range i.shared {
		s.putShared(name)
	}
	for gone, u := range i.undo {
		if u.forms == nil {
			delete(i.undo, gone) // what undid it went with the file
			continue
		}
		s.putMerge(u)
	}
	for _, e := range i.devices {
		e.coldDirty = e.cold != nil || e.packed != nil
		i.enqueue(e)
	}
	s.ring()
	return nil
}

// Close writes what is pending and gives the lock back.
func (i *Inventory) Close() error {
	s := i.store
	if s == nil {
		return nil
	}
	if s.lock == nil { // opened for reading
		s.disconnect()
		return nil
	}
	select {
	case <-s.stopped:
		return nil
	default:
	}
	i.mu.Lock()
	for _, e := range i.devices {
		if e.last != e.stored {
			i.enqueue(e)
		}
	}
	if i.judging && i.judgedBy != "" {
		s.put(setMeta, judgedByMeta, i.judgedBy)
	}
	i.mu.Unlock()
	s.cancel()
	<-s.checking
	err := i.Sync()
	close(s.stop)
	<-s.stopped
	if err != nil {
		s.mourn(err)
	}
	s.disconnect()
	unlockFile(s.lock)
	return err
}

// mourn says what could not be written until the end.
func (s *store) mourn(why error) {
	s.inv.mu.RLock()
	defer s.inv.mu.RUnlock()
	edits := 0
	for _, e := range s.pending.events {
		if e.By != "" {
			edits++
		}
	}
	s.inv.log.Error("inventory: what could not be written is lost", zap.String("path", s.path), zap.Int("events", len(s.pending.events)),
		zap.Int("edits", edits), zap.Int("devices", len(s.pending.entries)+len(s.pending.urgent)), zapErr(why))
}
