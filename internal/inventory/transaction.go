package inventory

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"strings"
)

// commit writes one batch in one durable transaction.
func (s *store) commit(b *batch) error {
	ctx := context.Background()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer s.noteWritten()
	defer tx.Rollback()
	if err := writeRows(ctx, tx, b.rows); err != nil {
		return err
	}
	for _, o := range b.ops {
		if _, err := tx.ExecContext(ctx, o.query, o.args...); err != nil {
			return err
		}
	}
	if err := writeEvents(ctx, tx, b); err != nil {
		return err
	}
	return tx.Commit()
}

func writeRows(ctx context.Context, tx *sql.Tx, rows []row) error {
	var kept, told []*row
	for n := range rows {
		r := &rows[n]
		if r.gone {
			if err := dropRow(ctx, tx, r.no); err != nil {
				return err
			}
			continue
		}
		if kept = append(kept, r); r.cold != nil {
			told = append(told, r)
		}
	}
	err := insert(ctx, tx, "INSERT OR REPLACE INTO devices VALUES ", 8, len(kept), func(n int, args []any) []any {
		r := kept[n]
		return append(args, r.no, r.id, r.state, r.class, r.maker, r.first, r.end, r.form)
	})
	if err != nil {
		return err
	}
	return insert(ctx, tx, "INSERT OR REPLACE INTO evidence VALUES ", 2, len(told), func(n int, args []any) []any {
		return append(args, told[n].no, sealCold(told[n].cold))
	})
}

// insert writes count rows of some columns, many to a statement; row appends
// the values of the nth.
func insert(ctx context.Context, tx *sql.Tx, into string, columns, count int, row func(n int, args []any) []any) error {
	place := "(?" + strings.Repeat(", ?", columns-1) + ")"
	args := make([]any, 0, columns*rowsPerInsert)
	for n := 0; n < count; {
		many := rowsPerInsert
		if count-n < many {
			many = 1
		}
		stmt, err := tx.PrepareContext(ctx, into+place+strings.Repeat(", "+place, many-1))
		if err != nil {
			return err
		}
		for ; n+many <= count && err == nil; n += many {
			args = args[:0]
			for k := range many {
				args = row(n+k, args)
			}
			_, err = stmt.ExecContext(ctx, args...)
		}
		if err = errors.Join(err, stmt.Close()); err != nil {
			return err
		}
	}
	return nil
}

func dropRow(ctx context.Context, tx *sql.Tx, no int64) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM devices WHERE no = ?", no)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM evidence WHERE no = ?", no)
	return err
}

func writeEvents(ctx context.Context, tx *sql.Tx, b *batch) error {
	if len(b.events) == 0 {
		return nil
	}
	err := insert(ctx, tx, "INSERT INTO events VALUES ", 10, len(b.events), func(n int, args []any) []any {
		e := &b.events[n]
		hash, _ := hex.DecodeString(e.Hash)
		return append(args, e.Seq, e.Time.UnixNano(), e.Device, e.Event, e.From, e.To, e.By, e.Evidence, hash, b.owners[n])
	})
	if err != nil {
		return err
	}
	last := b.events[len(b.events)-1]
	if _, err := tx.ExecContext(ctx, setMeta, "chain.length", last.Seq); err != nil {
		return err
	}
	for name, n := range b.counts {
		if _, err := tx.ExecContext(ctx, setMeta, "count."+name, int64(n)); err != nil {
			return err
		}
	}
	return nil
}
