package sweep

import (
	"context"
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
	settings.Ports, settings.Timeout, settings.PerNetworkRate = []uint16{80, 554}, 400*time.Millisecond, 0
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
	for to, n := range syns {
		if n > 1 {
			t.Errorf("%d SYNs to %s", n, to)
		}
	}
	// A packet may have been lost: the silent addresses are asked twice more.
	for round := range 3 {
		running.Forget()
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

func TestMiddleboxIsOneFinding(t *testing.T) {
	var h heard
	v := &visit{env: discovery.Env{Log: zap.NewNop(), Now: time.Now}, sink: h.sink, count: map[result]int{}, answered: map[netip.Addr]bool{}}
	var all, some []*address
	for i := range 64 {
		ip := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
		one := &address{ip: ip, result: accepted, held: []discovery.Sighting{{IP: ip}}}
		all = append(all, one)
		other := *one
		if i%4 != 0 {
			other.result, other.held = silent, nil
		}
		some = append(some, &other)
	}
	v.close(all)
	if len(h.all) != 0 || v.bogus != 64 {
		t.Errorf("%d passed on, %d bogus", len(h.all), v.bogus)
	}
	v.close(some)
	if len(h.all) != 16 || v.bogus != 64 {
		t.Errorf("%d passed on, %d bogus", len(h.all), v.bogus)
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
