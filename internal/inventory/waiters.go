package inventory

import (
	"errors"
	"fmt"
	"slices"
)

// waiter is somebody who waits until what was done so far is on disk.
type waiter struct {
	done chan error
	all  bool // not what is urgent only
	rows int  // that were in the queue before
}

// Sync waits until all that was done so far is on disk; in memory it returns
// at once.
func (i *Inventory) Sync() error { return i.await(waiter{all: true}) }

// Flush waits until what is known of a device is on disk, before all else
// that waits to be written.
func (i *Inventory) Flush(id string) error {
	i.mu.Lock()
	if e := i.find(id); e != nil {
		i.store.hurry(e)
	}
	i.mu.Unlock()
	if err := i.await(waiter{}); err != nil {
		return fmt.Errorf("inventory: write %s: %w: %w", id, ErrDeferred, err)
	}
	return nil
}

func (i *Inventory) await(w waiter) error {
	if i.store == nil {
		return nil
	}
	w.done = make(chan error, 1)
	select {
	case i.store.waiting <- w:
		return <-w.done
	case <-i.store.stopped:
		return errors.New("the inventory is closed")
	}
}

// hurry puts a changed device before all that waits to be written.
func (s *store) hurry(e *entry) {
	if s == nil || !e.dirty || slices.Contains(s.pending.urgent, e) {
		return
	}
	s.pending.urgent = append(s.pending.urgent, e)
}

// Relieve waits while very much awaits writing: what is not on disk yet is
// kept decoded.
func (i *Inventory) Relieve() {
	if i.store == nil {
		return
	}
	i.mu.RLock()
	much := len(i.store.pending.entries) > maxWarm/4
	i.mu.RUnlock()
	if much {
		_ = i.Sync() // a disk that fails is told elsewhere
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.shrink()
}

// queued notes how much goes before a waiter.
func (s *store) queued(w waiter) waiter {
	s.inv.mu.RLock()
	defer s.inv.mu.RUnlock()
	if w.all {
		w.rows = len(s.pending.entries)
	}
	return w
}

// newWaiters are those who came while a batch was written.
func (s *store) newWaiters() (list []waiter) {
	for {
		select {
		case w := <-s.waiting:
			list = append(list, s.queued(w))
		default:
			return list
		}
	}
}

// served tells a waiter, once what he waits for is on disk.
func (w *waiter) served(b *batch) bool {
	if w.rows -= b.next; w.rows > 0 {
		return false
	}
	w.done <- nil
	return true
}
