package arp

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/internal/lab"
)

func TestMain(m *testing.M) { lab.Isolate(m) }

// play runs the lab's site of sixty and returns a wire for its segment.
func play(t *testing.T, site string, o discovery.WireOptions, scope discovery.ScopeOptions) (*lab.Running, *discovery.Wire) {
	t.Helper()
	s, err := lab.Named(site)
	if err != nil {
		t.Fatal(err)
	}
	running, err := lab.Segment(t.Context(), lab.SegmentOptions{Site: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { running.Close() })
	all, err := discovery.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	sc, err := discovery.NewScope(all, scope)
	if err != nil {
		t.Fatal(err)
	}
	return running, discovery.NewWire(sc, o)
}

// heard collects sightings by address.
type heard struct {
	mu sync.Mutex
	by map[netip.Addr][]discovery.Sighting
}

func (h *heard) sink(s discovery.Sighting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by == nil {
		h.by = map[netip.Addr][]discovery.Sighting{}
	}
	h.by[s.IP] = append(h.by[s.IP], s)
}

func source(t *testing.T, w *discovery.Wire, rate float64) *Source {
	return New(discovery.Env{Wire: w.For(name), Log: zap.NewNop(), Now: time.Now}, Settings{Rate: rate})
}

func TestSweepFindsEveryHostAndAsksNobodyExcluded(t *testing.T) {
	excluded := []discovery.Exclusion{{Match: "10.77.0.20"}, {Match: "10.77.0.32/28"}}
	running, w := play(t, "sixty", discovery.WireOptions{Rate: 500}, discovery.ScopeOptions{Exclude: excluded})
	running.Forget()
	var got heard
	var covered []discovery.Coverage
	err := source(t, w, 500).Ask(t.Context(), discovery.Round{Covered: func(c discovery.Coverage) { covered = append(covered, c) }}, got.sink)
	if err != nil {
		t.Fatal(err)
	}
	missed := 0
	for _, d := range running.Site.Devices {
		ip := d.Addr()
		if _, no := w.Scope().Excluded(ip); no || !ip.Is4() {
			continue
		}
		all := got.by[ip]
		if len(all) == 0 {
			missed++
			t.Errorf("%s at %s was not found", d.Name, ip)
			continue
		}
		if all[0].MAC.String() != d.HardwareAddr().String() || all[0].Kind != "arp" || all[0].Interface != "cam0" || all[0].Solicited {
			t.Errorf("%s: %+v", d.Name, all[0])
		}
	}
	if len(covered) != 1 || covered[0].Tried != 253-17 || covered[0].Excluded != 17 || covered[0].Bogus != 0 || covered[0].Answered != len(got.by) {
		t.Errorf("coverage %+v with %d hosts", covered, len(got.by))
	}
	asked := map[netip.Addr]int{}
	for _, f := range running.Captured() {
		if f.EtherType != 0x0806 || !f.Sent {
			continue
		}
		asked[f.Dst]++
		if why, no := w.Scope().Excluded(f.Dst); no {
			t.Errorf("asked %s: %s", f.Dst, why)
		}
		if own := netip.MustParseAddr("10.77.0.2"); f.Src != own || f.Dst == own {
			t.Errorf("asked in the name of %s for %s", f.Src, f.Dst)
		}
	}
	for ip, n := range asked {
		if n > rounds {
			t.Errorf("%s was asked %d times", ip, n)
		}
		if len(got.by[ip]) > 0 && n > 1 {
			t.Errorf("%s had answered and was asked %d times", ip, n)
		}
	}
	ceiling(t, running.Captured(), 500)
}

// TestWhereAnswersAreLostTheSilentAreAskedAThirdTime: that many hosts answer
// late shows that packets are lost.
func TestWhereAnswersAreLostTheSilentAreAskedAThirdTime(t *testing.T) {
	running, w := play(t, "sixty", discovery.WireOptions{}, discovery.ScopeOptions{})
	running.Forget()
	running.SetLoss(1)
	var got heard
	err := source(t, w, 0).Ask(t.Context(), discovery.Round{Progress: func(done, total int) {
		if done < total {
			return
		}
		asked := func() int { // in the first round, whose every frame gets lost
			lost := map[netip.Addr]bool{}
			for _, f := range running.Captured() {
				if f.EtherType == 0x0806 && f.Sent && f.Lost {
					lost[f.Dst] = true
				}
			}
			return len(lost)
		}
		for deadline := time.Now().Add(20 * time.Second); asked() < 253 && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		running.SetLoss(0)
	}}, got.sink)
	if err != nil {
		t.Fatal(err)
	}
	asked := map[netip.Addr]int{}
	for _, f := range running.Captured() {
		if f.EtherType == 0x0806 && f.Sent {
			asked[f.Dst]++
		}
	}
	if len(got.by) < 40 || len(asked) != 253 {
		t.Fatalf("%d found, %d asked", len(got.by), len(asked))
	}
	for ip, n := range asked {
		want := rounds + lossRound
		if len(got.by[ip]) > 0 {
			want = rounds
		}
		if n > want || len(got.by[ip]) == 0 && n < want {
			t.Errorf("%s was asked %d times, want %d", ip, n, want)
		}
	}
	for _, c := range []struct {
		before, after int
		want          bool
	}{{0, 0, false}, {0, 1, false}, {3, 4, false}, {50, 52, false}, {50, 53, false}, {50, 54, true}, {0, 2, true}, {5000, 5100, false}, {5000, 5500, true}} {
		if got := lossy(c.before, c.after); got != c.want {
			t.Errorf("%d had answered and %d have: lossy %v", c.before, c.after, got)
		}
	}
}

// ceiling holds a capture against the rate, over any second and any 100 ms.
func ceiling(t *testing.T, frames []lab.Frame, rate int) {
	t.Helper()
	var times []time.Time
	for _, f := range frames {
		if f.Sent && f.EtherType == 0x0806 {
			times = append(times, f.Time)
		}
	}
	for _, window := range []struct {
		d    time.Duration
		most int
	}{{time.Second, rate}, {100 * time.Millisecond, rate/10 + rate/10}} {
		from, worst := 0, 0
		for to := range times {
			for times[to].Sub(times[from]) >= window.d {
				from++
			}
			worst = max(worst, to-from+1)
		}
		t.Logf("at most %d frames in %v", worst, window.d)
		if worst > window.most {
			t.Errorf("%d frames in %v, allowed are %d", worst, window.d, window.most)
		}
	}
}

func TestSweepSendsNothingInADryRunOrWhileListening(t *testing.T) {
	planned := map[string]int{}
	running, w := play(t, "sixty", discovery.WireOptions{Plan: func(p discovery.Packet) { planned[p.To] += p.Count }}, discovery.ScopeOptions{})
	running.Forget()
	var got heard
	if err := source(t, w, 12).Ask(t.Context(), discovery.Round{}, got.sink); err != nil {
		t.Fatal(err)
	}
	if len(planned) != 253 {
		t.Errorf("planned %d addresses", len(planned))
	}
	quiet := discovery.NewWire(w.Scope(), discovery.WireOptions{ListenOnly: true})
	if err := source(t, quiet, 12).Ask(t.Context(), discovery.Round{}, got.sink); err != nil {
		t.Fatal(err)
	}
	for _, f := range running.Captured() {
		if f.Sent && f.EtherType == 0x0806 {
			t.Errorf("sent %x", f.Raw)
		}
	}
}

func TestSweepEndsWithItsContext(t *testing.T) {
	_, w := play(t, "sixty", discovery.WireOptions{Rate: 500}, discovery.ScopeOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	covered := false
	if err := source(t, w, 12).Ask(ctx, discovery.Round{Covered: func(discovery.Coverage) { covered = true }}, (&heard{}).sink); err == nil {
		t.Error("no error")
	}
	if covered || time.Since(began) > 2*time.Second {
		t.Errorf("covered %v after %v", covered, time.Since(began))
	}
}

func TestOneMACWithManyAddressesIsOneFinding(t *testing.T) {
	tally := newTally()
	proxyMAC, host, twin := [6]byte{2, 1}, [6]byte{2, 2}, [6]byte{2, 3}
	passed := 0
	add := func(mac [6]byte, ip string) {
		if pass, _ := tally.add(answer{ip: netip.MustParseAddr(ip), mac: mac}); pass {
			passed++
		}
	}
	for i := range 200 {
		add(proxyMAC, netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}).String())
	}
	if passed != severalAddresses {
		t.Errorf("passed on %d answers of the proxy", passed)
	}
	add(host, "10.0.0.5") // also claimed by the proxy
	for _, ip := range []string{"10.0.0.240", "10.0.0.241", "10.0.0.242", "10.0.0.243", "10.0.0.244", "10.0.0.245"} {
		add(twin, ip)
	}
	rest, proxies, hosts, bogus := tally.close()
	if len(proxies) != 1 || proxies[0].mac != proxyMAC || proxies[0].addresses != 200 {
		t.Errorf("proxies %+v", proxies)
	}
	if len(rest) != 2 || hosts != 7 || bogus != 199 {
		t.Errorf("%d held back, %d hosts, %d bogus", len(rest), hosts, bogus)
	}
}

func TestDoubledAddressIsSaidOnce(t *testing.T) {
	tally := newTally()
	ip := netip.MustParseAddr("10.0.0.9")
	var doubles int
	for i := range 10 {
		if _, double := tally.add(answer{ip: ip, mac: [6]byte{2, 0, 0, 0, 0, byte(i)}}); double {
			doubles++
		}
	}
	if doubles != 1 || len(tally.by[ip]) != severalAddresses {
		t.Errorf("%d doubles, %d MACs kept", doubles, len(tally.by[ip]))
	}
}

func TestRequestIsAQuestionForAllInOurOwnName(t *testing.T) {
	r := requests()
	if len(r) != 1 || net.HardwareAddr(r[0].Bytes[:6]).String() != "ff:ff:ff:ff:ff:ff" || r[0].Bytes[21] != 1 {
		t.Errorf("%+v", r)
	}
}
