package inventory

import (
	"strings"
	"testing"
	"time"

	"camcensus/internal/policy"
)

// TestAGoodbyeMakesNobodyMissingSooner: it is multicast that anybody can send in
// another's name.
func TestAGoodbyeMakesNobodyMissingSooner(t *testing.T) {
	s := newSite(t, Options{MissingAfter: 5})
	a := s.see("10.0.0.1", macA).Device
	s.end(lan)
	for n := range 5 {
		if d := s.device(a); d.State != Present {
			t.Fatalf("missing after %d cycles, want 5", n)
		}
		s.Observe(Observation{Time: s.clock.now(), Source: "wsd", Interface: "eth0", IP: ip("10.0.0.1"), MAC: mac(macA), Departed: true})
		s.end(lan)
	}
	if d := s.device(a); d.State != Missing {
		t.Errorf("%s after 5 cycles in which it only said goodbye", d.State)
	}
}

// TestAGoodbyeDatesWhomItShows: of a host that nothing else was heard of it is
// known when it spoke.
func TestAGoodbyeDatesWhomItShows(t *testing.T) {
	s := newSite(t, Options{})
	seen := s.Observe(Observation{Time: s.clock.now(), Source: "wsd", Interface: "eth0", IP: ip("10.0.0.1"), Departed: true})
	if d := s.device(seen.Device); !d.LastSeen.Equal(s.clock.now()) {
		t.Errorf("last seen %s", d.LastSeen)
	}
}

// TestAnOldSightingReturnsNobody: what was seen before the silence that made a
// device missing says nothing of now.
func TestAnOldSightingReturnsNobody(t *testing.T) {
	s := newSite(t, Options{MissingAfter: 2})
	a := s.see("10.0.0.1", macA).Device
	s.camera(a, policy.Banned)
	proved := s.clock.now().Add(10 * time.Millisecond) // as the kernel dates it
	for range 6 {
		s.Observe(Observation{Time: proved, Source: "neighbor", Interface: "eth0", IP: ip("10.0.0.1"), MAC: mac(macA)})
		s.end(lan)
	}
	if got := strings.Join(s.told(a), " "); got != "appeared identified verdict_changed missing" {
		t.Errorf("told %s", got)
	}
	s.see("10.0.0.1", macA)
	if got := strings.Join(s.told(a), " "); got != "appeared identified verdict_changed missing returned" {
		t.Errorf("seen again, told %s", got)
	}
}

// TestAReturnedDeviceIsMissingAfterAsManyCycles: what was counted before its
// removal does not shorten them.
func TestAReturnedDeviceIsMissingAfterAsManyCycles(t *testing.T) {
	s := newSite(t, Options{MissingAfter: 3})
	a := s.see("10.0.0.1", macA).Device
	s.end(lan)
	s.end(lan)
	s.end(lan)
	if err := s.Remove(a, "scrapped", "bob"); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(time.Minute)
	before := s.clock.now()
	s.end(lan)
	s.Observe(Observation{Time: before, Source: "neighbor", Interface: "eth0", IP: ip("10.0.0.1"), MAC: mac(macA)})
	s.end(lan)
	s.end(lan)
	if d := s.device(a); d.State != Present {
		t.Errorf("%s two cycles after its return", d.State)
	}
	s.end(lan)
	if d := s.device(a); d.State != Missing {
		t.Errorf("%s three cycles after its return", d.State)
	}
}

// TestAMoveBehindARouterEndsTheOldAddress: there the network shows no MAC, and only
// the silence of the old address tells a move from a second interface.
func TestAMoveBehindARouterEndsTheOldAddress(t *testing.T) {
	const far = "10.9.0.0/24"
	s := newSite(t, Options{MissingAfter: 3})
	serial := ev("onvif", 80, "serial", "CAM2026000123")
	near := func() { s.see("10.0.0.1", macA, serial...) }
	behind := func() { s.see("10.9.0.1", "", serial...) }
	near()
	a := s.Devices()[0].ID
	s.camera(a, policy.Banned)
	cycle := func(sightings ...func()) string {
		for _, see := range sightings {
			see()
		}
		s.end(lan, far)
		s.want(1)
		return strings.Join(s.device(a).IPs, " ")
	}
	cycle(near)
	for n := range 2 {
		if got := cycle(behind); got != "10.9.0.1 10.0.0.1" {
			t.Errorf("after %d cycles it is at %s", n+1, got)
		}
	}
	if got := cycle(near, behind); got != "10.9.0.1 10.0.0.1" {
		t.Errorf("shown at both it is at %s", got)
	}
	for range 3 {
		cycle(behind)
	}
	if got := cycle(behind); got != "10.9.0.1" {
		t.Errorf("moved it is at %s", got)
	}
	if got := strings.Join(s.told(a), " "); got != "appeared identified verdict_changed moved" {
		t.Errorf("told %s", got)
	}
	for range 4 {
		cycle(near)
	}
	if got := cycle(near); got != "10.0.0.1" {
		t.Errorf("moved back it is at %s", got)
	}
	if got := strings.Join(s.told(a), " "); got != "appeared identified verdict_changed moved moved" {
		t.Errorf("moved back, told %s", got)
	}
	if e := s.lastEvent(a, "moved"); e.From != "10.9.0.1" || e.To != "10.0.0.1" {
		t.Errorf("moved from %s to %s", e.From, e.To)
	}
}
