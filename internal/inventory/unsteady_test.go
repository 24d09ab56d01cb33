package inventory

import (
	"fmt"
	"testing"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// asks is a visit to a camera behind a router, which says its serial.
func (s *site) asks(addr, serial string) string {
	s.t.Helper()
	id := s.see(addr, "", ev("isapi", 80, "serial", serial, "model", "M")...).Device
	s.see(addr, "", ev("onvif", 80, "serial", serial)...)
	s.Commit(id, fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera, Serial: serial},
		[]policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: policy.Banned}}, s.clock.now())
	return id
}

func serialOf(n int) string { return fmt.Sprintf("DS-2CD2143AAWR%09d", n) }

func TestADeviceThatNamesItselfAnewEachTimeIsNotHoarded(t *testing.T) {
	s := newSite(t, Options{})
	last := ""
	for n := range 60 {
		last = s.asks("10.9.0.1", serialOf(n))
		s.end("10.9.0.0/24")
		s.clock.pass(day)
	}
	s.want(maxHeirs)
	if d := s.device(last); d.State != Present || d.Serial != serialOf(59) || d.IPs[0] != "10.9.0.1" {
		t.Errorf("%+v", d)
	}
	s.clock.pass(heirAge) // whoever comes after so long may be another
	if s.asks("10.9.0.1", serialOf(60)) == last {
		t.Error("a camera that was replaced is not a new device")
	}
}

// TestCamerasSetUpAtOneAddress: each is new at the address of the workbench, and
// stands elsewhere later.
func TestCamerasSetUpAtOneAddress(t *testing.T) {
	s := newSite(t, Options{})
	const cameras = 2 * maxHeirs
	for n := range cameras {
		s.asks("10.9.0.1", serialOf(n))
		s.end("10.9.0.0/24")
	}
	ids := map[string]bool{}
	for n := range cameras {
		ids[s.asks(fmt.Sprintf("10.9.0.%d", n+10), serialOf(n))] = true
	}
	for n := range cameras {
		if d := s.device(s.asks(fmt.Sprintf("10.9.0.%d", n+10), serialOf(n))); d.Serial != serialOf(n) || !ids[d.ID] {
			t.Errorf("camera %d is %s with serial %s", n, d.ID, d.Serial)
		}
	}
	if len(ids) != cameras {
		t.Errorf("%d devices, %d cameras", len(ids), cameras)
	}
	s.want(cameras)
}

// TestManyBehindOneAddress: they answer in turn, and each comes again.
func TestManyBehindOneAddress(t *testing.T) {
	s := newSite(t, Options{})
	const cameras = maxHeirs + 4
	ids := map[string]bool{}
	for n := range 4 * cameras {
		id := s.asks("10.9.0.1", serialOf(n%cameras))
		if n >= 3*cameras {
			ids[id] = true
		}
		s.end("10.9.0.0/24")
	}
	if len(ids) != cameras {
		t.Errorf("%d devices, %d cameras", len(ids), cameras)
	}
	s.want(cameras)
}
