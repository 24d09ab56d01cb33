package inventory

import (
	"fmt"
	"testing"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// TestEditDoesNotWaitForTheQueue: while new rules judge every device anew, a
// person's edit is on disk before what waits.
func TestEditDoesNotWaitForTheQueue(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := newSite(t, o)
	n := 6000
	if raced {
		n = 500
	}
	ids := make([]string, n)
	for k := range n {
		ids[k] = s.see(fmt.Sprintf("10.0.%d.%d", k>>8, k&255), fmt.Sprintf("44:19:b6:00:%02x:%02x", k>>8, k&255), ev("http", 80, "server", "App-webs/")...).Device
		s.camera(ids[k], policy.Banned)
	}
	note := "seen"
	began := time.Now()
	if err := s.Annotate(ids[n-1], AnnotationPatch{Note: &note}, "alice"); err != nil {
		t.Fatal(err)
	}
	waiting := s.Health().Pending
	t.Logf("an edit took %v with %d changes still waiting", time.Since(began), waiting)
	// The race detector slows the sightings so far that the queue is written meanwhile.
	if waiting < n/2 && !raced {
		t.Errorf("%d changes still wait: the edit waited for the rest", waiting)
	}
	r, err := OpenReadOnly(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if d, ok := r.Device(ids[n-1]); !ok || d.Annotations.Note != note {
		t.Errorf("acknowledged, but not on disk: %+v", d)
	}
	if err := s.Sync(); err != nil || s.Health().Pending != 0 {
		t.Errorf("%d wait after Sync, %v", s.Health().Pending, err)
	}
}

// TestRejudgeKeepsTheQueueShort: what waits is kept decoded, and memory is not
// for that.
func TestRejudgeKeepsTheQueueShort(t *testing.T) {
	n := 4000
	if raced {
		n = 500
	}
	round, most := 0, 0
	var s *site
	o := Options{Dir: t.TempDir(), Judge: func(d Device, _ []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict) {
		most = max(most, s.Health().Pending)
		return fingerprint.Identity{Manufacturer: "Axis", Model: fmt.Sprint(round), Class: fingerprint.ClassCamera}, nil
	}}
	s = newSite(t, o)
	for k := range n {
		s.see(fmt.Sprintf("10.0.%d.%d", k>>8, k&255), fmt.Sprintf("44:19:b6:00:%02x:%02x", k>>8, k&255))
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	for round = range 3 {
		if got := s.Rejudge(); got != n {
			t.Fatalf("%d of %d judged", got, n)
		}
	}
	if most > 4*maxWarm {
		t.Errorf("%d changes waited at once", most)
	}
}
