package inventory

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// SetAside tells that an earlier part of the history is not in the store's file.
type SetAside struct {
	File   string    `json:"file"`            // that has it, beside this one; "" where none is known
	Before time.Time `json:"before"`          // the events before that are in it
	Empty  bool      `json:"empty,omitempty"` // nothing is left of it
}

// Text says so in a language, en or fr.
func (s *SetAside) Text(lang string) string {
	switch {
	case s.File == "":
		return Phrase(lang, "The events before "+moment(s.Before)+" are not in this file, and it does not say where they are: they are not counted here.")
	case s.Empty:
		return Phrase(lang, "An earlier inventory was found empty, and set aside as "+s.File+": the events before "+moment(s.Before)+" are lost, unless a backup has them, and not counted here.")
	}
	return Phrase(lang, "An earlier inventory was set aside as "+s.File+": the events before "+moment(s.Before)+" are there, and not counted here.")
}

// SetAside is nil where the whole history is in the store.
func (i *Inventory) SetAside(ctx context.Context) (*SetAside, error) {
	if i.store == nil {
		return nil, nil
	}
	i.mu.RLock()
	base, mark := i.chain.base, i.chain.mark
	s := &SetAside{Before: i.created}
	i.mu.RUnlock()
	lacks := base > 0
	read := func(evidence string) {
		if after, file, _, ok := markedBase(evidence); ok && after == base {
			lacks = true
			if s.File = file; file == "gone" {
				s.File = ""
			}
		}
	}
	read(mark)
	err := each(ctx, i.store.read, "SELECT time, evidence FROM events ORDER BY seq LIMIT 1", func(r *sql.Rows) error {
		var first int64
		var evidence string
		err := r.Scan(&first, &evidence)
		read(evidence)
		if first < s.Before.UnixNano() {
			s.Before = at(first)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("inventory: what was set aside: %w", err)
	}
	if !lacks {
		return nil, nil
	}
	if s.File != "" {
		file := filepath.Join(filepath.Dir(i.store.path), filepath.Base(s.File))
		st, err := os.Stat(file)
		wal, walErr := os.Stat(file + "-wal")
		s.Empty = err == nil && st.Size() == 0 && (walErr != nil || wal.Size() == 0)
	}
	return s, nil
}
