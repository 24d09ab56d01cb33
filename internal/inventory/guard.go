package inventory

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"
)

// guardEvery is how often the file is looked at while nothing is written.
const guardEvery = time.Minute

var (
	// errTaken: the file is no longer at its place, but still open, and whole.
	errTaken = errors.New("the file was deleted or replaced while it was in use")
	// errOverwritten: its content is not what was written.
	errOverwritten = errors.New("the file was overwritten or cut while it was in use")
)

// written is what the store's files looked like after our last write; wal may
// be nil.
type written struct{ file, wal os.FileInfo }

// noteWritten takes down the files after a write. One that is no longer there
// stays as it was: the next look tells.
func (s *store) noteWritten() {
	if st, err := os.Stat(s.path); err == nil && (s.last.file == nil || os.SameFile(st, s.last.file)) {
		s.last.file = st
	}
	if st, err := os.Stat(s.path + "-wal"); err == nil && (s.last.wal == nil || os.SameFile(st, s.last.wal)) {
		s.last.wal = st
	}
}

// guard looks whether the store is still what was written last, and saves what
// can be saved where it is not.
func (s *store) guard() error {
	why := s.touched()
	switch {
	case why == nil || s.inv.opt.Existing:
		return why
	case errors.Is(why, errTaken):
		err := s.rescue(why)
		if err == nil || !isCorrupt(err) {
			return err
		}
		why = err
	}
	return s.begin(why)
}

// touched tells what somebody else did to the files, nil for nothing. It costs
// two looks into the directory; the content is read only where it was written
// to.
func (s *store) touched() error {
	if s.write == nil || s.last.file == nil {
		return nil
	}
	st, err := os.Stat(s.path)
	wal, walErr := os.Stat(s.path + "-wal")
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !os.SameFile(st, s.last.file):
		return errTaken
	case s.last.wal != nil && (errors.Is(walErr, fs.ErrNotExist) || walErr == nil && !os.SameFile(wal, s.last.wal)):
		return errTaken
	case err != nil: // writing will tell
		return nil
	case st.Size() < s.last.file.Size():
		return errOverwritten
	case st.Size() == s.last.file.Size() && st.ModTime().Equal(s.last.file.ModTime()):
		return nil
	}
	if err := s.recognise(); err != nil {
		return err
	}
	s.last.file = st
	return nil
}

// recognise reads the file as a stranger would: it must be whole, ours, and
// hold the chain as far as it was stored.
func (s *store) recognise() error {
	db, err := openReader(s.path, "")
	if err != nil {
		return nil
	}
	defer db.Close()
	ctx := context.Background()
	if err := quickCheck(ctx, db); err != nil {
		if errors.Is(err, errIntegrity) || isCorrupt(err) {
			return fmt.Errorf("%w: %w", errOverwritten, err)
		}
		return nil // busy, or out of memory: no sign of another's hand
	}
	s.inv.mu.RLock()
	created, seq, head, base := s.inv.created, s.inv.chain.stored, s.inv.chain.storedHead, s.inv.chain.base
	s.inv.mu.RUnlock()
	var text string
	if err := db.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'created'").Scan(&text); err != nil || text != created.Format(time.RFC3339Nano) {
		return fmt.Errorf("%w: it is another inventory", errOverwritten)
	}
	if seq == base {
		return nil
	}
	var hash []byte
	if err := db.QueryRowContext(ctx, "SELECT hash FROM events WHERE seq = ?", seq).Scan(&hash); err != nil || hex.EncodeToString(hash) != hex.EncodeToString(head[:]) {
		return fmt.Errorf("%w: event %d is not there", errOverwritten, seq)
	}
	return nil
}

// rescue writes the store anew, with all its history, from what is still open
// of it.
func (s *store) rescue(why error) error {
	if err := s.keepLock(); err != nil {
		return err
	}
	fresh := s.path + ".rescued"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := s.write.Exec("VACUUM INTO ?", fresh); err != nil {
		return err
	}
	if err := syncFile(fresh); err != nil {
		return err
	}
	i := s.inv
	i.mu.Lock()
	defer i.mu.Unlock()
	s.disconnect()
	s.write = nil // until it is open again
	aside, err := s.moveAside()
	if err == nil {
		err = os.Rename(fresh, s.path)
	}
	if err == nil {
		_ = syncFile(filepath.Dir(s.path)) // not every system can
		err = s.connect(context.Background())
	}
	if err != nil {
		s.anew = aside != "" // nothing lies in its place: the next file begins with all there is
		return err
	}
	s.health.Errors++
	s.mishap = why.Error() + ": written anew " + i.now().Format(time.RFC3339) + ", nothing is lost"
	if aside != "" {
		s.health.SetAside = aside
		s.mishap += "; what lay in its place is now " + aside
	}
	i.log.Error("inventory: "+s.mishap, zap.String("path", s.path))
	return nil
}

// keepLock takes the lock again where its file was deleted too, or could not be
// made before. Another agent may have been quicker: it has the directory then.
func (s *store) keepLock() error {
	dir := filepath.Dir(s.path)
	held, err := s.lock.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	lock, err := openLock(dir)
	if err != nil {
		return err
	}
	if st, err := lock.Stat(); err == nil && os.SameFile(st, held) {
		return lock.Close()
	}
	if err := holdLock(lock); err != nil {
		return err
	}
	s.lock.Close()
	s.lock = lock
	return nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// salvage reads what can still be read of the evidence of a damaged file, lest
// a verdict fall because its reasons are gone, and what undoes a merge. It
// returns the devices of which the evidence is lost. The caller holds the lock.
func (s *store) salvage() (lost []string) {
	i := s.inv
	for gone, u := range i.undo {
		var err error
		if u.forms, err = i.readForms(u); err != nil {
			delete(i.undo, gone)
		}
	}
	for _, e := range i.devices {
		e.marks = nil // what cannot be read is gathered anew
		if e.cold != nil || e.packed != nil {
			continue
		}
		c, err := &cold{}, error(sql.ErrConnDone)
		var form []byte
		if s.read != nil {
			err = s.read.QueryRow("SELECT form FROM evidence WHERE no = ?", e.no).Scan(&form)
		}
		if err == nil {
			c, err = decodeCold(i, form)
		}
		switch {
		case err == nil:
		case e.judgedBySigns():
			c = &cold{lost: true}
			lost = append(lost, e.id)
		default:
			continue
		}
		e.hold().packed = coldBytes(c, nil)
	}
	slices.Sort(lost)
	return lost
}

// lose takes down that the evidence of n devices is lost. The caller holds the
// lock.
func (s *store) lose(n int) {
	s.health.Errors++
	s.lost += n
}
