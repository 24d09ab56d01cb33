package inventory

import (
	"fmt"
	"testing"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// TestClonesOfOneSerialAreCountedEach: a maker gave all cameras of a kind one
// serial. Up to four are taken for one recorder with as many interfaces.
func TestClonesOfOneSerialAreCountedEach(t *testing.T) {
	const serial = "DS-2CD2143AAWR123456789"
	for _, c := range []struct{ clones, devices int }{{2, 1}, {4, 1}, {5, 5}, {12, 12}} {
		for _, named := range []bool{false, true} {
			s := newSite(t, Options{})
			for range 3 {
				for k := range c.clones {
					addr := fmt.Sprintf("10.0.0.%d", k+1)
					id := s.see(addr, fmt.Sprintf("44:19:b6:00:00:%02x", k), ev("isapi", 80, "serial", serial, "model", addr)...).Device
					if named {
						s.Commit(id, fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera, Serial: serial},
							[]policy.Verdict{{Policy: "x", Verdict: policy.Banned}}, s.clock.now())
					}
				}
				s.end(lan)
			}
			s.want(c.devices)
			for _, d := range s.Devices() {
				if c.devices > 1 && (len(d.MACs) != 1 || len(d.IPs) != 1 || s.values(d.ID) != d.IPs[0]+" "+serial || d.State != Present) {
					t.Errorf("%d clones, named %v: %v %v %q", c.clones, named, d.MACs, d.IPs, s.values(d.ID))
				}
			}
		}
	}
}

// byAnswer is a reason that rests on what a web server answered.
var byAnswer = []fingerprint.Reason{{Source: "http", Port: 80, Field: "server", Supports: "Hikvision"}}

// TestClonesBySerialAndMaker: their serial is known by the rules alone.
func TestClonesBySerialAndMaker(t *testing.T) {
	for clones, devices := range map[int]int{4: 1, 5: 5, 12: 12} {
		s := newSite(t, Options{})
		for range 4 {
			for k := range clones {
				addr := fmt.Sprintf("10.0.0.%d", k+1)
				id := s.see(addr, fmt.Sprintf("44:19:b6:00:00:%02x", k), ev("http", 80, "server", addr)...).Device
				s.Commit(id, fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera, Serial: "DS-2CD2143AAWR123456789", Reasons: byAnswer},
					[]policy.Verdict{{Policy: "x", Verdict: policy.Banned}}, s.clock.now())
			}
			s.end(lan)
		}
		s.want(devices)
	}
}
