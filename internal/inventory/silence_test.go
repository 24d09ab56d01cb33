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
