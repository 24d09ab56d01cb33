package main

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// TestAnOfflineEditLeavesADamagedStoreAsItIs: only the agent sets one aside.
func TestAnOfflineEditLeavesADamagedStoreAsItIs(t *testing.T) {
	dir, ids := judgedBy(t, policy.Shipped()...)
	file := filepath.Join(dir, inventory.FileName)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	holed := bytes.Clone(good)
	clear(holed[4096 : len(holed)-4096])
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("UPDATE evidence SET form = zeroblob(length(form)); PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	checksums, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"cut": good[:len(good)/2], "holed": holed, "checksums": checksums, "other": bytes.Repeat([]byte("not a database "), 1000), "empty": {},
	} {
		if err := os.WriteFile(file, damaged, 0o640); err != nil {
			t.Fatal(err)
		}
		for _, edit := range [][]string{
			{"annotate", ids[0], "--note", "x"}, {"remove", ids[0], "--reason", "x"}, {"merge", ids[0], "--with", ids[1], "--reason", "x"},
			{"except", ids[0], "--policy", "ca-hikvision-2025", "--owner", "o", "--reason", "r", "--expires", "2099-01-01"},
			{"determine", ids[0], "--manufacturer", "Axis", "--basis", "label"},
		} {
			res := camcensus(t, nil, append([]string{"inventory", "--storage.path", dir}, edit...)...)
			for _, want := range []string{file, "damaged", "nothing was changed", "start the agent", "restore a backup"} {
				if res.status != exitFailed || !strings.Contains(res.err, want) {
					t.Errorf("%s, %s: %d, no %q: %s%s", name, edit[0], res.status, want, res.out, res.err)
				}
			}
			if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, damaged) {
				t.Fatalf("%s, %s: the file was touched (%v)", name, edit[0], err)
			}
		}
	}
	if more, _ := filepath.Glob(file + ".*"); len(more) > 0 {
		t.Errorf("left behind: %v", more)
	}
}
