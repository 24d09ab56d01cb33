package inventory

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"camcensus/internal/policy"
)

// TestConcurrentUse is for the race detector: everything at once.
func TestConcurrentUse(t *testing.T) {
	o := Options{Dir: t.TempDir(), DetailLimit: 50}
	inv, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, Inventory: inv, clock: newClock(time.Now())}
	var all sync.WaitGroup
	for worker, work := range []func(int){
		func(n int) {
			id := s.see(fmt.Sprintf("10.0.0.%d", n%100+1), fmt.Sprintf("44:19:b6:00:00:%02x", n%100), ev("http", 80, "server", fmt.Sprint(n))...).Device
			s.camera(id, policy.Banned)
		},
		func(int) { s.Devices(); s.EachAt(func(*Device, *Where) bool { return true }) },
		func(int) { s.Events(t.Context(), EventQuery{}); s.Chain(); s.Health(); s.EventCounts() },
		func(n int) {
			if n%20 == 0 {
				s.Verify(t.Context(), "", 0)
				s.Export(t.Context(), io.Discard, ExportOptions{Format: "json"})
			}
		},
		func(n int) {
			for _, d := range s.Devices() {
				s.Annotate(d.ID, AnnotationPatch{Note: ptr(fmt.Sprint(n))}, "alice")
				break
			}
		},
		func(int) { s.EndCycle(CycleEnd{Covered: nets(lan)}); s.Expire() },
	} {
		all.Go(func() {
			for n := range 60 {
				work(n + worker)
			}
		})
	}
	all.Wait()
	if v, err := s.Verify(t.Context(), "", 0); err != nil || !v.OK() {
		t.Errorf("%+v %v", v, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
