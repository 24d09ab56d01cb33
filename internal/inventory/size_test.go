package inventory

import (
	"fmt"
	"os"
	"testing"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// TestSizeOfFiveYears simulates what five years write: each device appears, is
// identified and judged, and then has three events a year. By CAMCENSUS_FULL
// it has 100,000 devices, else as many as show the size of one.
func TestSizeOfFiveYears(t *testing.T) {
	n := 1000
	if raced {
		n = 200
	}
	if os.Getenv("CAMCENSUS_FULL") != "" {
		n = 100000
	}
	s := newSite(t, Options{Dir: t.TempDir()})
	fill(s, n, 0)
	for half := range 15 {
		s.clock.pass(122 * day)
		for k := range n {
			addr, hw := fmt.Sprintf("10.%d.%d.%d", k>>16, k>>8&255, k&255), fmt.Sprintf("44:19:b6:%02x:%02x:%02x", k>>16, k>>8&255, k&255)
			id := s.see(addr, hw, ev("http", 80, "server", fmt.Sprintf("App-webs/%d", half))...).Device
			s.Commit(id, fingerprint.Identity{Manufacturer: "Hikvision", Brand: "Hikvision", Model: "DS-2CD2142FWD-I", Firmware: fmt.Sprintf("V5.5.%d", half),
				Serial: fmt.Sprintf("DS-2CD2142FWD-I2016%08dAAWR", k), Class: fingerprint.ClassCamera, Certainty: 0.99,
				Reasons: []fingerprint.Reason{{Source: "http", Port: 80, Field: "server", Value: "App-webs/", Rule: "hikvision/app-webs", Supports: "Hikvision", Group: "FIRMWARE", Grade: "strong", Seen: s.clock.now()}}},
				[]policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: policy.Banned, Basis: "named", Verb: "use", Measure: "prohibited", Text: "Its answers name Hikvision."}}, s.clock.now())
		}
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	s = reopen(t, s, Options{Dir: s.opt.Dir})
	length, _ := s.Chain()
	size := s.Health().Bytes
	t.Logf("%d devices, %d events, %d MB: %d bytes a device; start took %v", n, length, size>>20, size/int64(n), time.Since(began).Round(time.Millisecond))
	if size/int64(n) > 1<<30/100000 {
		t.Errorf("100,000 devices would have %d MB", size/int64(n)*100000>>20)
	}
}
