package main

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"camcensus/internal/lab"
)

// played plays a site that is described in the test.
func played(t *testing.T, text string) *lab.Running {
	t.Helper()
	s, err := lab.Load(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r, err := lab.Segment(context.Background(), lab.SegmentOptions{Site: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func (s scanned) network(prefix string) (tried, answered, bogus int) {
	for _, n := range s.Coverage.Networks {
		if n.Network == prefix {
			return n.Tried, n.Answered, n.Bogus
		}
	}
	return 0, 0, 0
}

func (s scanned) notes(part string) bool {
	return strings.Contains(strings.Join(s.Coverage.Notes, "\n"), part)
}

func TestProxyARPIsOneFinding(t *testing.T) {
	r := played(t, `
name: proxied
segments: [{name: lan, prefix: 10.77.0.0/24}]
devices:
  - {name: router, kind: router, ip: 10.77.0.1, proxy_arp: 10.77.0.0/24}
  - {name: camera, kind: hikvision-camera, ip: 10.77.0.20}
  - {name: silent, kind: only-arp, ip: 10.77.0.30}
  - {name: two, kind: only-arp, ip: [10.77.0.40, 10.77.0.41, 10.77.0.42]}
`)
	s, res := scan(t, "--rate", "500", "--arp-rate", "500", "10.77.0.0/24")
	if res.status != 0 || len(s.Devices) != len(r.Site.Devices) {
		t.Errorf("status %d, %d devices listed, there are %d", res.status, len(s.Devices), len(r.Site.Devices))
		for _, d := range s.Devices {
			t.Logf("%v %v %v", d.IPs, d.MACs, d.Sources)
		}
	}
	for _, d := range r.Site.Devices {
		if _, ok := byMAC(s.Devices, d); !ok {
			t.Errorf("%s is not listed", d.Name)
		}
	}
	tried, answered, bogus := s.network("10.77.0.0/24")
	if tried != 253 || bogus < 240 || answered > 10 {
		t.Errorf("%d tried, %d answered, %d bogus", tried, answered, bogus)
	}
	if !s.notes("proxy ARP") || !s.notes("bogus") {
		t.Errorf("the notes do not say it: %q", s.Coverage.Notes)
	}
}

func TestAMiddleboxThatAcceptsForEveryAddressIsOneFinding(t *testing.T) {
	r := played(t, `
name: shielded
segments: [{name: lan, prefix: 10.77.0.0/24}]
routed: [{prefix: 10.79.0.0/24, router: router}]
devices:
  - {name: router, kind: router, ip: 10.77.0.1, proxy_arp: 10.79.0.0/24, faults: {accepts_all: true}}
  - {name: camera, kind: hikvision-camera, ip: 10.77.0.20}
  - {name: behind, kind: hikvision-camera, ip: 10.79.0.20, behind: router}
`)
	s, res := scan(t, "--rate", "1000", "--arp-rate", "500", "10.77.0.0/24", "10.79.0.0/24")
	if res.status != 0 || len(s.Devices) > len(r.Site.Devices)+2 {
		t.Errorf("status %d, %d devices listed, there are %d", res.status, len(s.Devices), len(r.Site.Devices))
		for _, d := range s.Devices {
			t.Logf("%v %v %v", d.IPs, d.MACs, d.Sources)
		}
	}
	for _, name := range []string{"camera", "behind"} {
		d, _ := r.Site.Device(name)
		if got, ok := byMAC(s.Devices, d); !ok || got.Manufacturer != "Hikvision" {
			t.Errorf("%s: %v %q", name, ok, got.Manufacturer)
		}
	}
	_, _, bogus := s.network("10.79.0.0/24")
	if bogus < 240 || !s.notes("10.79.0.0/24: one device or middlebox") {
		t.Errorf("%d bogus, notes %q", bogus, s.Coverage.Notes)
	}
}

func TestOneMACWithManyAddressesIsOneFinding(t *testing.T) {
	many := make([]string, 0, 30)
	for ip := netip.MustParseAddr("10.77.0.100"); len(many) < 30; ip = ip.Next() {
		many = append(many, ip.String())
	}
	r := played(t, `
name: crowded
segments: [{name: lan, prefix: 10.77.0.0/24}]
devices:
  - {name: router, kind: router, ip: 10.77.0.1}
  - {name: crowd, kind: only-arp, ip: [`+strings.Join(many, ", ")+`]}
`)
	s, _ := scan(t, "--rate", "500", "--arp-rate", "500", "10.77.0.0/24")
	if len(s.Devices) != len(r.Site.Devices) {
		t.Errorf("%d devices listed, there are %d", len(s.Devices), len(r.Site.Devices))
	}
	if _, _, bogus := s.network("10.77.0.0/24"); bogus != len(many) {
		t.Errorf("%d bogus", bogus)
	}
}

func TestAFactoryAddressOnAForeignWireIsListedAndNeverAddressed(t *testing.T) {
	r := played(t, `
name: factory
segments: [{name: lan, prefix: 10.77.0.0/24}]
devices:
  - {name: router, kind: router, ip: 10.77.0.1}
  - {name: fresh, kind: hikvision-camera, ip: 192.168.1.64, link_local: false}
`)
	s, _ := scan(t, "--rate", "500", "--arp-rate", "500", "connected")
	fresh, _ := r.Site.Device("fresh")
	d, ok := byMAC(s.Devices, fresh)
	if !ok || d.Reachability != "layer2" || d.Manufacturer != "Hikvision" {
		t.Errorf("listed %v: %+v", ok, d)
	}
	for _, f := range r.Captured() {
		if f.Dst == fresh.Addr() || f.DstMAC.String() == fresh.HardwareAddr().String() && work(f) {
			t.Errorf("a frame of type %#x, protocol %d went to the camera at %s", f.EtherType, f.Protocol, f.Dst)
		}
	}
}
