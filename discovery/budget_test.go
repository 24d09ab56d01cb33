package discovery

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestPaceIsACeilingOverAnyWindow(t *testing.T) {
	for _, rate := range []float64{1, 12, 100, 500, 5000} {
		synctest.Test(t, func(t *testing.T) {
			p := NewPace(rate)
			var times []time.Time
			for began := time.Now(); time.Since(began) < 5*time.Second; {
				if err := p.Wait(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				times = append(times, time.Now())
			}
			from, worst, burst := 0, 0, 0
			short := 0
			for to := range times {
				for times[to].Sub(times[from]) >= time.Second {
					from++
				}
				for times[to].Sub(times[short]) >= 100*time.Millisecond {
					short++
				}
				worst, burst = max(worst, to-from+1), max(burst, to-short+1)
			}
			if float64(worst) > rate {
				t.Errorf("rate %v: %d in a second", rate, worst)
			}
			if float64(burst) > max(1, 0.2*rate) {
				t.Errorf("rate %v: %d in 100 ms", rate, burst)
			}
			if float64(len(times)) < 5*rate*0.9 {
				t.Errorf("rate %v: only %d in 5 s", rate, len(times))
			}
		})
	}
}

func TestPaceTakesMoreThanItsBurstAndChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := NewPace(10), time.Now()
		if err := p.Wait(t.Context(), 20); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 1900*time.Millisecond || took > 2200*time.Millisecond {
			t.Errorf("20 packets at 10 a second took %v", took)
		}
		p.Set(0)
		began = time.Now()
		if err := p.Wait(t.Context(), 1e6); err != nil || time.Since(began) > 0 {
			t.Errorf("without a limit: %v, %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		p.Set(0.1)
		_ = p.Wait(ctx, 1)
		if err := p.Wait(ctx, 1); err != context.DeadlineExceeded || time.Since(began) > time.Second {
			t.Errorf("error %v after %v", err, time.Since(began))
		}
	})
}

func TestUnresolvedNeighboursAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernelNeighbours(func(netip.Addr, net.HardwareAddr) {})
		k.state = func(int, netip.Addr) (neighbourState, net.HardwareAddr) { return neighbourUnknown, nil }
		ip := netip.MustParseAddr("10.0.0.1")
		began := time.Now()
		for range unresolvedMost {
			if asks, err := k.before(t.Context(), 1, ip); err != nil || asks != askedOfUnknown {
				t.Fatalf("%d, %v", asks, err)
			}
			ip = ip.Next()
		}
		if time.Since(began) > 0 {
			t.Errorf("waited %v for the first", time.Since(began))
		}
		if _, err := k.before(t.Context(), 1, ip); err != nil || time.Since(began) < 3*time.Second {
			t.Errorf("the next went after %v, %v", time.Since(began), err)
		}
	})
}

func TestKernelIsForeseenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernelNeighbours(func(netip.Addr, net.HardwareAddr) {})
		state := neighbourUnknown
		k.state = func(int, netip.Addr) (neighbourState, net.HardwareAddr) { return state, nil }
		ip := netip.MustParseAddr("10.0.0.1")
		for step, want := range []struct {
			state neighbourState
			asks  int
			pause time.Duration
		}{
			{neighbourUnknown, askedOfUnknown, 0}, {neighbourUnknown, 0, 0}, {neighbourReachable, 0, 0},
			{neighbourUnknown, 0, 0}, {neighbourStale, askedOfStale, 6 * time.Second}, {neighbourStale, 0, 0},
		} {
			time.Sleep(want.pause)
			state = want.state
			if asks, _ := k.before(t.Context(), 1, ip); asks != want.asks {
				t.Errorf("step %d: %d requests, want %d", step, asks, want.asks)
			}
		}
	})
}

func TestHostsAreForgottenAfterManyCycles(t *testing.T) {
	b, ip := newBudget(), netip.MustParseAddr("10.0.0.1")
	b.sight(ip, nil)
	for range forgetAfterCycle + 2 {
		b.newCycle()
	}
	if b.sighted(ip) || len(b.hosts) != 0 {
		t.Error("still known")
	}
}

func TestTwoMACsAtOneAddressAreAConflictForTwoCycles(t *testing.T) {
	b, ip := newBudget(), netip.MustParseAddr("10.0.0.1")
	one, two := net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 2}
	b.sight(ip, one)
	b.sight(ip, nil)
	b.newCycle()
	b.sight(ip, two) // replaced since the last cycle: nothing is open
	if b.contested(ip) {
		t.Error("a device in the place of another is a conflict")
	}
	b.sight(ip, one)
	if all := b.conflicting(); len(all) != 1 || all[0].IP != ip || all[0].MACs[0].String() != two.String() || all[0].MACs[1].String() != one.String() {
		t.Errorf("conflicts %v", all)
	}
	b.newCycle()
	if !b.contested(ip) {
		t.Error("forgotten in the next cycle")
	}
	b.newCycle()
	if b.contested(ip) {
		t.Error("still a conflict")
	}
}

func TestWhatTheGroupAllowanceLeavesOutIsCounted(t *testing.T) {
	b := newBudget()
	ask := func(iface, source string, n int) {
		_, _ = b.take(leaving{packet: Packet{Interface: iface, Source: source, Count: 1}, kind: group, question: uint64(n)})
	}
	for n := range interfaceGroup + 2 {
		ask("eth0", "wsd", n)
		ask("eth1", "wsd", 0) // the fourth time and on
	}
	ask("eth0", "mdns", 0)
	want := []LeftOut{{"eth0", "mdns", 1}, {"eth0", "wsd", 2}, {"eth1", "wsd", interfaceGroup + 2 - questionRepeats}}
	if got := b.leftOut(); !slices.Equal(got, want) {
		t.Errorf("left out %v, want %v", got, want)
	}
	b.newCycle()
	if got := b.leftOut(); len(got) > 0 {
		t.Errorf("in the next cycle: %v", got)
	}
}
