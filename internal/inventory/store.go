package inventory

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"
	"modernc.org/sqlite"
)

// FileName is the store's name in its directory; LockName the lock's.
const (
	FileName = "camcensus.db"
	LockName = "camcensus.lock"
)

var (
	// ErrLocked: another process holds the inventory.
	ErrLocked = errors.New("in use by another camcensus")
	// ErrDamaged: the file cannot be read whole.
	ErrDamaged = errors.New("damaged")
)

// store is the inventory's file. What awaits writing lies in pending, guarded
// by the inventory's lock; one goroutine writes it.
type store struct {
	inv   *Inventory
	path  string
	lock  *os.File
	write *sql.DB // one connection
	read  *sql.DB // read-only

	evidence, evidences *sql.Stmt // of prepared; they go when that is closed
	prepared            *sql.DB
	way                 string // how read is opened while nothing can be written

	pending  pending
	wake     chan struct{}
	waiting  chan waiter
	stop     chan struct{}
	stopped  chan struct{}
	checking chan struct{}
	cancel   context.CancelFunc
	corrupt  chan error

	aside  string  // what the file that was set aside last is called, "" for none
	anew   bool    // the file was set aside, and a new one could not begin yet
	last   written // the files after our last write
	health Health  // guarded by the inventory's lock, as is mishap
	mishap string  // what befell the file, for as long as the agent runs
	lost   int     // devices of which the evidence was lost meanwhile
}

// Health is how the store fares.
type Health struct {
	Path       string // "" in memory
	Errors     uint64
	LastCommit time.Time
	Pending    int    // changes that await writing
	Problem    string // "" when all is well; else what is wrong, in one line
	SetAside   string // where a corrupt file was put
	Checked    time.Time
	Bytes      int64
}

// Health tells how the store fares.
func (i *Inventory) Health() Health {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if i.store == nil {
		return Health{}
	}
	h := i.store.health
	h.Pending = len(i.store.pending.entries) + len(i.store.pending.urgent) + len(i.store.pending.events) + len(i.store.pending.ops)
	if st, err := os.Stat(i.store.path); err == nil {
		h.Bytes = st.Size()
	}
	if h.Problem == "" {
		h.Problem = i.store.mishap
		if n := i.store.lost; n > 0 {
			h.Problem = joinLine(h.Problem, fmt.Sprintf("the evidence of %d devices is lost: their verdicts stand until new evidence contradicts them", n))
		}
	}
	return h
}

// openStore takes the lock, opens the file and loads it.
func (i *Inventory) openStore(ctx context.Context) error {
	if err := os.MkdirAll(i.opt.Dir, 0o750); err != nil {
		return fmt.Errorf("inventory: open %s: %w", i.opt.Dir, err)
	}
	before := ranBefore(i.opt.Dir)
	lock, err := takeLock(i.opt.Dir)
	if err != nil {
		return fmt.Errorf("inventory: open %s: %w", i.opt.Dir, remedied(err))
	}
	s := &store{
		inv: i, path: filepath.Join(i.opt.Dir, FileName), lock: lock,
		wake: make(chan struct{}, 1), waiting: make(chan waiter), stop: make(chan struct{}), stopped: make(chan struct{}),
		checking: make(chan struct{}), corrupt: make(chan error, 1),
	}
	s.health.Path = s.path
	err = accessible(s.path)
	if err == nil && i.opt.Existing {
		err = whole(ctx, s.path)
	}
	if err == nil {
		err = s.open(ctx, before)
	}
	if err != nil && !s.openUnwritable(ctx, err) {
		lock.Close()
		return fmt.Errorf("inventory: open %s: %w", s.path, err)
	}
	i.store = s
	if i.judgedBy != "" {
		s.put("DELETE FROM meta WHERE name = ?", judgedByMeta)
	}
	i.keepSite()
	check, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go s.run()
	if i.opt.Existing { // it was looked through
		close(s.checking)
	} else {
		go s.check(check)
	}
	return nil
}

// whole tells whether all that lies in the file at path can be read; it changes
// nothing in it.
func whole(ctx context.Context, path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.Size() == 0 {
		return unchanged(errEmptied)
	}
	db, err := openReader(path, "")
	if err != nil {
		return err
	}
	defer db.Close()
	if err = quickCheck(ctx, db); err == nil {
		if version, err := schemaVersion(ctx, db); err == nil && version == 0 {
			return unchanged(errors.New("it is no inventory"))
		}
		for table, version := range map[string]byte{"devices": entryVersion, "evidence": coldVersion} {
			err = cmp.Or(err, each(ctx, db, "SELECT form FROM "+table, func(r *sql.Rows) error {
				var form sql.RawBytes
				if err := r.Scan(&form); err != nil {
					return err
				}
				_, _, err := unseal(form, version)
				return err
			}))
		}
	}
	if errors.Is(err, errIntegrity) || errors.Is(err, errDamaged) || isCorrupt(err) {
		return unchanged(err)
	}
	return nil // other trouble shows when it is opened
}

// unchanged is the refusal to go on with a damaged file.
func unchanged(why error) error {
	return fmt.Errorf("%w (%w): nothing was changed; start the agent (camcensus run), which sets the file aside and says so, or restore a backup", ErrDamaged, why)
}

// ranBefore tells whether a camcensus held the inventory in dir at any time.
func ranBefore(dir string) bool {
	st, err := os.Stat(filepath.Join(dir, LockName))
	return err == nil && st.Size() > 0
}

// emptied tells that nothing is left of an inventory that was there before. A
// file that was empty from the first, or none, is worth a word.
func (s *store) emptied(before bool) error {
	st, err := os.Stat(s.path)
	if err == nil && st.Size() > 0 || err != nil && !before {
		return nil
	}
	wal, walErr := os.Stat(s.path + "-wal")
	switch {
	case err == nil && (before || walErr == nil && wal.Size() > 0):
		return errEmptied
	case err == nil:
		s.inv.log.Warn("the inventory's file is empty: a new inventory is begun in it", zap.String("path", s.path))
	default:
		s.inv.log.Warn("no inventory is there, though camcensus ran here before: a new one is begun", zap.String("path", s.path))
	}
	return nil
}

// accessible says in words what sqlite has a number for: why the file at path
// cannot be opened. One that is not there can be made.
func accessible(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		st, err := os.Stat(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && !st.Mode().IsRegular() {
			return fmt.Errorf("%s is no file, but a folder or a device: move it away, or restore a backup in its place", path+suffix)
		}
		if err == nil {
			err = access(path+suffix, mayRead)
		}
		if errors.Is(err, fs.ErrPermission) {
			return remedied(err)
		}
	}
	return nil
}

// remedied says what helps where this user has no right to a file.
func remedied(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: run camcensus as the user who owns the inventory, or give the file to the user who runs it (chown)", err)
	}
	return err
}

// open opens and loads the file; a corrupt one, or one that was emptied since
// camcensus ran there before, is set aside and a new one begun.
func (s *store) open(ctx context.Context, before bool) error {
	err := s.emptied(before)
	if err == nil {
		err = s.connect(ctx)
	}
	if err == nil {
		err = s.inv.load(ctx, s.read)
	}
	if err == nil || !isCorrupt(err) && !errors.Is(err, errEmptied) {
		if err != nil {
			s.disconnect()
		}
		return err
	}
	if aside := s.setAside(err); aside != nil {
		s.disconnect()
		return aside
	}
	s.inv.reset()
	s.inv.chain = chain{}
	if err := s.connect(ctx); err != nil {
		return err
	}
	if err := s.inv.load(ctx, s.read); err != nil {
		return err
	}
	s.inv.chain.mark = setAsideMark(0, s.aside)
	s.put(setMeta, markMeta, s.inv.chain.mark)
	return nil
}

// openUnwritable goes on where the disk is full or read-only: with what can be
// read of the file, or with nothing where there is none. The writer tries again
// and catches up.
func (s *store) openUnwritable(ctx context.Context, why error) bool {
	if !noSpace(why) {
		return false
	}
	s.write = nil
	var err error
	ways := []string{"", "&immutable=1"}
	if st, there := os.Stat(s.path + "-wal"); there == nil && st.Size() > 0 {
		ways = ways[:1] // the other would not see what is in the log
	}
	for _, more := range ways {
		s.inv.reset()
		s.way = more
		if s.read, err = openReader(s.path, more); err != nil {
			return false
		}
		if err = s.inv.load(ctx, s.read); err == nil {
			break
		}
		s.read.Close()
	}
	if err != nil {
		if _, there := os.Stat(s.path); !errors.Is(there, os.ErrNotExist) {
			return false
		}
		s.inv.reset()
		s.read, _ = openReader(s.path, "")
	}
	s.failed("open", why)
	return true
}

// noSpace tells a full or read-only disk (SQLITE_READONLY, SQLITE_IOERR,
// SQLITE_FULL, SQLITE_CANTOPEN) from other trouble.
func noSpace(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case 8, 10, 13, 14:
		return true
	}
	return false
}

// reconnect opens the file for writing once the disk allows it.
func (s *store) reconnect() error {
	if s.write != nil {
		return nil
	}
	if err := s.keepLock(); err != nil {
		return err
	}
	s.inv.mu.Lock()
	defer s.inv.mu.Unlock()
	born := s.inv.created
	if s.read != nil {
		s.read.Close() // its view of the log is read-only, and would be shared
	}
	if err := s.connect(context.Background()); err != nil {
		s.write, s.inv.created = nil, born
		s.read, _ = openReader(s.path, s.way)
		return err
	}
	return nil
}

// writing is how the one connection that writes is opened.
const writing = "_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(1)" +
	"&_pragma=journal_size_limit(33554432)&_pragma=wal_autocheckpoint(2000)&_pragma=cache_size(-1000)"

// make makes the file where there is none: beside its place, which it takes
// only once its tables are on disk. Whoever is killed meanwhile leaves no empty
// file, which would pass for one that was emptied. Where nothing can be made,
// sqlite says why.
func (s *store) make(ctx context.Context) error {
	if _, err := os.Lstat(s.path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	young := s.path + ".new"
	removeFiles(young)
	defer removeFiles(young)
	f, err := create(young) // what sqlite makes itself is open to all; its side files follow this one
	if err != nil {
		return nil
	}
	f.Close()
	db, err := sql.Open("sqlite", dsn(young, writing))
	if err != nil {
		return err
	}
	if err := errors.Join(migrate(ctx, db, migrations), db.Close()); err != nil {
		return err
	}
	removeFiles(s.path) // sqlite would take a log without its file for the new one's
	if err := os.Rename(young, s.path); err != nil {
		return err
	}
	syncDir(filepath.Dir(s.path))
	return nil
}

// syncDir puts the names in a folder on disk; not every system can.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

func (s *store) connect(ctx context.Context) error {
	err := s.make(ctx)
	if err != nil {
		return err
	}
	if s.write, err = sql.Open("sqlite", dsn(s.path, writing)); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	err = migrate(ctx, s.write, migrations)
	if err == nil {
		s.inv.created, err = bornAt(ctx, s.write, s.inv.now())
	}
	if err != nil {
		s.write.Close()
		s.write = nil // reconnect opens it
		return err
	}
	s.read, err = openReader(s.path, "")
	s.last = written{}
	s.noteWritten()
	return err
}

func removeFiles(path string) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Remove(path + suffix)
	}
}

func openReader(path, more string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)&_pragma=cache_size(-300)"+more))
	if err == nil {
		db.SetMaxOpenConns(3)
		db.SetConnMaxIdleTime(time.Minute) // each keeps a cache
	}
	return db, err
}

func dsn(path, query string) string {
	if whole, err := filepath.Abs(path); err == nil { // of a relative path the first folder would be read as a host
		path = whole
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query}).String()
}

// bornAt reads when the store was made; a new one is made now.
func bornAt(ctx context.Context, db *sql.DB, now time.Time) (time.Time, error) {
	if _, err := db.ExecContext(ctx, "INSERT INTO meta VALUES ('created', ?) ON CONFLICT DO NOTHING", now.Format(time.RFC3339Nano)); err != nil {
		return time.Time{}, err
	}
	var text string
	if err := db.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'created'").Scan(&text); err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339Nano, text)
}

func (s *store) disconnect() {
	if s.read != nil {
		s.read.Close()
	}
	if s.write != nil {
		s.write.Close()
	}
}

// takeLock keeps a second agent away. The file names the process that has it.
func takeLock(dir string) (*os.File, error) {
	f, err := openLock(dir)
	if err != nil {
		return nil, err
	}
	return f, holdLock(f)
}

// create makes a file of the store. One that root makes is for whoever owns the
// store: the agent may be another user.
func create(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err == nil {
		giveToOwner(f, filepath.Dir(path))
	}
	return f, err
}

// openLock opens the file that is locked. On a read-only disk that of an earlier
// run serves, or the directory itself.
func openLock(dir string) (*os.File, error) {
	path := filepath.Join(dir, LockName)
	f, err := create(path)
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	}
	if err == nil {
		return f, nil
	}
	if old, there := os.Open(path); there == nil {
		return old, nil
	}
	if errors.Is(err, syscall.EROFS) {
		return os.Open(dir)
	}
	return nil, err
}

// holdLock locks the file, or closes it.
func holdLock(f *os.File) error {
	busy, err := lockFile(f)
	if busy {
		holder := make([]byte, 32)
		n, _ := f.ReadAt(holder, 0)
		f.Close()
		return fmt.Errorf("%w (process %s): stop it, or edit through its socket", ErrLocked, cmp.Or(strings.TrimSpace(string(holder[:n])), "unknown"))
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	f.Truncate(0)
	f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return nil
}

// setAside puts a corrupt file where nobody writes and an expert may read.
func (s *store) setAside(why error) error {
	if s.inv.opt.Existing {
		return unchanged(why)
	}
	s.disconnect()
	aside, err := s.moveAside()
	if err != nil {
		return fmt.Errorf("set the corrupt file aside: %w", err)
	}
	s.health.SetAside, s.aside = aside, ""
	if aside != "" {
		s.aside = filepath.Base(aside)
	}
	s.health.Errors++
	s.mishap = "a corrupt inventory was set aside as " + aside + ": its history is there only"
	if errors.Is(why, errEmptied) {
		s.mishap = "an inventory's file was found empty and set aside as " + aside + ": its history is lost, unless a backup is restored"
	}
	s.inv.log.Error("inventory corrupt: set aside, a new one begins", zap.String("path", s.path), zap.String("aside", aside), zapErr(why))
	return nil
}

// moveAside gives what lies at the store's place another name, which it
// returns; "" where nothing lies there.
func (s *store) moveAside() (string, error) {
	aside, moved := s.path+".corrupt-"+s.inv.now().Format("20060102T150405Z"), ""
	for _, suffix := range []string{"", "-wal", "-shm"} {
		err := os.Rename(s.path+suffix, aside+suffix)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if err == nil && suffix == "" {
			moved = aside
		}
	}
	return moved, nil
}

// isCorrupt tells damage (SQLITE_CORRUPT, SQLITE_NOTADB) from other trouble.
func isCorrupt(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == 11 || e.Code()&0xff == 26)
}

// check looks through the whole file once the inventory serves.
func (s *store) check(ctx context.Context) {
	defer close(s.checking)
	db, err := openReader(s.path, "")
	if err != nil {
		return
	}
	defer db.Close()
	err = quickCheck(ctx, db)
	if err == nil {
		err = s.checkEvidence(ctx, db)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.inv.log.Error("inventory: integrity check", zap.String("path", s.path), zapErr(err))
		if errors.Is(err, errIntegrity) || isCorrupt(err) {
			s.corrupt <- err
		}
		return
	}
	s.inv.mu.Lock()
	s.health.Checked = s.inv.now()
	s.inv.mu.Unlock()
}

// checkEvidence looks at the checksums of all evidence: what cannot be read, or
// is not there, is lost, and told now rather than when somebody looks at the
// device.
func (s *store) checkEvidence(ctx context.Context, db *sql.DB) error {
	s.inv.mu.Lock()
	var expected []int64 // in order; of a hundred thousand devices no more is kept meanwhile
	for _, e := range s.inv.sorted() {
		if e.judgedBySigns() {
			expected = append(expected, e.no)
		}
	}
	s.inv.mu.Unlock()
	var unsound []int64
	rows := 0
	err := each(ctx, db, "SELECT no, form FROM evidence ORDER BY no", func(r *sql.Rows) error {
		var no int64
		var form sql.RawBytes
		if err := r.Scan(&no, &form); err != nil {
			return err
		}
		for len(expected) > 0 && expected[0] < no {
			unsound, expected = append(unsound, expected[0]), expected[1:]
		}
		if len(expected) > 0 && expected[0] == no {
			expected = expected[1:]
		}
		if _, _, err := unseal(form, coldVersion); err != nil {
			unsound = append(unsound, no)
		}
		if rows++; rows%256 == 0 {
			time.Sleep(2 * time.Millisecond) // what was read is collected meanwhile
		}
		return nil
	})
	if err != nil {
		return err
	}
	if unsound = append(unsound, expected...); len(unsound) == 0 {
		return nil
	}
	s.inv.mu.Lock()
	defer s.inv.mu.Unlock()
	for _, e := range s.inv.devices {
		if _, is := slices.BinarySearch(unsound, e.no); is {
			s.inv.coldOf(e)
		}
	}
	return nil
}

// AwaitCheck waits until the stored inventory was looked through after the
// start, or until ctx ends. Whoever then works on all of it does so neither on
// a damaged file nor in the same memory.
func (i *Inventory) AwaitCheck(ctx context.Context) {
	if i.store == nil {
		return
	}
	select {
	case <-i.store.checking:
	case <-ctx.Done():
	}
}

var (
	errIntegrity = errors.New("the file is damaged")
	errEmptied   = errors.New("the file is empty")
)

func quickCheck(ctx context.Context, db *sql.DB) error {
	var first string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&first); err != nil {
		return err
	}
	if first != "ok" {
		return fmt.Errorf("%w: %s", errIntegrity, strings.ReplaceAll(first, "\n", " "))
	}
	return nil
}

// errUnread: the file could not be read now; what lies in it may be whole.
var errUnread = errors.New("not read")

// cold reads a device's evidence; nil when there is none.
func (s *store) cold(no int64) ([]byte, error) {
	var form []byte
	err := s.prepare()
	if err == nil {
		err = s.evidence.QueryRow(no).Scan(&form)
	}
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return form, nil
	}
	s.failed("read evidence", err)
	return nil, fmt.Errorf("%w: %w", errUnread, err)
}

// prepare readies the queries that pages ask again and again.
func (s *store) prepare() (err error) {
	if s.prepared == s.read {
		return nil
	}
	if s.evidence, err = s.read.Prepare("SELECT form FROM evidence WHERE no = ?"); err != nil {
		return err
	}
	if s.evidences, err = s.read.Prepare(selectEvidences); err == nil {
		s.prepared = s.read
	}
	return err
}

// unwritable says in words why nothing can be written.
func (s *store) unwritable() string {
	if errors.Is(access(s.path, mayWrite), fs.ErrPermission) {
		return " (this user may not write the file: going on from memory until it may)"
	}
	return " (the disk is full or read-only: going on from memory until it can be written)"
}

// failed notes trouble; it is logged when it begins and when it ends.
func (s *store) failed(what string, err error) {
	s.health.Errors++
	problem := what + ": " + err.Error()
	if noSpace(err) {
		problem += s.unwritable()
	}
	if s.health.Problem == "" {
		s.inv.log.Error("inventory: going on from memory", zap.String("path", s.path), zap.String("doing", what), zapErr(err))
	}
	s.health.Problem = problem
}

func zapDevice(id string) zap.Field { return zap.String("device", id) }
func zapErr(err error) zap.Field    { return zap.Error(err) }
