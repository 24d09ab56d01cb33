package ndp

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/internal/lab"
)

func TestMain(m *testing.M) { lab.Isolate(m) }

func TestAskFindsTheIPv6HostsOfTheLink(t *testing.T) {
	site, err := lab.Load(strings.NewReader(`
name: six
segments: [{name: lan, prefix: 10.77.0.0/24, prefix6: "fd77::/64"}]
devices:
  - {name: router, kind: router, ip: 10.77.0.1}
  - {name: one, kind: hikvision-camera}
  - {name: two, kind: axis-camera}
`))
	if err != nil {
		t.Fatal(err)
	}
	running, err := lab.Segment(t.Context(), lab.SegmentOptions{Site: site})
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	all, err := discovery.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	scope, err := discovery.NewScope(all, discovery.ScopeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wire := discovery.NewWire(scope, discovery.WireOptions{Rate: 500})
	source, err := Protocol.New(discovery.Env{Wire: wire.For(name), Log: zap.NewNop(), Now: time.Now}, Protocol.Settings())
	if err != nil {
		t.Fatal(err)
	}
	var round discovery.Round
	for _, d := range site.Devices {
		for _, ip := range d.Addresses() {
			if ip.Is6() && !ip.IsLinkLocalUnicast() {
				wire.Sighted(ip)
				round.Known = append(round.Known, ip)
			}
		}
	}
	var mu sync.Mutex
	covered := map[netip.Prefix]discovery.Coverage{}
	round.Covered = func(c discovery.Coverage) { covered[c.Network] = c }
	found := map[netip.Addr]string{}
	running.Forget()
	err = source.Ask(t.Context(), round, func(s discovery.Sighting) {
		mu.Lock()
		defer mu.Unlock()
		found[s.IP] = s.MAC.String()
		if s.Kind != "ndp" || s.Interface != "cam0" {
			t.Errorf("%+v", s)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range site.Devices {
		for _, ip := range d.Addresses() {
			if ip.Is6() && found[ip] != d.HardwareAddr().String() {
				t.Errorf("%s at %s: found %q", d.Name, ip, found[ip])
			}
		}
	}
	for _, n := range scope.Networks {
		if c, ok := covered[n.Prefix]; n.Prefix.Addr().Is6() && (!ok || c.Tried < c.Answered || n.Prefix.Addr().IsLinkLocalUnicast() && c.Answered == 0) {
			t.Errorf("%s: coverage %+v", n.Prefix, c)
		}
	}
	groups := 0
	for _, f := range running.Captured() {
		if f.Sent && f.ICMPType == 128 {
			groups++
		}
	}
	if groups != echoes {
		t.Errorf("%d echo requests", groups)
	}
}
