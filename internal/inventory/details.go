package inventory

import (
	"database/sql"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

// detailsAtOnce is how many devices are read with one query, and for how many
// the inventory is held meanwhile; detailReaders read at the same time.
const (
	detailsAtOnce = 32
	detailReaders = 2
)

// Details shows the devices of these ids in full, in their order, until show
// fails. A device is show's for the call only. What was merged into another or
// has expired meanwhile is left out.
func (i *Inventory) Details(ids []string, show func(*Device) error) error {
	defer i.reading()()
	desks := allDesks.Get().(*[detailReaders]desk)
	defer allDesks.Put(desks)
	enough := make(chan struct{})
	var readers sync.WaitGroup
	defer readers.Wait()
	defer close(enough)
	chunks := slices.Collect(slices.Chunk(ids, detailsAtOnce))
	var read [detailReaders]chan *details
	for k := range read { // while some are shown the next are read
		read[k] = make(chan *details)
		readers.Go(func() {
			for n := k; n < len(chunks); n += detailReaders {
				d := &desks[k].turns[n/detailReaders%2]
				d.err = safely(func() { d.read(i, chunks[n], &desks[k].words) })
				select {
				case read[k] <- d:
				case <-enough:
					return
				}
			}
		})
	}
	for n := range chunks {
		some := <-read[n%detailReaders]
		if some.err != nil {
			return fmt.Errorf("inventory: read devices: %w", some.err)
		}
		for k := range some.devices {
			if err := show(&some.devices[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// details are some devices that are read together. They, and what they are read
// into, serve again for the next ones.
type details struct {
	devices []Device
	lacking []lacking
	forms   []byte // one after the other
	colds   [detailsAtOnce]cold
	err     error
}

// desk is what one reader works with: of the details in turn one is shown while
// the other is read.
type desk struct {
	turns [2]details
	words phrases
}

// allDesks are kept, since a list of hundreds of devices is asked for again and
// again.
var allDesks = sync.Pool{New: func() any { return &[detailReaders]desk{} }}

// lacking is a device whose reasons lie in the store.
type lacking struct {
	no       int64
	device   int // of details
	from, to int // its form, of details
}

// read reads devices as they are at one moment, and works on what it took when
// nobody waits for the inventory any more.
func (d *details) read(i *Inventory, ids []string, words *phrases) {
	d.take(i, ids)
	d.workOut(i, words)
}

// workOut reads the reasons off what was stored.
func (d *details) workOut(i *Inventory, words *phrases) {
	for n, l := range d.lacking {
		if l.to == l.from {
			continue
		}
		dev, c := &d.devices[l.device], &d.colds[n]
		if err := readShown(i, d.forms[l.from:l.to], c, words); err != nil {
			i.unreadable(dev.ID, err)
			continue
		}
		dev.Reasons, dev.Contradictions = none(c.reasons), none(c.contradictions)
		dev.Verdicts = worded(dev.Verdicts, c.texts)
	}
}

// take takes the devices, and of those that have nothing at hand what is stored.
func (d *details) take(i *Inventory, ids []string) {
	d.devices, d.lacking, d.forms = d.devices[:0], d.lacking[:0], d.forms[:0]
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, id := range ids {
		e := i.devices[id]
		if e == nil {
			continue
		}
		stored := i.store != nil && e.shown == nil && e.cold == nil && e.packed == nil
		if stored {
			d.lacking = append(d.lacking, lacking{no: e.no, device: len(d.devices)})
		}
		d.devices = append(d.devices, i.public(e, !stored))
	}
	if len(d.lacking) == 0 {
		return
	}
	d.forms = slices.Grow(d.forms, len(d.lacking)*packAbove)
	if err := i.store.eachCold(d.lacking, func(l *lacking, form []byte) {
		l.from = len(d.forms)
		d.forms = append(d.forms, form...)
		l.to = len(d.forms)
	}); err != nil {
		i.store.failed("read evidence", err)
	}
}

// phrases are texts that devices have in common, for one who reads without the
// inventory's lock.
type phrases map[string]string

// mostPhrases bounds how many are kept.
const mostPhrases = 1024

func (p *phrases) of(b []byte) string {
	if text, ok := (*p)[string(b)]; ok {
		return text
	}
	if *p == nil || len(*p) >= mostPhrases {
		*p = phrases{}
	}
	text := string(b)
	(*p)[text] = text
	return text
}

// safely runs f and returns its panic as an error: in a goroutine of its own it
// would end the agent.
func safely(f func()) (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("panic: %v\n%s", why, debug.Stack())
		}
	}()
	f()
	return nil
}

// eachCold reads the stored evidence of up to detailsAtOnce devices; form holds
// for the call only.
func (s *store) eachCold(of []lacking, take func(l *lacking, form []byte)) error {
	if err := s.prepare(); err != nil {
		return err
	}
	numbers, by := make([]any, detailsAtOnce), make(map[int64]*lacking, len(of)) // nil is equal to nothing
	for n := range of {
		numbers[n], by[of[n].no] = of[n].no, &of[n]
	}
	rows, err := s.evidences.Query(numbers...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var no int64
		var form sql.RawBytes
		if err := rows.Scan(&no, &form); err != nil {
			return err
		}
		if l := by[no]; l != nil {
			take(l, form)
		}
	}
	return rows.Err()
}

var selectEvidences = "SELECT no, form FROM evidence WHERE no IN (?" + strings.Repeat(", ?", detailsAtOnce-1) + ")"
