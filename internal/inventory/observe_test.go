package inventory

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

var start = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// clock is an injected clock that a test moves, while the inventory's own
// goroutines read it.
type clock struct{ t atomic.Int64 } // Unix, in nanoseconds

func newClock(t time.Time) *clock {
	c := &clock{}
	c.t.Store(t.UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.t.Load()).UTC() }
func (c *clock) pass(d time.Duration) { c.t.Add(int64(d)) }

func mac(s string) net.HardwareAddr { m, _ := net.ParseMAC(s); return m }
func ip(s string) netip.Addr        { return netip.MustParseAddr(s) }
func nets(s ...string) (p []netip.Prefix) {
	for _, one := range s {
		p = append(p, netip.MustParsePrefix(one))
	}
	return p
}

const (
	macA = "44:19:b6:10:20:01"
	macB = "44:19:b6:10:20:02"
	macC = "3c:ef:8c:10:20:03"
)

// site is an inventory in memory with its clock, for tests that read like a
// log book.
type site struct {
	t *testing.T
	*Inventory
	clock *clock
	cycle int
}

func newSite(t *testing.T, o Options) *site {
	t.Helper()
	c := newClock(start)
	o.Now = c.now
	if o.Site == "" {
		o.Site = "test"
	}
	inv, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inv.Close() })
	return &site{t: t, Inventory: inv, clock: c}
}

// see observes one host; the evidence is source, port, then field=value pairs.
func (s *site) see(addr, hw string, ev ...fingerprint.Evidence) Seen {
	s.t.Helper()
	o := Observation{Time: s.clock.now(), Source: "arp", Interface: "eth0", Evidence: ev}
	if addr != "" {
		o.IP = ip(addr)
	}
	if hw != "" {
		o.MAC = mac(hw)
	}
	if len(ev) > 0 {
		o.Source, o.Solicited = ev[0].Source, ev[0].Solicited
	}
	return s.Observe(o)
}

// asked are the kinds of evidence that answer a question put to one host alone.
var asked = map[string]bool{"http": true, "https": true, "tls": true, "rtsp": true, "onvif": true, "isapi": true, "upnp": true}

func ev(source string, port int, pairs ...string) []fingerprint.Evidence {
	var out []fingerprint.Evidence
	for n := 0; n < len(pairs); n += 2 {
		out = append(out, fingerprint.Evidence{Source: source, Port: port, Field: pairs[n], Value: pairs[n+1], Solicited: asked[source]})
	}
	return out
}

// end closes a cycle that covered the networks and lets 15 minutes pass.
func (s *site) end(covered ...string) {
	s.cycle++
	s.clock.pass(time.Minute)
	s.EndCycle(CycleEnd{Number: s.cycle, Time: s.clock.now(), Covered: nets(covered...)})
	s.clock.pass(14 * time.Minute)
}

// camera commits a Hikvision camera with a verdict.
func (s *site) camera(id, verdict string) {
	s.Commit(id, fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera, Certainty: 0.9},
		[]policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: verdict, Basis: "named", Verb: "use", Measure: "prohibited"}}, s.clock.now())
}

// told lists the events of a device, "" for all.
func (s *site) told(id string) []string {
	s.t.Helper()
	events, _, err := s.Events(s.t.Context(), EventQuery{Device: id, Oldest: true, Limit: 10000})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		out = append(out, e.Event)
	}
	return out
}

func TestSmoke(t *testing.T) {
	s := newSite(t, Options{})
	seen := s.see("10.0.0.1", macA, ev("http", 80, "server", "App-webs/")...)
	if !seen.New || !seen.Changed {
		t.Fatalf("%+v", seen)
	}
	s.camera(seen.Device, policy.Banned)
	t.Log(s.Devices()[0], s.told(""), s.Inventory.Evidence(seen.Device))
}
