package inventory

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"camcensus/discovery"
	"camcensus/fingerprint"
)

// announced is what a host says of itself in a datagram, whose MAC no socket
// shows.
func announced(name, hw string) []fingerprint.Evidence {
	out := ev("wsd", 3702, "scope.name", name)
	if hw != "" {
		out = append(out, ev("wsd", 3702, "mac", hw)...)
	}
	return out
}

// neighbours is a site of two, known since an earlier cycle.
func neighbours(t *testing.T) (s *site, a, b string) {
	s = newSite(t, Options{})
	a = s.see("10.0.0.1", macA).Device
	s.see("10.0.0.1", "", announced("A", "")...)
	b = s.see("10.0.0.2", macB).Device
	s.see("10.0.0.2", "", announced("B", "")...)
	s.end(lan)
	return s, a, b
}

// TestWordsWaitForTheMACOfWhoSaidThem: addresses are dealt anew, and the first
// that is heard of it is what the new holder announces.
func TestWordsWaitForTheMACOfWhoSaidThem(t *testing.T) {
	t.Run("another has the address", func(t *testing.T) {
		s, a, b := neighbours(t)
		seen := s.see("10.0.0.1", "", announced("B", "")...)
		if !seen.Waits || seen.Changed {
			t.Errorf("%+v", seen)
		}
		if got := s.values(a); got != "A" {
			t.Errorf("A says %q", got)
		}
		s.see("10.0.0.1", macB)
		s.see("10.0.0.2", macA)
		if got := s.values(a); got != "A" {
			t.Errorf("A says %q once B is seen there", got)
		}
		s.see("10.0.0.1", "", announced("B", "")...)
		if got := s.values(b); !strings.Contains(got, "B") || strings.Contains(got, "A") {
			t.Errorf("B says %q", got)
		}
		s.want(2)
	})
	t.Run("another that names itself has it", func(t *testing.T) {
		s, a, _ := neighbours(t)
		s.see("10.0.0.1", "", announced("C", macC)...)
		c := s.see("10.0.0.1", macC)
		if got := s.values(c.Device); c.Device == a || !strings.Contains(got, "C") {
			t.Errorf("C says %q, %+v", got, c)
		}
		if got := s.values(a); got != "A" {
			t.Errorf("A says %q", got)
		}
	})
	t.Run("the same has it", func(t *testing.T) {
		s, a, _ := neighbours(t)
		s.see("10.0.0.1", "", announced("A, renamed", "")...)
		if seen := s.see("10.0.0.1", macA); !seen.Changed || seen.Device != a {
			t.Errorf("%+v", seen)
		}
		if got := s.values(a); got != "A, renamed" {
			t.Errorf("A says %q", got)
		}
	})
	t.Run("no MAC is ever to be seen", func(t *testing.T) {
		s, a, _ := neighbours(t)
		for cycle := range 2 {
			seen := s.see("10.0.0.1", "", announced("A, renamed", "")...)
			if seen.Waits != (cycle == 0) {
				t.Errorf("cycle %d: %+v", cycle, seen)
			}
			s.end(lan)
		}
		if got := s.values(a); got != "A, renamed" {
			t.Errorf("A says %q", got)
		}
	})
	t.Run("what was said before is a sign of life, what waits is none", func(t *testing.T) {
		s, a, _ := neighbours(t)
		for range 2 {
			s.see("10.0.0.1", "", announced("A", "")...)
			s.end(lan)
		}
		before, _ := s.Device(a)
		s.clock.pass(time.Minute)
		s.see("10.0.0.1", "", announced("B", "")...)
		if after, _ := s.Device(a); !after.LastSeen.Equal(before.LastSeen) {
			t.Errorf("last seen %v, then %v", before.LastSeen, after.LastSeen)
		}
	})
}

// TestWordsThatNameAnotherMAC: a camera names the MAC of its cable and speaks
// through its Wi-Fi module; or a forged MAC was seen at its address.
func TestWordsThatNameAnotherMAC(t *testing.T) {
	first := func(t *testing.T) (s *site, a string) {
		s = newSite(t, Options{})
		a = s.see("10.0.0.1", macA).Device
		if seen := s.see("10.0.0.1", "", announced("B", macB)...); !seen.Waits {
			t.Errorf("%+v", seen)
		}
		return s, a
	}
	answer := Observation{Source: "http", IP: ip("10.0.0.1"), MAC: mac(macA), Evidence: ev("http", 80, "server", "nginx"), Solicited: true, Checked: true}
	t.Run("until the first has answered from there", func(t *testing.T) {
		s, a := first(t)
		s.see("10.0.0.1", macA)
		s.see("10.0.0.1", macC)
		s.see("10.0.0.1", macA)
		if got := s.values(a); got != "" {
			t.Errorf("merely seen it says %q", got)
		}
		answer.Time = s.clock.now()
		seen := s.Observe(answer)
		if got := s.values(a); !strings.Contains(got, "B") || !strings.Contains(got, "nginx") || len(seen.Late) != 1 || seen.Late[0].Device != a {
			t.Errorf("it says %q, %+v", got, seen)
		}
		if len(s.macs) != 2 {
			t.Errorf("%d MACs", len(s.macs))
		}
		s.end(lan)
		if seen := s.see("10.0.0.1", "", announced("B", macB)...); seen.Waits || seen.Changed || seen.Device != a {
			t.Errorf("said again in the next cycle: %+v", seen)
		}
		if seen := s.see("10.0.0.1", "", announced("B, renamed", macB)...); !seen.Waits {
			t.Errorf("something else: %+v", seen)
		}
	})
	t.Run("until the other is seen", func(t *testing.T) {
		s, a := first(t)
		b := s.see("10.0.0.1", macB)
		if got := s.values(b.Device); b.Device == a || !strings.Contains(got, "B") || len(b.Late) != 1 {
			t.Errorf("B says %q, %+v", got, b)
		}
		if got := s.values(a); got != "" {
			t.Errorf("A says %q", got)
		}
	})
	t.Run("until the cycle ends", func(t *testing.T) {
		s, a := first(t)
		late := s.EndCycle(CycleEnd{Number: 1, Time: s.clock.now(), Covered: nets(lan)})
		if got := s.values(a); !strings.Contains(got, "B") || len(late) != 1 || late[0].Device != a {
			t.Errorf("it says %q, %+v", got, late)
		}
		if s.waiting.total != 0 || s.waiting.bytes != 0 {
			t.Errorf("%+v", s.waiting)
		}
	})
	t.Run("not while two quarrel over the address", func(t *testing.T) {
		s, a := first(t)
		s.see("10.0.0.1", macC)
		s.end(lan)
		if got := s.values(a); got != "" {
			t.Errorf("A says %q", got)
		}
	})
}

// TestAFloodOfWordsLeavesThoseOfOthers: what one camera said waits on while others
// are flooded with words.
func TestAFloodOfWordsLeavesThoseOfOthers(t *testing.T) {
	s := newSite(t, Options{})
	for n := range 200 {
		s.see(fmt.Sprintf("10.0.0.%d", n+1), fmt.Sprintf("44:19:b6:00:00:%02x", n))
	}
	camera := s.see("10.0.1.1", macA).Device
	s.end(lan, "10.0.1.0/24")
	s.see("10.0.1.1", "", announced("the camera", "")...)
	for n := range 20_000 {
		s.see(fmt.Sprintf("10.0.0.%d", n%200+1), "", announced(fmt.Sprint(n, strings.Repeat("x", 500)), "")...)
	}
	s.see("10.0.1.1", macA)
	if got := s.values(camera); got != "the camera" {
		t.Errorf("the camera says %q", got)
	}
}

// TestAnOldSightingTakesNoAddress: the kernel's table still has the MAC that was
// at the address before.
func TestAnOldSightingTakesNoAddress(t *testing.T) {
	s, a, _ := neighbours(t)
	before := s.clock.now()
	s.clock.pass(time.Minute)
	c := s.see("10.0.0.1", macC).Device
	s.Observe(Observation{Time: before, Source: "neighbor", Interface: "eth0", IP: ip("10.0.0.1"), MAC: mac(macA)})
	if d, _ := s.Device(c); !slices.Contains(d.IPs, "10.0.0.1") {
		t.Errorf("C has %v", d.IPs)
	}
	if s.at(ip("10.0.0.1"))[0].id != c || len(s.at(ip("10.0.0.1"))) != 1 {
		t.Errorf("A, %s, is at 10.0.0.1 again", a)
	}
}

// TestWordsThatWaitAreBounded: a flood of made-up words takes no memory.
func TestWordsThatWaitAreBounded(t *testing.T) {
	s := newSite(t, Options{})
	for n := range 200 {
		s.see(fmt.Sprintf("10.0.0.%d", n+1), fmt.Sprintf("44:19:b6:00:00:%02x", n))
	}
	s.end(lan)
	for n := range 20_000 {
		s.see(fmt.Sprintf("10.0.0.%d", n%200+1), "", announced(fmt.Sprint(n), "")...)
	}
	total, bytes := 0, 0
	for _, w := range s.waiting.at {
		bytes += size(w)
		if total += len(w); len(w) > maxWaitingAt {
			t.Errorf("%d wait at one address", len(w))
		}
	}
	if total != s.waiting.total || total > maxWaiting || total == 0 || bytes != s.waiting.bytes {
		t.Errorf("%d wait, counted as %d; %d bytes, counted as %d", total, s.waiting.total, bytes, s.waiting.bytes)
	}
	for n := range 1000 {
		s.Observe(Observation{Time: s.clock.now(), Source: "wsd", Interface: "eth0", IP: ip(fmt.Sprintf("10.0.0.%d", n%200+1)),
			Evidence: announced(fmt.Sprint(n), ""), Record: discovery.Record{Base64: make([]byte, 60_000)}})
	}
	if s.waiting.bytes > maxWaitingBytes+60_000 || s.waiting.bytes == 0 {
		t.Errorf("%d bytes wait", s.waiting.bytes)
	}
}
