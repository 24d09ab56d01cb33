package arp

import (
	"bytes"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/internal/lab"
)

const peerHosts = 5000

// crowded plays a /16 with 5,000 live hosts on cam0.
func crowded(b *testing.B) {
	b.Helper()
	var text strings.Builder
	text.WriteString("name: crowded\nsegments: [{name: lan, prefix: 10.66.0.0/16}]\ndevices:\n")
	for n := range peerHosts {
		fmt.Fprintf(&text, "  - {name: h%d, kind: host, ip: 10.66.%d.%d, mac: \"02:66:00:00:%02x:%02x\"}\n", n, 1+n/250, 1+n%250, n>>8, n&255)
	}
	site, err := lab.Load(strings.NewReader(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	running, err := lab.Segment(b.Context(), lab.SegmentOptions{Site: site, Agent: netip.MustParsePrefix("10.66.0.254/16")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { running.Close() })
}

func the16(b *testing.B) *discovery.Scope {
	b.Helper()
	all, err := discovery.Interfaces()
	if err != nil {
		b.Fatal(err)
	}
	scope, err := discovery.NewScope(all, discovery.ScopeOptions{Networks: []string{"10.66.0.0/16"}})
	if err != nil {
		b.Fatal(err)
	}
	return scope
}

// The two sweep the same /16 with two requests to each address, both without a
// rate limit: run them with -benchtime 1x.
func BenchmarkSweepOfACrowded16(b *testing.B) {
	crowded(b)
	scope := the16(b)
	found := map[netip.Addr]bool{}
	for b.Loop() {
		w := discovery.NewWire(scope, discovery.WireOptions{})
		s := New(discovery.Env{Wire: w.For(name), Log: zap.NewNop(), Now: time.Now}, Settings{})
		if err := s.Ask(b.Context(), discovery.Round{}, func(s discovery.Sighting) { found[s.IP] = true }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(found)), "hosts")
}

func BenchmarkSweepOfACrowded16ByArpScan(b *testing.B) {
	crowded(b)
	for b.Loop() {
		out, err := exec.Command("arp-scan", "-B", "100M", "-r", "2", "-I", "cam0", "--plain", "10.66.0.0/16").Output()
		if err != nil {
			b.Fatalf("arp-scan: %v (install the package arp-scan)", err)
		}
		b.ReportMetric(float64(bytes.Count(out, []byte("10.66."))), "hosts")
	}
}
