package inventory

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"camcensus/discovery"
)

// load reads the small part of every device, and the head of the chain.
// Evidence is read when it is needed.
func (i *Inventory) load(ctx context.Context, db *sql.DB) error {
	for _, step := range []func(context.Context, *sql.DB) error{i.loadMeta, i.loadHead, i.loadAliases, i.loadMerges, i.loadDevices} {
		if err := step(ctx, db); err != nil {
			return err
		}
	}
	i.cycleStart = i.now()
	return nil
}

// each runs a query and shows every row.
func each(ctx context.Context, db *sql.DB, query string, show func(*sql.Rows) error, args ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
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

func (i *Inventory) loadMeta(ctx context.Context, db *sql.DB) error {
	i.chain.counts = map[string]uint64{}
	return each(ctx, db, "SELECT name, value FROM meta", func(r *sql.Rows) error {
		var name, value string
		if err := r.Scan(&name, &value); err != nil {
			return err
		}
		switch {
		case strings.HasPrefix(name, "count."):
			n, err := strconv.ParseUint(value, 10, 64)
			i.chain.counts[strings.TrimPrefix(name, "count.")] = n
			return err
		case name == judgedByMeta:
			i.judgedBy = value
		case name == siteMeta && i.opt.Site == "":
			i.opt.Site = value
		case name == markMeta:
			i.chain.mark = value
		case name == "chain.base":
			n, err := strconv.ParseInt(value, 10, 64)
			i.chain.base = n
			i.chain.seq = max(i.chain.seq, n)
			return err
		case name == "chain.base_head":
			_, err := hex.Decode(i.chain.baseHead[:], []byte(value))
			i.chain.head = i.chain.baseHead
			return err
		case name == "created":
			t, err := time.Parse(time.RFC3339Nano, value)
			i.created = t
			return err
		}
		return nil
	})
}

func (i *Inventory) loadHead(ctx context.Context, db *sql.DB) error {
	var hash []byte
	err := db.QueryRowContext(ctx, "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").Scan(&i.chain.seq, &hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err == nil {
		copy(i.chain.head[:], hash)
	}
	i.chain.stored, i.chain.storedHead = i.chain.seq, i.chain.head
	// No device may take the number of one that is no longer kept.
	return db.QueryRowContext(ctx, "SELECT coalesce(max(owner), 0) FROM events").Scan(&i.lastNo)
}

func (i *Inventory) loadAliases(ctx context.Context, db *sql.DB) error {
	err := each(ctx, db, "SELECT id, device, no FROM aliases", func(r *sql.Rows) error {
		var id string
		var a alias
		err := r.Scan(&id, &a.device, &a.no)
		i.alias[id] = a
		i.lastNo = max(i.lastNo, a.no)
		return err
	})
	if err != nil {
		return err
	}
	if err := each(ctx, db, "SELECT name FROM shared", func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		i.shared[name] = true
		return err
	}); err != nil {
		return err
	}
	return each(ctx, db, "SELECT one, other FROM apart", func(r *sql.Rows) error {
		var p [2]string
		err := r.Scan(&p[0], &p[1])
		i.apart[p] = true
		return err
	})
}

func (i *Inventory) loadMerges(ctx context.Context, db *sql.DB) error {
	return each(ctx, db, "SELECT gone, kept, time, shift FROM merges", func(r *sql.Rows) error {
		u := &merged{}
		err := r.Scan(&u.gone, &u.kept, &u.time, &u.offset)
		i.undo[u.gone] = u
		return err
	})
}

func (i *Inventory) loadDevices(ctx context.Context, db *sql.DB) error {
	damaged := 0
	err := each(ctx, db, "SELECT no, form FROM devices ORDER BY no", func(r *sql.Rows) error {
		var form sql.RawBytes
		var no int64
		if err := r.Scan(&no, &form); err != nil {
			return err
		}
		i.lastNo = max(i.lastNo, no)
		e, err := decodeEntry(i, form)
		if err != nil {
			damaged++
			i.log.Error("a stored device cannot be read: inventory verify tells which", zapErr(err))
			return nil
		}
		e.no = no
		i.index(e)
		return nil
	})
	if err == nil && damaged > 0 && i.store != nil {
		i.store.failed("load", fmt.Errorf("%d stored devices are damaged", damaged))
	}
	return err
}

// index files a loaded device under all that finds it.
func (i *Inventory) index(e *entry) {
	i.put(e)
	for _, m := range e.macs {
		i.macs[m] = e
	}
	for _, k := range e.keys {
		if k.kind() != keyCert {
			i.keys[k] = e
		}
	}
	for _, b := range e.bindings {
		if b.live {
			i.addAddress(b.ip(), e)
		}
	}
}

// fetchShown reads the reasons of all devices at once, after a start.
func (i *Inventory) fetchShown() {
	if i.store == nil || i.store.read == nil {
		return
	}
	lacking := map[int64]*entry{}
	for _, e := range i.devices {
		if e.shown == nil && e.cold == nil {
			lacking[e.no] = e
		}
	}
	if len(lacking) < 200 {
		return
	}
	err := each(context.Background(), i.store.read, "SELECT no, form FROM evidence ORDER BY no", func(r *sql.Rows) error {
		var no int64
		var form sql.RawBytes
		if err := r.Scan(&no, &form); err != nil {
			return err
		}
		if e := lacking[no]; e != nil {
			if s, err := decodeShown(i, form); err == nil {
				e.hold().shown = s
			}
		}
		return nil
	})
	if err != nil {
		i.store.failed("read evidence", err)
	}
}

// OpenReadOnly opens an inventory for reading while an agent may be writing
// it. It takes no lock and changes nothing.
func OpenReadOnly(ctx context.Context, o Options) (*Inventory, error) {
	i := newInventory(o)
	i.readOnly = true
	path := filepath.Join(o.Dir, FileName)
	err := accessible(path)
	if err != nil {
		return nil, fmt.Errorf("inventory: read %s: %w", path, err)
	}
	for _, more := range []string{"", "&immutable=1"} { // the latter where the directory may not be written to
		i.reset()
		s := &store{inv: i, path: path}
		s.health.Path = path
		if s.read, err = openReader(path, more); err != nil {
			continue
		}
		if err = readable(ctx, s.read, migrations); err == nil {
			err = i.load(ctx, s.read)
		}
		if err == nil {
			i.store = s
			return i, nil
		}
		s.disconnect()
	}
	return nil, fmt.Errorf("inventory: read %s: %w", path, err)
}

// Records returns the raw records that first made a device flagged.
func (i *Inventory) Records(ctx context.Context, id string) ([]discovery.Record, error) {
	i.mu.RLock()
	names := i.names(id)
	var out []discovery.Record
	for _, r := range i.keptRecords {
		for _, n := range names {
			if r.device == n {
				out = append(out, r.record)
				break
			}
		}
	}
	i.mu.RUnlock()
	if i.store == nil {
		return out, nil
	}
	for _, n := range names[:1+min(len(names)-1, 64)] {
		stored, err := readRecords(ctx, i.store.read, n)
		if err != nil {
			return nil, fmt.Errorf("inventory: records of %s: %w", id, err)
		}
		out = append(out, stored...)
	}
	return out, nil
}

// storedEvents answers a query from the file, and for the newest from memory.
func (i *Inventory) storedEvents(ctx context.Context, q EventQuery) ([]Event, string, error) {
	i.mu.RLock()
	fresh := append(append([]Event{}, i.store.pending.flying...), i.store.pending.events...)
	names := i.names(q.Device)
	owners := make([]int64, len(names))
	for n := range names {
		owners[n] = i.owner(names[n])
	}
	if slices.Contains(owners, 0) {
		owners = nil // no longer kept: its events are found by its name
	}
	i.mu.RUnlock()
	limit := int64(1) << 62
	if len(fresh) > 0 {
		limit = fresh[0].Seq
	}
	out, next, err := pickEvents(fresh, q, names)
	if err != nil || !q.Oldest && next != "" {
		return out, next, err
	}
	stored, err := i.queryEvents(ctx, q, owners, limit, q.Limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("inventory: events: %w", err)
	}
	if q.Oldest {
		out = append(stored, out...)
	} else {
		out = append(out, stored...)
	}
	if len(out) <= q.Limit {
		return out, next, nil
	}
	out = out[:q.Limit]
	return out, strconv.FormatInt(out[len(out)-1].Seq, 10), nil
}

// queryEvents reads events below a sequence number from the file.
func (i *Inventory) queryEvents(ctx context.Context, q EventQuery, owners []int64, below int64, limit int) ([]Event, error) {
	after, err := cursor(q)
	if err != nil {
		return nil, err
	}
	where, args := []string{"seq < ?"}, []any{below}
	add := func(cond string, v any) { where, args = append(where, cond), append(args, v) }
	order := "DESC"
	if q.Oldest {
		order = "ASC"
		add("seq > ?", after)
	} else if after > 0 {
		add("seq < ?", after)
	}
	if !q.Since.IsZero() {
		add("time >= ?", q.Since.UnixNano())
	}
	if !q.Until.IsZero() {
		add("time < ?", q.Until.UnixNano())
	}
	if q.Event != "" {
		add("event = ?", q.Event)
	}
	switch {
	case len(owners) == 0 && q.Device != "":
		add("device = ?", q.Device)
	case len(owners) > 0:
		where = append(where, "owner IN (?"+strings.Repeat(", ?", len(owners)-1)+")")
		for _, n := range owners {
			args = append(args, n)
		}
	}
	out := []Event{}
	args = append(args, limit)
	err = each(ctx, i.store.read, "SELECT seq, time, device, event, was, became, by, evidence, hash FROM events WHERE "+
		strings.Join(where, " AND ")+" ORDER BY seq "+order+" LIMIT ?", func(r *sql.Rows) error {
		e, err := scanEvent(r)
		out = append(out, e)
		return err
	}, args...)
	return out, err
}

// scanEvent reads an event, and further columns into more.
func scanEvent(r *sql.Rows, more ...any) (Event, error) {
	var e Event
	var ns int64
	var hash sql.RawBytes
	err := r.Scan(append([]any{&e.Seq, &ns, &e.Device, &e.Event, &e.From, &e.To, &e.By, &e.Evidence, &hash}, more...)...)
	e.Time, e.Hash = time.Unix(0, ns).UTC(), hex.EncodeToString(hash)
	return e, err
}
