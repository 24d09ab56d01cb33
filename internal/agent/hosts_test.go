package agent

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"camcensus/fingerprint"
)

func TestWhatIsHeardOfABusyHostWaitsForItsWorker(t *testing.T) {
	q := newHostQueue()
	ip := netip.MustParseAddr("10.0.0.9")
	first, second := net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 2}
	never := func(time.Time) bool { return false }
	q.offer(host{addr: ip, mac: first, device: "d-1"}, true, never)
	h := q.take(context.Background())
	h.asked = []fingerprint.Asked{{Answered: true}}
	h.askedAt = time.Now()
	q.offer(host{addr: ip, mac: second, device: "d-2", iface: "cam0"}, true, never)
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
	q.offer(host{addr: ip, mac: second, device: "d-2"}, false, func(time.Time) bool { return true })
	q.done(again)
	if q.pending() != 0 {
		t.Error("a repeated sighting queued a host that was just asked")
	}
}
