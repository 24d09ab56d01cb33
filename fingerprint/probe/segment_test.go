package probe

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
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
func asSighted(t testing.TB, p *Prober, rules *fingerprint.Ruleset, target Target) (fingerprint.Identity, []fingerprint.Asked) {
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

func labRules(t testing.TB) *fingerprint.Ruleset {
	t.Helper()
	rules, err := fingerprint.Default(oui.Default().Registrant)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// played is a site on a segment, and a wire to it.
type played struct {
	running *lab.Running
	wire    *discovery.Wire
	targets map[string]Target // by device name
}

func play(t testing.TB, name string) *played {
	t.Helper()
	site, err := lab.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	running, err := lab.Segment(t.Context(), lab.SegmentOptions{Site: site, AgentInterface: "cam0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { running.Close() })
	all, err := discovery.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	scope, err := discovery.NewScope(all, discovery.ScopeOptions{Interfaces: []string{"cam0"}})
	if err != nil {
		t.Fatal(err)
	}
	p := &played{running: running, wire: discovery.NewWire(scope, discovery.WireOptions{}), targets: map[string]Target{}}
	for _, d := range site.Devices {
		if len(d.IPs) == 0 || d.PlugAfter > 0 || d.Hidden || d.Behind != "" || !scope.Contains(d.IPs[0]) {
			continue
		}
		target := Target{IP: d.IPs[0], Interface: "cam0", MAC: d.MAC[:]}
		p.wire.Learn(target.IP, target.MAC)
		p.targets[d.Name] = target
	}
	return p
}

// identify asks every host at once; Wire keeps them apart.
func (p *played) identify(t testing.TB) map[string]fingerprint.Identity {
	prober := New(Options{Wire: p.wire, UserAgent: "camcensus/test"})
	rules := labRules(t)
	found := map[string]fingerprint.Identity{}
	var hosts sync.WaitGroup
	var mu sync.Mutex
	for name, target := range p.targets {
		hosts.Go(func() {
			identity, questions := asSighted(t, prober, rules, target)
			var line strings.Builder
			for _, a := range questions {
				fmt.Fprintf(&line, " %s:%d%s=%d%s", a.Question.Probe, a.Question.Port, a.Question.Path, a.Status, a.Failure)
			}
			mu.Lock()
			defer mu.Unlock()
			found[name] = identity
			t.Logf("%-14s %-12s %-10s %s:%s", name, identity.Manufacturer, identity.Class, identity.Model, line.String())
		})
	}
	hosts.Wait()
	return found
}

// TestASiteIsAskedWithinItsBudget plays the demo site on a segment and asks
// every host of it over the real wire.
func TestASiteIsAskedWithinItsBudget(t *testing.T) {
	site := play(t, "demo")
	found := site.identify(t)
	for device, want := range map[string]string{"hall": "Hikvision", "recorder": "Hikvision", "lab-door": "Hikvision", "lobby": "Dahua"} {
		if found[device].Manufacturer != want {
			t.Errorf("%s is by %q, want %q", device, found[device].Manufacturer, want)
		}
	}
	syns := map[netip.Addr]int{}
	for _, f := range site.running.Captured() {
		if f.Protocol == 6 && f.TCPFlags == 2 {
			syns[f.Dst]++
		}
	}
	if len(syns) < len(found) {
		t.Errorf("%d of %d hosts were asked", len(syns), len(found))
	}
	for ip, n := range syns {
		if n > 8 {
			t.Errorf("%s: %d SYNs", ip, n)
		}
	}
}

// BenchmarkSite and BenchmarkSiteByNmap ask the same hosts on the same ports,
// both without a rate limit: run them with -benchtime 1x.
func BenchmarkSite(b *testing.B) {
	site := play(b, "sixty")
	for b.Loop() {
		site.wire.NewCycle()
		named := 0
		for _, identity := range site.identify(b) {
			if identity.Manufacturer != "" {
				named++
			}
		}
		b.ReportMetric(float64(named), "named")
		b.ReportMetric(float64(len(site.targets)), "hosts")
	}
}

func BenchmarkSiteByNmap(b *testing.B) {
	site := play(b, "sixty")
	args := []string{"-sV", "-n", "-Pn", "-T5", "-p", "80,443,554,8000,8080"}
	for _, target := range site.targets {
		args = append(args, target.IP.String())
	}
	for b.Loop() {
		out, err := exec.Command("nmap", args...).CombinedOutput()
		if err != nil {
			b.Fatalf("nmap: %v (needs the nmap command)\n%s", err, out)
		}
		named := 0
		for report := range strings.SplitSeq(string(out), "Nmap scan report for ") {
			if strings.Contains(report, "ikvision") || strings.Contains(report, "ahua") || strings.Contains(report, "Axis") {
				named++
			}
		}
		b.ReportMetric(float64(named), "named")
	}
}
