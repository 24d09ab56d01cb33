package main

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"testing"
	"time"

	"camcensus/internal/lab"
)

// spent is what one cycle put on the wire.
type spent struct {
	datagrams, syns map[netip.Addr]int
	groups          map[string]int // by interface
	questions       map[string]int // the same bytes to the same group
}

var uuidText = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func spending(frames []lab.Frame) spent {
	s := spent{map[netip.Addr]int{}, map[netip.Addr]int{}, map[string]int{}, map[string]int{}}
	for _, f := range frames {
		switch {
		case !work(f) || f.EtherType == 0x0806 || f.ICMPType == 135:
		case f.Protocol == 6:
			s.syns[f.Dst]++
		case toMany(f.Dst):
			s.groups[f.Interface]++
			s.questions[question(f)]++
		default:
			s.datagrams[f.Dst]++
		}
	}
	return s
}

// question names what is asked of a group: DNS questions by their bytes
// without the id, WS-Discovery ones without the message's own number.
func question(f lab.Frame) string {
	payload := f.Raw[min(len(f.Raw), 42):]
	text := fmt.Sprintf("%s %s:%d %s", f.Interface, f.Dst, f.DstPort, uuidText.ReplaceAll(payload, nil))
	return text
}

// TestAScanKeepsToItsPlanItsCeilingAndEveryHostsAllowance holds one capture
// against all that DESIGN section 10 and a dry run promise of it.
func TestAScanKeepsToItsPlanItsCeilingAndEveryHostsAllowance(t *testing.T) {
	for _, rate := range []int{150, 600} {
		t.Run(strconv.Itoa(rate), func(t *testing.T) {
			r := site(t, "threehundred")
			args := []string{"--interface", "cam1", "--rate", strconv.Itoa(rate), "--arp-rate", "0", "connected", "10.79.0.0/24"}
			dry := camcensus(t, nil, append([]string{"scan", "--interface", "cam0", "--dry-run"}, args...)...)
			if dry.status != 0 {
				t.Fatalf("dry run: status %d: %s", dry.status, dry.err)
			}
			for _, f := range r.Captured() {
				if work(f) {
					t.Errorf("a dry run sent a frame of type %#x, protocol %d to %s:%d", f.EtherType, f.Protocol, f.Dst, f.DstPort)
				}
			}
			r.Forget()
			scan(t, args...)
			captured := r.Captured()
			t.Run("plan", func(t *testing.T) { keptPlan(t, r, dry.out, captured) })
			t.Run("ceiling", func(t *testing.T) { keptCeiling(t, rate, captured) })
			t.Run("allowance", func(t *testing.T) { keptAllowance(t, captured) })
		})
	}
}

// keptAllowance: no host and no group got more than one cycle may send it.
func keptAllowance(t *testing.T, captured []lab.Frame) {
	t.Helper()
	s := spending(captured)
	worst := func(of map[netip.Addr]int, allowed int, what string) {
		t.Helper()
		top := 0
		for ip, n := range of {
			if top = max(top, n); n > allowed {
				t.Errorf("%d %s to %s in one cycle, the allowance is %d", n, what, ip, allowed)
			}
		}
		t.Logf("%s to %d hosts, at most %d to one (%d are allowed)", what, len(of), top, allowed)
	}
	worst(s.datagrams, 12, "unicast datagrams")
	worst(s.syns, 8, "SYNs")
	for iface, n := range s.groups {
		if t.Logf("%d packets to groups on %s (60 are allowed)", n, iface); n > 60 {
			t.Errorf("%d packets to groups on %s", n, iface)
		}
	}
	for q, n := range s.questions {
		if n > 3 {
			t.Errorf("the same question %d times: %.120q", n, q)
		}
	}
}

// keptCeiling: ARP, datagrams and connections together never outran the rate.
func keptCeiling(t *testing.T, rate int, captured []lab.Frame) {
	t.Helper()
	times := workTimes(captured)
	kinds := map[string]int{}
	for _, f := range captured {
		if work(f) {
			kinds[fmt.Sprintf("%#x/%d", f.EtherType, f.Protocol)]++
		}
	}
	t.Logf("%v", kinds)
	if len(kinds) < 5 || len(times) < 2000 {
		t.Errorf("%d frames of only %d kinds", len(times), len(kinds))
	}
	holds(t, times, time.Second, rate)
	holds(t, times, 100*time.Millisecond, rate/10*2)
	if t.Failed() {
		t.Log(densest(captured))
	}
}

// workTimes is when the frames left that the budget counts.
func workTimes(frames []lab.Frame) (times []time.Time) {
	for _, f := range frames {
		if work(f) {
			times = append(times, f.Time)
		}
	}
	return times
}

// most is the largest number of times within one window.
func most(times []time.Time, window time.Duration) (worst int) {
	from := 0
	for i := range times {
		for times[i].Sub(times[from]) >= window {
			from++
		}
		worst = max(worst, i-from+1)
	}
	return worst
}

func holds(t *testing.T, times []time.Time, window time.Duration, ceiling int) {
	t.Helper()
	worst := most(times, window)
	t.Logf("%d frames, at most %d within %s", len(times), worst, window)
	if worst > ceiling {
		t.Errorf("%d frames within %s, the ceiling (with its burst of a tenth of a second) is %d", worst, window, ceiling)
	}
}

// densest tells what the densest second was made of.
func densest(frames []lab.Frame) string {
	var counted []lab.Frame
	for _, f := range frames {
		if work(f) {
			counted = append(counted, f)
		}
	}
	from, best, at := 0, 0, 0
	for i := range counted {
		for counted[i].Time.Sub(counted[from].Time) >= time.Second {
			from++
		}
		if i-from+1 > best {
			best, at = i-from+1, from
		}
	}
	kinds := map[string]int{}
	for _, f := range counted[at : at+best] {
		kinds[fmt.Sprintf("%#x/%d to port %d, unicast frame %v", f.EtherType, f.Protocol, f.DstPort, f.DstMAC[0]&1 == 0)]++
	}
	return fmt.Sprintf("%s into the scan: %v", counted[at].Time.Sub(counted[0].Time), kinds)
}
