package agent

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"camcensus/fingerprint"
)

func TestWhatIsHeardOfABusyHostWaitsForItsWorker(t *testing.T) {
	q := newHostQueue()
	ip := netip.MustParseAddr("10.0.0.9")
	first, second := net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 2}
	never := func(time.Time) bool { return false }
	q.offer(host{addr: ip, tenant: tenant{mac: first, device: "d-1"}}, true, never)
	h := q.take(context.Background())
	h.asked = []fingerprint.Asked{{Answered: true}}
	h.askedAt = time.Now()
	q.offer(host{addr: ip, iface: "cam0", tenant: tenant{mac: second, device: "d-2"}}, true, never)
	if h.device != "d-1" || h.mac.String() != first.String() || h.iface != "" {
		t.Errorf("the worker's host changed under its hands: %s %s %q", h.device, h.mac, h.iface)
	}
	q.done(h)
	if q.pending() != 1 {
		t.Fatalf("%d hosts wait, want the one whose address another device took", q.pending())
	}
	again := q.take(context.Background())
	if again.device != "d-2" || again.mac.String() != second.String() || len(again.asked) != 0 || !again.askedAt.IsZero() {
		t.Errorf("%+v: want the new device, of which nothing was asked", again)
	}
	q.offer(host{addr: ip, tenant: tenant{mac: second, device: "d-2"}}, false, func(time.Time) bool { return true })
	q.done(again)
	if q.pending() != 0 {
		t.Error("a repeated sighting queued a host that was just asked")
	}
}

func TestTwoThatClaimAnAddressInTurnAreNotAskedAnewEachTime(t *testing.T) {
	q := newHostQueue()
	ip := netip.MustParseAddr("10.0.0.9")
	now := time.Now()
	due := func(askedAt time.Time) bool { return now.Sub(askedAt) > time.Hour }
	asked := 0
	for n := range 6 {
		mac := net.HardwareAddr{2, 0, 0, 0, 0, byte(n % 2)}
		q.offer(host{addr: ip, tenant: tenant{mac: mac, device: mac.String()}}, false, due)
		if q.pending() == 0 {
			continue
		}
		h := q.take(context.Background())
		if h.device != mac.String() || len(h.asked) != 0 {
			t.Errorf("%+v: want the device that was sighted, and nothing asked of it", h)
		}
		asked++
		h.asked, h.askedAt = []fingerprint.Asked{{Answered: true}}, now
		q.done(h)
	}
	if asked != 2 {
		t.Errorf("asked %d times in six sightings of two devices", asked)
	}
}

func TestWhatTheAllowanceOfACycleKeptFromLeavingIsAskedInTheNext(t *testing.T) {
	q := newHostQueue()
	never := func(time.Time) bool { return false }
	ip := netip.MustParseAddr("10.0.0.9")
	q.offer(host{addr: ip}, true, never)
	h := q.take(context.Background())
	now := time.Now()
	h.begin(now, time.Hour)
	h.note(fingerprint.Asked{Question: fingerprint.Question{Probe: "rtsp", Port: 554}, Time: now, Connections: 1, Answered: true})
	h.note(fingerprint.Asked{Question: fingerprint.Question{Probe: "http", Port: 80}, Time: now, Failure: fingerprint.FailedBudget})
	q.done(h)
	q.offer(host{addr: ip}, false, never)
	if q.pending() != 0 {
		t.Fatal("the host was queued again in the same cycle")
	}
	q.resume()
	q.resume()
	if q.pending() != 1 {
		t.Fatalf("%d hosts wait in the next cycle, want the one that was cut short", q.pending())
	}
	h = q.take(context.Background())
	h.begin(now.Add(time.Minute), time.Hour)
	if len(h.asked) != 1 || h.asked[0].Question.Probe != "rtsp" || !h.since.Equal(now) {
		t.Errorf("%+v since %s; want the pass to go on, with what was asked", h.asked, h.since)
	}
	q.done(h)
	if q.resume(); q.pending() != 0 {
		t.Error("a host that has nothing left to be asked was queued")
	}
}

func TestHostsThatNeverFallSilentDoNotKeepACycleFromEnding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newHostQueue()
		ctx, cancel := context.WithCancel(t.Context())
		defer func() {
			cancel()
			time.Sleep(time.Minute)
		}()
		for n := range 8 {
			q.offer(host{addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(n)})}, true, nil)
		}
		for range 4 {
			go func() {
				for h := q.take(ctx); h != nil; h = q.take(ctx) {
					time.Sleep(10 * time.Second)
					q.offer(host{addr: h.addr}, true, nil) // something new is heard of it all the time
					q.done(h)
				}
			}()
		}
		begun := time.Now()
		q.waitIdle(ctx, func(int) {})
		if took := time.Since(begun); took < 20*time.Second || took > 20*time.Second+lateFor {
			t.Errorf("waited for %s; want the eight asked, and at most %s more", took, lateFor)
		}
	})
}
