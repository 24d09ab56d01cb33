package inventory

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"camcensus/discovery"
	"camcensus/internal/policy"
)

// recorded is a closed store with a history; it returns its directory and the
// head after half of it.
func recorded(t *testing.T) (dir, head string, seq int64) {
	t.Helper()
	o := Options{Dir: t.TempDir()}
	s := newSite(t, o)
	for n := range 20 {
		if n == 10 {
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
			seq, head = s.Chain()
		}
		hw := fmt.Sprintf("44:19:b6:00:00:%02x", n)
		seen := s.Observe(Observation{Time: s.clock.now(), Source: "http", IP: ip(fmt.Sprintf("10.0.0.%d", n+1)), MAC: mac(hw),
			Evidence: ev("http", 80, "server", "App-webs/"), Record: discovery.Record{Kind: "http", Port: 80, Raw: "HTTP/1.1 200 OK"}})
		s.camera(seen.Device, policy.Banned)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return o.Dir, head, seq
}

func verify(t *testing.T, dir, head string, seq int64) *Verification {
	t.Helper()
	ro, err := OpenReadOnly(t.Context(), Options{Dir: dir})
	if err != nil {
		return &Verification{Faults: []string{err.Error()}}
	}
	defer ro.Close()
	v, err := ro.Verify(t.Context(), head, seq)
	if err != nil {
		return &Verification{Faults: []string{err.Error()}}
	}
	return v
}

func TestVerifyHolds(t *testing.T) {
	dir, head, seq := recorded(t)
	if v := verify(t, dir, head[:minHead], seq); !v.OK() {
		t.Errorf("the head as the metrics tell it: %+v", v)
	}
	if v := verify(t, dir, head[:4], seq); v.OK() {
		t.Error("four digits are no proof")
	}
	if v := verify(t, dir, head, seq); !v.OK() || v.Length != 60 {
		t.Fatalf("%+v", v)
	}
}

func TestVerifyFindsTampering(t *testing.T) {
	for name, statements := range map[string][]string{
		"a changed event":      {"UPDATE events SET by = 'mallory' WHERE seq = 7"},
		"a changed time":       {"UPDATE events SET time = time + 1 WHERE seq = 7"},
		"a deleted event":      {"DELETE FROM events WHERE seq = 7"},
		"the first deleted":    {"DELETE FROM events WHERE seq = 1"},
		"two events swapped":   {"UPDATE events SET seq = -7 WHERE seq = 7", "UPDATE events SET seq = 7 WHERE seq = 8", "UPDATE events SET seq = 8 WHERE seq = -7"},
		"a cut tail":           {"DELETE FROM events WHERE seq > 50"},
		"a hidden cut tail":    {"DELETE FROM events WHERE seq > 25", "UPDATE meta SET value = '25' WHERE name = 'chain.length'"},
		"a changed count":      {"UPDATE meta SET value = value + 1 WHERE name = 'count.appeared'"},
		"a changed device":     {"UPDATE devices SET manufacturer = 'Axis' WHERE no = 3"},
		"a changed form":       {"UPDATE devices SET form = substr(form, 1, 20) || x'00' || substr(form, 22) WHERE no = 3"},
		"changed evidence":     {"UPDATE evidence SET form = substr(form, 1, 9) || x'41' || substr(form, 11) WHERE no = 3"},
		"a changed raw record": {"UPDATE records SET record = replace(record, '200 OK', '200 KO')"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, head, seq := recorded(t)
			tamper(t, dir, statements...)
			v := verify(t, dir, head, seq)
			if v.OK() {
				t.Fatalf("not found: %+v", v)
			}
			t.Log(v.Faults[0])
		})
	}
}

func tamper(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVerifyFindsARebuiltChain(t *testing.T) {
	dir, head, seq := recorded(t)
	db, err := sql.Open("sqlite", filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var events []Event
	if err := each(t.Context(), db, "SELECT seq, time, device, event, was, became, by, evidence, hash FROM events ORDER BY seq", func(r *sql.Rows) error {
		e, err := scanEvent(r)
		events = append(events, e)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var prev [32]byte
	for _, e := range events {
		if e.Seq == 3 {
			e.To = "nothing of note"
		}
		prev = hashEvent(prev, &e)
		if _, err := db.Exec("UPDATE events SET became = ?, hash = ? WHERE seq = ?", e.To, prev[:], e.Seq); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	if v := verify(t, dir, "", 0); !v.OK() {
		t.Fatalf("the forger made a mistake: %+v", v)
	}
	if v := verify(t, dir, head, seq); v.OK() {
		t.Error("a chain made anew passed against the earlier head")
	}
}

// TestVerifyFindsAnyFlippedByteOfAnEvent flips each byte of some events in the
// file itself.
func TestVerifyFindsAnyFlippedByteOfAnEvent(t *testing.T) {
	dir, head, seq := recorded(t)
	path := filepath.Join(dir, FileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The last one in the file: earlier ones may be left over in free pages.
	at := bytes.LastIndex(whole, []byte("verdict_changedca-hikvision-2025 banned"))
	if at < 0 {
		t.Fatal("no event in the file")
	}
	for k := at - 20; k < at+80; k++ {
		b := bytes.Clone(whole)
		b[k] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if v := verify(t, dir, head, seq); v.OK() {
			t.Errorf("byte %d (%q) flipped and not found", k, b[k])
		}
	}
}

func TestDeviceIsShownAsTheAPISays(t *testing.T) {
	s := newSite(t, Options{Site: "hq"})
	a := s.see("10.0.0.1", macA).Device
	text, err := json.Marshal(s.device(a))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{`"hostnames":[]`, `"verdicts":[]`, `"reasons":[]`, `"contradictions":[]`, `"determination":null`, `"reachability":"ip"`} {
		if !bytes.Contains(text, []byte(list)) {
			t.Errorf("%s is not in %s", list, text)
		}
	}
}
