package agent

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/internal/config"
	"camcensus/internal/inventory"
)

// TestANetworkWithoutALinkWasNotSwept: what is sent into a pulled cable reaches
// nobody; the network is lost at once, and back with its link.
func TestANetworkWithoutALinkWasNotSwept(t *testing.T) {
	c, err := config.Read("test.yml", strings.NewReader("discovery: {interval: 10m}\n"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	inv, err := inventory.Open(t.Context(), inventory.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	here, there := netip.MustParsePrefix("10.77.0.0/24"), netip.MustParsePrefix("10.88.0.0/24")
	scope := func(running bool) *discovery.Scope {
		return &discovery.Scope{Interfaces: []discovery.Interface{{Name: "cam9", Up: true, Running: running}},
			Networks: []discovery.Network{{Prefix: here, Interface: "cam9", Connected: true}, {Prefix: there}}}
	}
	a := &Agent{wire: discovery.NewWire(scope(true), discovery.WireOptions{Log: zap.NewNop()}), coverage: newCoverageBook(),
		inventory: inv, progress: newProgress(), now: func() time.Time { return now }}
	a.settings.Store(&settings{config: c})
	var list []source
	a.sources.Store(&list)
	cycle := func(answered int) inventory.CycleEnd {
		now = now.Add(10 * time.Minute)
		a.progress.begin(1, now, 0)
		a.coverage.begin()
		a.knowNetworks()
		for _, p := range []netip.Prefix{here, there} {
			a.swept(discovery.Coverage{Network: p, Tried: 253, Answered: answered, Finished: now})
		}
		a.tellNetworks()
		return a.cycleEnd(1, now)
	}
	set := func(s *discovery.Scope) {
		now = now.Add(time.Minute)
		a.relinks.note(a.wire.Scope().Interfaces, s.Interfaces, now)
		a.wire.SetScope(s)
		a.knowNetworks()
		a.tellNetworks()
	}
	check := func(when string, up bool, swept time.Time, reason string) {
		t.Helper()
		for _, n := range a.networks(a.wire.Scope(), now) {
			if n.Network == here.String() && (n.Up != up || !n.LastSweep.Equal(swept) || n.Reason != reason || !swept.IsZero() && n.Answered != 19) {
				t.Errorf("%s: %+v, want up %v, swept at %s, reason %q", when, n, up, swept, reason)
			}
			if n.Network == there.String() && !swept.IsZero() && !n.Up {
				t.Errorf("%s: the routed network is down: %s", when, n.Reason)
			}
		}
	}
	told := func(want ...string) {
		t.Helper()
		events, _, err := inv.Events(t.Context(), inventory.EventQuery{Oldest: true})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range events {
			got = append(got, e.Event+" "+e.From+e.To+": "+e.Evidence)
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	set(scope(false))
	check("before the first sweep, without a link", false, time.Time{}, "no link on cam9")
	set(scope(true))
	check("before the first sweep", false, time.Time{}, "no sweep of it has finished yet: only devices that speak up by themselves were seen")
	cycle(19)
	last := now
	check("swept", true, last, "")
	told()

	lost := "network_lost 10.77.0.0/24: no link on cam9"
	set(scope(false))
	check("cable out", false, last, "no link on cam9")
	told(lost)
	if end := cycle(0); len(end.Covered) != 1 || end.Covered[0] != there || len(end.Blind) != 1 || end.Blind[0] != here {
		t.Errorf("covered %v, blind %v", end.Covered, end.Blind)
	}
	check("a cycle later", false, last, "no link on cam9")
	told(lost)
	set(scope(true))
	check("cable in", true, last, "")
	back := "network_back 10.77.0.0/24: the link is back"
	told(lost, back)

	set(scope(false))
	set(scope(true)) // in the middle of a cycle
	a.swept(discovery.Coverage{Network: here, Tried: 253, Answered: 1, Finished: now})
	check("out and in during a sweep", true, last, "")
	told(lost, back, lost, back)

	set(&discovery.Scope{Networks: []discovery.Network{{Prefix: here}, {Prefix: there}}}) // switched off: what was named seems routed
	cycle(0)
	cycle(0)
	check("switched off", false, last, "no link on cam9")
	told(lost, back, lost, back, lost)
	set(scope(true))
	check("switched on", false, last, "its last sweep is more than two intervals old")
	cycle(19)
	check("switched on and swept", true, now, "")
	told(lost, back, lost, back, lost, "network_back 10.77.0.0/24: a sweep of it finished")

	set(&discovery.Scope{Networks: []discovery.Network{{Prefix: here}, {Prefix: there}}}) // moved behind a router
	cycle(19)
	check("answered behind a router", true, now, "")
}
