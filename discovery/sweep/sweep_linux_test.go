package sweep

import (
	"context"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/internal/lab"
)

func TestMain(m *testing.M) { lab.Isolate(m) }

const site = `
name: routed
segments: [{name: lan, prefix: 10.77.0.0/24}]
routed: [{prefix: 10.88.0.0/26, router: router}]
devices:
  - {name: router, kind: router, ip: 10.77.0.1}
  - {name: far-1, kind: hikvision-camera, ip: 10.88.0.5, behind: router}
  - {name: far-2, kind: axis-camera, ip: 10.88.0.9, behind: router}
  - {name: far-3, kind: dahua-camera, ip: 10.88.0.20, behind: router}
`

func play(t *testing.T, text string, o discovery.WireOptions, networks []string, exclude ...discovery.Exclusion) (*lab.Running, *discovery.Wire) {
	t.Helper()
	s, err := lab.Load(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	running, err := lab.Segment(t.Context(), lab.SegmentOptions{Site: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { running.Close() })
	link, err := netlink.LinkByName("cam0")
	if err != nil {
		t.Fatal(err)
	}
	_, far, _ := net.ParseCIDR("10.88.0.0/16")
	if err := netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: far, Gw: net.IPv4(10, 77, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	all, err := discovery.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	scope, err := discovery.NewScope(all, discovery.ScopeOptions{Networks: networks, Exclude: exclude})
	if err != nil {
		t.Fatal(err)
	}
	return running, discovery.NewWire(scope, o)
}

type heard struct {
	mu  sync.Mutex
	all []discovery.Sighting
}

func (h *heard) sink(s discovery.Sighting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, s)
}

func (h *heard) addresses() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, s := range h.all {
		out = append(out, s.IP.String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (h *heard) has(ip netip.Addr) bool { return slices.Contains(h.addresses(), ip.String()) }

func ask(t *testing.T, s *Source, h *heard) []discovery.Coverage {
	t.Helper()
	var covered []discovery.Coverage
	var mu sync.Mutex
	err := s.Ask(t.Context(), discovery.Round{Covered: func(c discovery.Coverage) {
		mu.Lock()
		defer mu.Unlock()
		covered = append(covered, c)
	}}, h.sink)
	if err != nil {
		t.Fatal(err)
	}
	return covered
}

func TestSweepFindsTheHostsOfARoutedNetworkAndGreetsThem(t *testing.T) {
	running, w := play(t, site, discovery.WireOptions{Rate: 500}, []string{"10.88.0.0/26"}, discovery.Exclusion{Match: "10.88.0.20"})
	settings := Defaults()
	settings.Ports, settings.Timeout, settings.PerNetworkRate = []uint16{80, 554}, 300*time.Millisecond, 0
	greeted := make(chan netip.AddrPort, 10)
	env := discovery.Env{Wire: w.For(name), Log: zap.NewNop(), Now: time.Now, Greet: func(_ context.Context, _ net.Conn, to netip.AddrPort) []discovery.Record {
		greeted <- to
		return []discovery.Record{{Kind: "http", Path: "/", Raw: "HTTP/1.1 200 OK\r\n\r\n"}}
	}}
	source := New(env, *settings)
	var h heard
	covered := ask(t, source, &h)
	if got := h.addresses(); !slices.Equal(got, []string{"10.88.0.5", "10.88.0.9"}) {
		t.Errorf("found %v", got)
	}
	if len(covered) != 1 || covered[0].Tried != 63 || covered[0].Answered != 2 || covered[0].Excluded != 1 || covered[0].Bogus != 0 {
		t.Errorf("coverage %+v", covered)
	}
	if len(greeted) != 2 {
		t.Errorf("%d greeted", len(greeted))
	}
	if !slices.ContainsFunc(h.all, func(s discovery.Sighting) bool { return s.Kind == "http" && s.Solicited && s.Port == 80 }) {
		t.Errorf("no answer among %+v", h.all)
	}
	syns := map[netip.AddrPort]int{}
	for _, f := range running.Captured() {
		if f.Sent && f.Protocol == 6 && f.TCPFlags&0x12 == 2 {
			syns[netip.AddrPortFrom(f.Dst, f.DstPort)]++
			if _, no := w.Scope().Excluded(f.Dst); no {
				t.Errorf("asked %s", f.Dst)
			}
		}
	}
	for to, n := range syns { // a packet may have been lost: the silent are asked at each of two ports once more
		want := 2
		if h.has(to.Addr()) {
			want = 1
		}
		if n != want {
			t.Errorf("%d SYNs to %s, want %d", n, to, want)
		}
	}
	// So are they in the next two cycles.
	for round := range 3 {
		running.Forget()
		w.NewCycle()
		if again := ask(t, source, &h); again != nil {
			t.Errorf("round %d: swept again before its interval: %+v", round, again)
		}
		asked := map[netip.Addr]bool{}
		for _, f := range running.Captured() {
			if f.Sent && f.Protocol == 6 && f.TCPFlags&0x12 == 2 {
				asked[f.Dst] = true
			}
		}
		want := 61
		if round == repeats {
			want = 0
		}
		if len(asked) != want || asked[netip.MustParseAddr("10.88.0.5")] || asked[netip.MustParseAddr("10.88.0.20")] {
			t.Errorf("round %d: %d addresses asked, want %d, neither who answered nor who is excluded", round, len(asked), want)
		}
	}
}

func TestConnectedNetworksAreNotSwept(t *testing.T) {
	running, w := play(t, site, discovery.WireOptions{Rate: 500}, nil)
	running.Forget()
	var h heard
	ask(t, New(discovery.Env{Wire: w.For(name), Log: zap.NewNop(), Now: time.Now}, *Defaults()), &h)
	for _, f := range running.Captured() {
		if f.Sent && f.Protocol == 6 {
			t.Errorf("connected to %s", f.Dst)
		}
	}
}

// TestWhoIsSilentIsAskedOnceMoreInTheSameCycle: what the first pass over a
// network lost, the second finds, within the allowance of every address.
func TestWhoIsSilentIsAskedOnceMoreInTheSameCycle(t *testing.T) {
	const lone = `
name: routed
segments: [{name: lan, prefix: 10.77.0.0/24}]
routed: [{prefix: 10.88.0.0/26, router: router}]
devices:
  - {name: router, kind: router, ip: 10.77.0.1}
  - {name: far, kind: only-rtsp, ip: 10.88.0.5, behind: router}
`
	running, w := play(t, lone, discovery.WireOptions{}, []string{"10.88.0.0/26"})
	link, err := netlink.LinkByName("cam0")
	if err != nil {
		t.Fatal(err)
	}
	router := &netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: net.IPv4(10, 77, 0, 1), HardwareAddr: running.Site.Devices[0].HardwareAddr()}
	if err := netlink.NeighSet(router); err != nil {
		t.Fatal(err)
	}
	settings := Defaults()
	settings.Timeout, settings.PerNetworkRate = 300*time.Millisecond, 0
	source := New(discovery.Env{Wire: w.For(name), Log: zap.NewNop(), Now: time.Now}, *settings)
	running.SetLoss(1)
	var h heard
	var covered discovery.Coverage
	err = source.Ask(t.Context(), discovery.Round{
		Covered: func(c discovery.Coverage) { covered = c },
		Progress: func(done, total int) {
			if done == 64*len(settings.Ports) {
				running.SetLoss(0)
			}
			if want := 64 * discovery.HostSYNs; total != want {
				t.Errorf("%d connections announced, want %d", total, want)
			}
		},
	}, h.sink)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.addresses(); !slices.Equal(got, []string{"10.88.0.5"}) {
		t.Errorf("found %v", got)
	}
	if covered.Tried != 64 || covered.Answered != 1 {
		t.Errorf("coverage %+v", covered)
	}
	syns := map[netip.Addr]int{}
	for _, f := range running.Captured() {
		if f.Protocol == 6 && f.TCPFlags&0x12 == 2 {
			syns[f.Dst]++
		}
	}
	if len(syns) != 64 {
		t.Errorf("%d addresses asked", len(syns))
	}
	for ip, n := range syns {
		if n != discovery.HostSYNs {
			t.Errorf("%d SYNs to %s, want %d", n, ip, discovery.HostSYNs)
		}
	}
}

// TestEveryPortIsAskedSeveralTimes: of a host that answers at one port alone,
// a tenth of the packets lost each way, three cycles miss less than one in 500
// whichever port it is, and never has it more SYNs than its allowance.
func TestEveryPortIsAskedSeveralTimes(t *testing.T) {
	for ports := 1; ports <= mostPorts; ports++ {
		s := Settings{}
		for n := range ports {
			s.Ports = append(s.Ports, uint16(1000+n))
		}
		asked := map[uint16]int{}
		for round := range 1 + repeats {
			cycle := slices.Concat(s.Ports, s.twice(round))
			if len(cycle) > discovery.HostSYNs || len(cycle) < min(2*ports, discovery.HostSYNs) {
				t.Errorf("%d ports: %d SYNs in round %d", ports, len(cycle), round)
			}
			for _, port := range cycle {
				asked[port]++
			}
		}
		for port, n := range asked {
			if missed := math.Pow(1-0.9*0.9, float64(n)); ports <= len(Defaults().Ports) && missed > 1.0/500 {
				t.Errorf("%d ports: port %d is asked %d times, and missed with %.2g", ports, port, n, missed)
			}
		}
	}
}

func TestLongSweepsAskOnce(t *testing.T) {
	s := Defaults()
	for bits, want := range map[int]bool{16: false, 19: false, 20: true, 24: true} {
		if got := s.brief((1 << (32 - bits)) * len(s.Ports)); got != want {
			t.Errorf("/%d: brief %v", bits, got)
		}
	}
	source := New(discovery.Env{Now: time.Now}, *s)
	v := &visit{network: discovery.Network{Prefix: netip.MustParsePrefix("10.0.0.0/16")}, memory: newMemory(), long: true}
	if source.finished(v); len(source.again) != 0 {
		t.Error("the silent of a long sweep are to be asked again in the next cycle")
	}
}

func TestMiddleboxIsOneFinding(t *testing.T) {
	var h heard
	visited := func() *visit {
		return &visit{env: discovery.Env{Log: zap.NewNop(), Now: time.Now}, sink: h.sink, count: map[result]int{}, memory: newMemory()}
	}
	for how, r := range map[string]result{"accepts": accepted, "refuses": refused} {
		var all, few []*address
		for i := range 64 {
			ip := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
			one := &address{ip: ip, result: r, held: []discovery.Sighting{{IP: ip}}}
			other := *one
			all = append(all, one)
			if i%4 != 0 {
				other.result, other.held = silent, nil
			}
			few = append(few, &other)
		}
		h.all = nil
		v := visited()
		v.close(few, true)
		if len(h.all) != 16 || v.bogus != 0 || v.count[silent] != 48 || v.count[r] != 16 {
			t.Errorf("hosts of which each fourth %s: %d passed on, %d bogus, %v", how, len(h.all), v.bogus, v.count)
		}
		h.all = nil
		v = visited()
		v.close(all, true)
		// What of it is heard later, when most are no longer asked, is no host either.
		v.close(few, false)
		if len(h.all) != 0 || v.bogus != 80 {
			t.Errorf("a middlebox that %s: %d passed on, %d bogus", how, len(h.all), v.bogus)
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"no port": func(s *Settings) { s.Ports = nil }, "too many ports": func(s *Settings) { s.Ports = make([]uint16, 9) },
		"no timeout": func(s *Settings) { s.Timeout = 0 }, "nothing in flight": func(s *Settings) { s.InFlight = 0 },
		"negative rate": func(s *Settings) { s.PerNetworkRate = -1 }, "negative interval": func(s *Settings) { s.Interval = -1 },
	} {
		s := Defaults()
		change(s)
		if _, err := Protocol.New(discovery.Env{}, s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
