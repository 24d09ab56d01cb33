package inventory

import (
	"context"
	"database/sql"
	"fmt"
)

// migrations bring a store from the version that is its index to the next.
// A released one is never changed; PRAGMA user_version says how far a store
// is.
var migrations = []string{
	`CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
	CREATE TABLE devices (
		no INTEGER PRIMARY KEY, id TEXT NOT NULL, state TEXT NOT NULL, class TEXT NOT NULL, manufacturer TEXT NOT NULL,
		first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, form BLOB NOT NULL
	);
	CREATE TABLE evidence (no INTEGER PRIMARY KEY, form BLOB NOT NULL);
	CREATE TABLE aliases (id TEXT PRIMARY KEY, device TEXT NOT NULL, no INTEGER NOT NULL) WITHOUT ROWID;
	CREATE TABLE shared (name TEXT PRIMARY KEY) WITHOUT ROWID;
	CREATE TABLE apart (one TEXT NOT NULL, other TEXT NOT NULL, PRIMARY KEY (one, other)) WITHOUT ROWID;
	CREATE TABLE merges (
		gone TEXT PRIMARY KEY, kept TEXT NOT NULL, time INTEGER NOT NULL, shift INTEGER NOT NULL, device BLOB NOT NULL, evidence BLOB
	) WITHOUT ROWID;
	CREATE TABLE events (
		seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, device TEXT NOT NULL, event TEXT NOT NULL,
		was TEXT NOT NULL, became TEXT NOT NULL, by TEXT NOT NULL, evidence TEXT NOT NULL, hash BLOB NOT NULL,
		owner INTEGER NOT NULL
	);
	CREATE INDEX events_owner ON events (owner, seq);
	CREATE INDEX events_time ON events (time);
	CREATE TABLE records (
		device TEXT NOT NULL, digest TEXT NOT NULL, kind TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (device, digest)
	) WITHOUT ROWID;`,
	// The device that lived on, as it was before the merge: NULL in older ones.
	`ALTER TABLE merges ADD COLUMN kept_device BLOB;
	ALTER TABLE merges ADD COLUMN kept_evidence BLOB;`,
}

// migrate brings the store to the newest schema, each step whole or not at
// all.
func migrate(ctx context.Context, db *sql.DB, steps []string) error {
	version, err := schemaVersion(ctx, db)
	if err != nil {
		return err
	}
	if version > len(steps) {
		return newerSchema(version, len(steps))
	}
	for ; version < len(steps); version++ {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if _, err = tx.ExecContext(ctx, steps[version]); err == nil {
			_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1))
		}
		if err != nil {
			tx.Rollback()
			return fmt.Errorf("migrate to schema %d: %w", version+1, err)
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("migrate to schema %d: %w", version+1, err)
		}
	}
	return nil
}

func schemaVersion(ctx context.Context, db *sql.DB) (version int, err error) {
	err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	return version, err
}

func newerSchema(version, known int) error {
	return fmt.Errorf("its schema is version %d, this camcensus knows up to %d: needs a newer camcensus", version, known)
}

// readable tells whether a store can be read as it is: who only reads cannot
// bring it forward.
func readable(ctx context.Context, db *sql.DB, steps []string) error {
	switch version, err := schemaVersion(ctx, db); {
	case err != nil:
		return err
	case version > len(steps):
		return newerSchema(version, len(steps))
	case version < len(steps):
		return fmt.Errorf("its schema is version %d of %d: needs camcensus run of this version, once", version, len(steps))
	}
	return nil
}
