package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"camcensus/internal/inventory"
)

// TestVerifySaysWhatItVerified: what a file lacks never passes for whole.
func TestVerifySaysWhatItVerified(t *testing.T) {
	dir, id := stored(t)
	for _, note := range []string{"one", "two"} {
		if res := camcensus(t, nil, "inventory", "--storage.path", dir, "--by", "alice", "annotate", id, "--note", note); res.status != exitDone {
			t.Fatal(res.err)
		}
	}
	run := func(args ...string) result {
		t.Helper()
		return camcensus(t, nil, append([]string{"inventory", "--storage.path", dir, "verify"}, args...)...)
	}
	res := run()
	whole := regexp.MustCompile(`^all 5 events are whole and in order; head ([0-9a-f]{64})\nraw records: 0, as events cite them\ndevices: 1, undamaged with their evidence; .*\n$`)
	head := whole.FindStringSubmatch(res.out)
	if res.status != exitDone || head == nil {
		t.Fatalf("%d %s%s", res.status, res.out, res.err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, inventory.FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var early, base string
	if err := db.QueryRow("SELECT (SELECT lower(hex(hash)) FROM events WHERE seq = 2), (SELECT lower(hex(hash)) FROM events WHERE seq = 4)").Scan(&early, &base); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("DELETE FROM events WHERE seq <= 4; INSERT INTO meta VALUES ('chain.base', '4'), ('chain.base_head', ?)", base); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string // in the error
	}{
		{nil, "this file alone does not prove the history:\ncamcensus: events 1 to 4 are not in this file, and no event in it records that a file was set aside"},
		{[]string{"--seq", "5", "--head", head[1]}, "events 1 to 4 are not in this file"},
		{[]string{"--seq", "2", "--head", early}, "event 2 of the earlier head is not in this file, which begins after event 4: it cannot be checked here, but in the file that has them"},
	} {
		res := run(c.args...)
		if res.status != exitFailed || !strings.HasPrefix(res.out, "events 5 to 5 are whole and in order; head "+head[1]) || !strings.Contains(res.err, c.want) || strings.Contains(res.err, "does not hold") {
			t.Errorf("%v: %d %s%s", c.args, res.status, res.out, res.err)
		}
	}
}

func TestVerificationInWords(t *testing.T) {
	set := inventory.Verification{Length: 312, Base: 295, Recorded: 296, Aside: "camcensus.db.corrupt-20261123T000000Z", Events: 17, Head: "ab",
		Records: 3, AnswersOnly: 1, Devices: 2, Forgotten: []string{"d-a", "d-b"}}
	gone, began := set, inventory.Verification{Length: 3, Aside: "camcensus.db.corrupt-20261123T000000Z", Events: 3, Head: "ab"}
	gone.Aside = "gone"
	for _, c := range []struct {
		v    inventory.Verification
		want string
	}{
		{set, `events 296 to 312 are whole and in order; head ab
events 1 to 295 are not in this file: they are in camcensus.db.corrupt-20261123T000000Z, which was set aside, as event 296 records
raw records: 3, as events cite them; of 1, kept by an older version, that covers the answer, not its address and time
devices: 2, undamaged with their evidence; their checksums find damage, no forger
no longer kept: 2 of the devices of which events tell (forgotten by retention, or deleted): d-a d-b
`},
		{gone, "\nevents 1 to 295 are not in this file: the one they were in is gone, as event 296 records\n"},
		{began, "all 3 events are whole and in order; head ab\nan earlier inventory was set aside as camcensus.db.corrupt-20261123T000000Z: its events are in no chain of this file\n"},
	} {
		var b strings.Builder
		if err := showVerification(&b, &c.v); err != nil || !strings.Contains(b.String(), c.want) {
			t.Errorf("%s, %v", &b, err)
		}
	}
	if err := showVerification(&strings.Builder{}, &inventory.Verification{Faults: []string{"f"}, Open: []string{"o"}}); err == nil || fmt.Sprint(err) != "the inventory does not hold:\no\nf" {
		t.Error(err)
	}
}
