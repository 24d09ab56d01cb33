package inventory

import (
	"strings"
	"testing"
	"time"

	"camcensus/internal/policy"
)

// TestReturnUnderAnotherAddress: a device that was away and shows itself by an
// unknown address first is told to be back as soon as it says who it is, with
// the same event and date as one that comes back to its old place.
func TestReturnUnderAnotherAddress(t *testing.T) {
	serial := ev("onvif", 80, "serial", "CAM2026000123")
	for state, want := range map[State]string{
		Removed: "appeared identified verdict_changed removed merged returned",
		Missing: "appeared identified verdict_changed missing merged returned",
	} {
		s := newSite(t, Options{MissingAfter: 1})
		a := s.see("10.0.0.5", "", serial...).Device
		s.camera(a, policy.Banned)
		s.end(lan)
		if state == Removed {
			if err := s.Remove(a, "replaced", "alice"); err != nil {
				t.Fatal(err)
			}
		}
		s.clock.pass(time.Hour)
		s.end(lan)
		if d := s.device(a); d.State != state {
			t.Fatalf("%s, want %s", d.State, state)
		}
		seen := s.clock.now()
		s.see("10.0.0.9", "")
		s.clock.pass(time.Minute)
		if b := s.see("10.0.0.9", "", serial...).Device; b != a {
			t.Fatalf("%s is not %s", b, a)
		}
		if d := s.device(a); d.State != Present || d.Removal != nil || state == Removed && !d.Returned.Equal(seen) {
			t.Errorf("%+v", d)
		}
		if got := strings.Join(s.told(a), " "); got != want {
			t.Errorf("%s: told %s", state, got)
		}
	}
}

// TestMergeByHandLeavesARemovedDeviceRemoved: another record of the same device,
// from before the removal, is no sign of its return.
func TestMergeByHandLeavesARemovedDeviceRemoved(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.5", macA).Device
	s.camera(a, policy.Banned)
	s.clock.pass(time.Minute)
	b := s.see("10.0.0.6", macB).Device
	s.camera(b, policy.Banned)
	s.clock.pass(time.Minute)
	if err := s.Remove(a, "taken down", "alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Merge(a, b, "one recorder", "alice"); err != nil {
		t.Fatal(err)
	}
	if d := s.device(a); d.State != Removed || d.Removal == nil {
		t.Errorf("%+v", d)
	}
	s.clock.pass(time.Minute)
	s.see("10.0.0.6", macB)
	if d := s.device(a); d.State != Present || d.Returned.IsZero() {
		t.Errorf("%+v", d)
	}
}
