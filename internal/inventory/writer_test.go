package inventory

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"camcensus/internal/policy"
)

// TestWhatNeverPausesIsWritten: changes that follow each other without a pause
// do not put the writer off.
func TestWhatNeverPausesIsWritten(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir()})
	began := time.Now()
	for n := 0; s.Health().LastCommit.IsZero(); n++ {
		s.see(fmt.Sprintf("10.0.%d.%d", n>>8&255, n&255), fmt.Sprintf("44:19:b6:00:%02x:%02x", n>>8&255, n&255))
		if time.Sleep(time.Millisecond); time.Since(began) > 20*time.Second {
			t.Fatal("nothing was written in 20 seconds")
		}
	}
}

// TestEvidenceOutlivesAFailedWrite: what was let go of from memory while it was
// being written is there when the write failed, and is written by the next.
func TestEvidenceOutlivesAFailedWrite(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := newSite(t, o)
	if _, err := s.store.write.Exec("PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	first := s.see("10.0.0.1", macA, ev("http", 80, "server", "App-webs/")...).Device
	s.camera(first, policy.Banned)
	for n := range 2 * maxWarm { // each pushes older evidence out
		s.see(fmt.Sprintf("10.1.%d.%d", n>>8, n&255), fmt.Sprintf("44:19:b6:01:%02x:%02x", n>>8, n&255), ev("http", 80, "server", "nginx")...)
	}
	for range 2 {
		if err := s.Annotate(first, AnnotationPatch{Note: ptr(time.Now().String())}, "alice"); !errors.Is(err, ErrDeferred) {
			t.Fatalf("an edit on a disk that cannot be written: %v", err)
		}
		if got := s.values(first); !strings.Contains(got, "App-webs/") {
			t.Fatalf("evidence in memory: %q", got)
		}
	}
	if _, err := s.store.write.Exec("PRAGMA query_only = 0"); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s, o)
	if got := s.values(first); !strings.Contains(got, "App-webs/") {
		t.Errorf("evidence on disk: %q", got)
	}
}
