package inventory

import (
	"database/sql"
	"slices"
	"strings"
)

// detailsAtOnce is how many devices are read with one query, and for how many
// the inventory is held meanwhile.
const detailsAtOnce = 64

// Details shows the devices of these ids in full, in their order, until show
// fails. What was merged into another or has expired meanwhile is left out.
func (i *Inventory) Details(ids []string, show func(*Device) error) error {
	defer i.reading()()
	read, enough := make(chan []Device, 1), make(chan struct{})
	defer close(enough)
	go func() { // while some are shown the next are read
		defer close(read)
		for some := range slices.Chunk(ids, detailsAtOnce) {
			select {
			case read <- i.details(some):
			case <-enough:
				return
			}
		}
	}()
	for some := range read {
		for _, d := range some {
			if err := show(&d); err != nil {
				return err
			}
		}
	}
	return nil
}

func (i *Inventory) details(ids []string) []Device {
	i.mu.Lock()
	defer i.mu.Unlock()
	wanted := make([]*entry, 0, len(ids))
	for _, id := range ids {
		if e := i.devices[id]; e != nil {
			wanted = append(wanted, e)
		}
	}
	fetched := i.fetch(wanted)
	out := make([]Device, len(wanted))
	for n, e := range wanted {
		out[n] = i.public(e, true)
	}
	if len(i.devices) > i.opt.DetailLimit {
		for _, e := range fetched {
			e.shown = nil
			e.letGo()
		}
	}
	return out
}

// fetch reads what is shown of the devices that have nothing at hand, and
// returns those it was read for.
func (i *Inventory) fetch(wanted []*entry) (fetched []*entry) {
	if i.store == nil {
		return nil
	}
	lacking := make(map[int64]*entry, len(wanted))
	for _, e := range wanted {
		if e.shown == nil && e.cold == nil && e.packed == nil {
			lacking[e.no] = e
		}
	}
	if len(lacking) < 2 {
		return nil
	}
	err := i.store.eachCold(lacking, func(e *entry, form []byte) {
		s, err := decodeShown(i, form)
		if err != nil {
			return // shownOf says so
		}
		e.hold().shown = s
		fetched = append(fetched, e)
	})
	if err != nil {
		i.store.failed("read evidence", err)
	}
	return fetched
}

// eachCold reads the stored evidence of up to detailsAtOnce devices; form holds
// for the call only.
func (s *store) eachCold(of map[int64]*entry, take func(e *entry, form []byte)) error {
	if err := s.prepare(); err != nil {
		return err
	}
	numbers := make([]any, 0, detailsAtOnce)
	for no := range of {
		numbers = append(numbers, no)
	}
	for len(numbers) < detailsAtOnce {
		numbers = append(numbers, nil) // equal to nothing
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
		if e := of[no]; e != nil {
			take(e, form)
		}
	}
	return rows.Err()
}

var selectEvidences = "SELECT no, form FROM evidence WHERE no IN (?" + strings.Repeat(", ?", detailsAtOnce-1) + ")"
