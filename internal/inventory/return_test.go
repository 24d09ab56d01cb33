package inventory

import (
	"strings"
	"testing"
	"time"

	"camcensus/fingerprint"
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

// TestWhatIsNoCameraReturnsToo: of a printer that a person removed the chain tells
// the return, and from then on whether it is there; a comparison and verify agree
// with it. One that nobody spoke of leaves no event.
func TestWhatIsNoCameraReturnsToo(t *testing.T) {
	o := Options{Dir: t.TempDir(), MissingAfter: 1, Hostnames: "cameras"}
	s := newSite(t, o)
	printer, host, other := s.see("10.0.0.5", macA).Device, s.see("10.0.0.6", macB).Device, s.see("10.0.0.7", macC).Device
	for _, id := range []string{printer, other} {
		s.Commit(id, fingerprint.Identity{Manufacturer: "HP", Class: fingerprint.ClassOther},
			[]policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: policy.OutOfScope}}, s.clock.now())
	}
	s.end(lan)
	from := s.clock.now()
	s.clock.pass(time.Hour)
	for _, id := range []string{printer, host} {
		if err := s.Remove(id, "scrapped", "alice"); err != nil {
			t.Fatal(err)
		}
	}
	s.clock.pass(time.Hour)
	s.see("10.0.0.5", macA)
	s.see("10.0.0.6", macB)
	for _, id := range []string{printer, host} {
		if got := strings.Join(s.told(id), " "); got != "removed returned" {
			t.Errorf("%s: told %q", id, got)
		}
		if d := s.device(id); d.State != Present || d.Returned.IsZero() || d.Removal != nil {
			t.Errorf("%+v", d)
		}
	}
	diff, err := s.Diff(t.Context(), from, s.clock.now().Add(time.Second))
	if err != nil || len(diff.Returned) != 2 || len(diff.Gone) != 0 {
		t.Errorf("%+v %v", diff, err)
	}
	s = reopen(t, s, o)
	s.end(lan)
	s.clock.pass(time.Hour)
	s.end(lan)
	if got := strings.Join(s.told(printer), " "); got != "removed returned missing" {
		t.Errorf("told %q", got)
	}
	if diff, err = s.Diff(t.Context(), from, s.clock.now().Add(time.Second)); err != nil || len(diff.Gone) != 2 {
		t.Errorf("%+v %v", diff, err)
	}
	if got := s.told(other); len(got) != 0 {
		t.Errorf("of a device that nobody spoke of is told %v", got)
	}
	if v := s.verified("", 0); len(v.Faults) != 0 {
		t.Errorf("%v", v.Faults)
	}
}
