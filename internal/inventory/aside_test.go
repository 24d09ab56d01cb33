package inventory

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camcensus/internal/policy"
)

// damage has the file set aside, as the check in the background does.
func (s *site) damage() (aside string) {
	s.t.Helper()
	before := s.Health().Errors
	s.store.corrupt <- errIntegrity
	for s.Health().Errors == before {
		time.Sleep(time.Millisecond)
	}
	if err := s.Sync(); err != nil {
		s.t.Fatal(err)
	}
	return filepath.Base(s.Health().SetAside)
}

func (s *site) verified(head string, seq int64) *Verification {
	s.t.Helper()
	v, err := s.Verify(s.t.Context(), head, seq)
	if err != nil || len(v.Faults) > 0 {
		s.t.Fatalf("%+v %v", v, err)
	}
	return v
}

// TestTheChainRecordsThatAFileWasSetAside: from the next event on the chain itself
// tells where earlier ones are; until then, and below, nothing is proven.
func TestTheChainRecordsThatAFileWasSetAside(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := newSite(t, o)
	a := s.answer("10.0.0.1", macA, policy.Banned)
	if err := s.Annotate(a, AnnotationPatch{Note: ptr("n")}, "alice"); err != nil {
		t.Fatal(err)
	}
	early, earlyHead := s.Chain()
	s.answer("10.0.0.2", macB, policy.Banned)
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	base, head := s.Chain()
	aside := s.damage()
	if v := s.verified("", 0); len(v.Open) != 1 || !strings.Contains(v.Open[0], "no event records that yet") || !strings.Contains(v.Open[0], aside) || v.Events != 0 || v.Base != base {
		t.Errorf("before an event: %+v", v)
	}
	s = reopen(t, s, o) // it is not forgotten by that
	s.clock.pass(time.Hour)
	if err := s.Annotate(a, AnnotationPatch{Note: ptr("after")}, "alice"); err != nil {
		t.Fatal(err)
	}
	if v := s.verified(head, base); !v.OK() || v.Base != base || v.Recorded != base+1 || v.Aside != aside || v.Events != 1 || v.Length != base+1 {
		t.Errorf("%+v", v)
	}
	if v := s.verified(earlyHead, early); len(v.Open) != 1 || !strings.Contains(v.Open[0], "cannot be checked here, but in "+aside) {
		t.Errorf("an earlier head: %+v", v)
	}
	if v, err := s.Verify(t.Context(), strings.Repeat("0", 64), base); err != nil || v.OK() {
		t.Errorf("another head: %+v %v", v, err)
	}
	// What is not stored yet when the damage shows is chained anew, and records it.
	v := &Verification{}
	for tries := 0; !v.OK() || v.Recorded == 0; tries++ {
		if tries == 50 {
			t.Fatalf("the event was always stored before: %+v", v)
		}
		s.mu.Lock()
		s.append(Event{Time: s.clock.now(), Device: a, Event: "annotated", By: "alice", Evidence: "late"})
		s.mu.Unlock()
		s.clock.pass(time.Hour)
		if again := s.damage(); again == aside {
			t.Fatal("one name for two files")
		}
		v = s.verified("", 0)
	}
	if v.Recorded != v.Base+1 {
		t.Errorf("%+v", v)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, o.Dir, fmt.Sprintf("DELETE FROM events WHERE seq = %d", v.Recorded), fmt.Sprintf("UPDATE meta SET value = '%d' WHERE name = 'chain.base'", v.Recorded),
		fmt.Sprintf("UPDATE meta SET value = '%s' WHERE name = 'chain.base_head'", v.Head))
	if got := verify(t, o.Dir, "", 0); len(got.Faults) > 0 || len(got.Open) == 0 {
		t.Errorf("the record is gone: %+v", got)
	}
}

// TestAFileSetAsideAtTheStartIsRecorded: the chain begins anew then, and says so.
func TestAFileSetAsideAtTheStartIsRecorded(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := newSite(t, o)
	s.answer("10.0.0.1", macA, policy.Banned)
	s.Close()
	if err := os.WriteFile(filepath.Join(o.Dir, FileName), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	s = newSite(t, o)
	aside := filepath.Base(s.Health().SetAside)
	s = reopen(t, s, o)
	s.answer("10.0.0.1", macA, policy.Banned)
	if v := s.verified("", 0); !v.OK() || v.Base != 0 || v.Aside != aside {
		t.Errorf("%+v", v)
	}
}

// TestVerifyFindsADeletedBeginning: whoever deletes the first events can say that
// the file begins after them; it does not pass for whole, with or without an
// earlier head, nor by words that a person wrote.
func TestVerifyFindsADeletedBeginning(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := newSite(t, o)
	heads := map[int64]string{}
	for n := range 5 {
		a := s.answer(fmt.Sprintf("10.0.0.%d", n+1), fmt.Sprintf("44:19:b6:00:00:%02x", n), policy.Banned)
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		length, head := s.Chain()
		heads[length] = head
		if n == 3 {
			if err := s.Remove(a, setAsideMark(9, "camcensus.db.corrupt-20260101T000000Z"), "mallory"); err != nil {
				t.Fatal(err)
			}
		}
	}
	length, head := s.Chain()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	forge := func(base int64) {
		if _, err := hex.DecodeString(heads[base]); err != nil || heads[base] == "" {
			t.Fatalf("no head of %d: %v", base, heads)
		}
		tamper(t, o.Dir, fmt.Sprintf("DELETE FROM events WHERE seq <= %d", base), "DELETE FROM records", "DELETE FROM evidence",
			fmt.Sprintf("INSERT OR REPLACE INTO meta VALUES ('chain.base', '%d'), ('chain.base_head', '%s')", base, heads[base]))
	}
	for _, base := range []int64{9, length} {
		forge(base)
		for seq, head := range map[int64]string{0: "", 3: heads[3], base: heads[base], length: head} {
			v := verify(t, o.Dir, head, seq)
			text := strings.Join(v.Open, "\n")
			if v.OK() || v.Base != base || v.Events != length-base || !strings.Contains(text, fmt.Sprintf("events 1 to %d are not in this file, and no event in it records", base)) {
				t.Errorf("begins after %d, against %d: %+v", base, seq, v)
			}
			if below := seq > 0 && seq < base; below != strings.Contains(text, "cannot be checked here") {
				t.Errorf("begins after %d, against %d: %s", base, seq, text)
			}
		}
	}
}

// TestOneKilledWhileTheFileWasMadeLeavesNoAlarm: what it had begun is no
// inventory that was emptied.
func TestOneKilledWhileTheFileWasMadeLeavesNoAlarm(t *testing.T) {
	dir := t.TempDir()
	young := filepath.Join(dir, FileName+".new")
	for path, text := range map[string]string{filepath.Join(dir, LockName): "1\n", young: "", young + "-wal": "half a log"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := newSite(t, Options{Dir: dir})
	if h := s.Health(); h.SetAside != "" || h.Problem != "" || h.Errors != 0 {
		t.Errorf("%+v", h)
	}
	if left, _ := filepath.Glob(young + "*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
