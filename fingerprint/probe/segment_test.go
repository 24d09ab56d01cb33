package probe

import (
	"fmt"

	"net/netip"
	"sync"
	"testing"
	"time"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/fingerprint/oui"
	"camcensus/internal/lab"
)

// asSighted asks one host of which only the address is known, as the agent's
// loop does, and returns what it is and what that took.
func asSighted(t *testing.T, p *Prober, rules *fingerprint.Ruleset, target Target) (fingerprint.Identity, []fingerprint.Asked) {
	t.Helper()
	st := fingerprint.State{IP: target.IP, Evidence: []fingerprint.Evidence{{Source: "arp", Field: "mac", Value: target.MAC.String(), Seen: time.Now()}}}
	for range 20 {
		st.Identity = rules.Identify(st.Evidence)
		st.Now = time.Now()
		q, more := fingerprint.Next(st)
		if !more {
			break
		}
		target.Class = st.Identity.Class
		a := p.Ask(t.Context(), target, q)
		for _, r := range a.Records {
			for _, f := range Fields(r.Kind, r.Path, r.Bytes()) {
				st.Evidence = append(st.Evidence, fingerprint.Evidence{Source: r.Kind, Port: r.Port, Path: r.Path, Field: f.Name, Value: f.Value, Seen: r.Time, Solicited: true})
			}
		}
		st.Asked = append(st.Asked, a.Asked(q, st.Now))
	}
	return st.Identity, st.Asked
}

func labRules(t *testing.T) *fingerprint.Ruleset {
	t.Helper()
	rules, err := fingerprint.Default(oui.Default().Registrant)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// TestASiteIsAskedWithinItsBudget plays the demo site on a segment and asks
// every host of it over the real wire.
func TestASiteIsAskedWithinItsBudget(t *testing.T) {
	site, err := lab.Named("demo")
	if err != nil {
		t.Fatal(err)
	}
	running, err := lab.Segment(t.Context(), lab.SegmentOptions{Site: site, AgentInterface: "cam0"})
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	all, err := discovery.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	scope, err := discovery.NewScope(all, discovery.ScopeOptions{Interfaces: []string{"cam0"}})
	if err != nil {
		t.Fatal(err)
	}
	wire := discovery.NewWire(scope, discovery.WireOptions{})
	prober := New(Options{Wire: wire, UserAgent: "camcensus/test"})
	rules := labRules(t)
	began := time.Now()
	var hosts sync.WaitGroup
	var mu sync.Mutex
	makers := map[string]string{}
	for _, d := range site.Devices {
		if len(d.IPs) == 0 || d.PlugAfter > 0 || d.Hidden {
			continue
		}
		hosts.Go(func() {
			target := Target{IP: d.IPs[0], Interface: "cam0", MAC: d.MAC[:]}
			wire.Learn(target.IP, target.MAC)
			identity, questions := asSighted(t, prober, rules, target)
			mu.Lock()
			defer mu.Unlock()
			makers[d.Name] = identity.Manufacturer
			line := ""
			for _, a := range questions {
				line += fmt.Sprintf(" %s:%d%s=%d%s", a.Question.Probe, a.Question.Port, a.Question.Path, a.Status, a.Failure)
			}
			t.Logf("%-14s %-12s %-10s %s:%s", d.Name, identity.Manufacturer, identity.Class, identity.Model, line)
		})
	}
	hosts.Wait()
	t.Logf("%d hosts in %v", len(makers), time.Since(began).Round(time.Millisecond))
	for device, want := range map[string]string{"hall": "Hikvision", "recorder": "Hikvision", "lab-door": "Hikvision", "lobby": "Dahua"} {
		if makers[device] != want {
			t.Errorf("%s is by %q, want %q", device, makers[device], want)
		}
	}
	syns := map[netip.Addr]int{}
	for _, f := range running.Captured() {
		if f.Protocol == 6 && f.TCPFlags == 2 {
			syns[f.Dst]++
		}
	}
	for ip, n := range syns {
		if n > 8 {
			t.Errorf("%s: %d SYNs", ip, n)
		}
	}
}
