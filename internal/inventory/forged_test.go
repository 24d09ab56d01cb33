package inventory

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

func camerasOwnWords(mac string) []string {
	return []string{"serial", "DS-2CD2347G2-LU20230412", "model", "DS-2CD2347G2-LU", "mac", mac}
}

func TestASerialSaidInAnInnocentsNameDoesNotMakeItTheCamera(t *testing.T) {
	s := newSite(t, Options{})
	s.see("10.0.0.2", macB)
	camera := s.see("10.0.0.1", macA, ev("sadp", 37020, camerasOwnWords(macA)...)...).Device
	s.camera(camera, policy.Banned)
	forged := s.see("10.0.0.2", macB, ev("sadp", 37020, camerasOwnWords(macB)...)...).Device
	if forged == camera {
		t.Error("the innocent was merged into the camera")
	}
	fresh := s.see("10.0.0.3", macC, ev("sadp", 37020, camerasOwnWords(macC)...)...).Device
	if fresh == camera {
		t.Error("a host that was never seen before was taken for the camera")
	}
	// By then the forged words have earned it a suspicion, and a maker.
	s.Commit(forged, fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera}, nil, s.clock.now())
	if got := s.see("10.0.0.2", macB, ev("sadp", 37020, camerasOwnWords(macB)...)...).Device; got == camera {
		t.Error("said twice, it was merged")
	}
}

// TestACopiedSerialMakesNobodyTheCamera: it is announced from an innocent's MAC,
// before or after the camera shows itself, until both are judged by it.
func TestACopiedSerialMakesNobodyTheCamera(t *testing.T) {
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		s := newSite(t, Options{})
		words := camerasOwnWords(macA)
		announce := Observation{Source: "sadp", Interface: "eth0", IP: ip("10.0.0.2"), MAC: mac(macB), Evidence: ev("sadp", 37020, words[:4]...)}
		named := fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera, Serial: words[1]}
		for range 3 {
			for _, n := range order {
				if n == 0 {
					s.see("10.0.0.2", macB, ev("http", 80, "server", "nginx")...)
					announce.Time = s.clock.now()
					s.Observe(announce)
				} else {
					s.see("10.0.0.1", macA, ev("http", 80, "server", "App-webs/")...)
					s.see("10.0.0.1", "", ev("sadp", 37020, words...)...)
				}
			}
			if s.macs[hwaddr(mac(macA))] == s.macs[hwaddr(mac(macB))] {
				t.Fatal("one device")
			}
			announced := named
			announced.Reasons = []fingerprint.Reason{{Source: "sadp", Port: 37020, Field: "serial", Supports: "Hikvision"}}
			answered := announced
			answered.Reasons = append(slices.Clone(byAnswer), announced.Reasons...)
			s.Commit(s.macs[hwaddr(mac(macB))].id, announced, nil, s.clock.now())
			s.Commit(s.macs[hwaddr(mac(macA))].id, answered, nil, s.clock.now())
			s.want(2)
			camera, innocent := s.macs[hwaddr(mac(macA))], s.macs[hwaddr(mac(macB))]
			if got := s.values(camera.id); !strings.Contains(got, words[1]) || !strings.Contains(got, macA) {
				t.Errorf("the camera says %q", got)
			}
			if got := s.values(innocent.id); strings.Contains(got, macA) {
				t.Errorf("the innocent says %q", got)
			}
			s.end(lan)
		}
	}
}

func TestWhatAQuarrelledOverAddressSaysBelongsToTheSerial(t *testing.T) {
	s := newSite(t, Options{})
	innocent := s.see("10.0.0.2", macB).Device
	camera := s.see("10.0.0.1", macA, ev("sadp", 37020, camerasOwnWords(macA)...)...).Device
	s.camera(camera, policy.Banned)
	s.see("10.0.0.1", macB) // a forged ARP: the camera's address at the innocent's MAC
	if got := s.see("10.0.0.1", "", ev("sadp", 37020, camerasOwnWords(macA)...)...).Device; got != camera {
		t.Errorf("what the camera says went to %s", got)
	}
	d := s.device(innocent)
	if len(d.MACs) != 1 || d.Manufacturer != "" {
		t.Errorf("the innocent: %+v", d)
	}
	if d := s.device(camera); len(d.MACs) != 1 {
		t.Errorf("the camera has %v", d.MACs)
	}
}

func TestAClockSetBackMakesNobodyMissingAndKeepsNobodyAlive(t *testing.T) {
	s := newSite(t, Options{MissingAfter: 2})
	s.clock.pass(365 * 24 * time.Hour) // the machine woke with a wrong clock
	stays := s.see("10.0.0.1", macA).Device
	leaves := s.see("10.0.0.2", macB).Device
	s.end(lan)
	s.clock.pass(-365 * 24 * time.Hour)
	for range 4 {
		s.see("10.0.0.1", macA)
		s.end(lan)
		if d := s.device(stays); d.State != Present {
			t.Fatal("missing although it was seen in every cycle")
		}
	}
	if d := s.device(stays); d.LastSeen.After(s.clock.now()) {
		t.Errorf("last seen in the future: %s", d.LastSeen)
	}
	if d := s.device(leaves); d.State != Missing {
		t.Error("kept alive by a wrong clock's date")
	}
}

func TestAFloodOfMadeUpHostsEnds(t *testing.T) {
	s := newSite(t, Options{})
	s.most = 2000
	for n := range s.most + 1000 {
		s.Observe(Observation{Time: s.clock.now(), Source: "listen", Interface: "eth0", MAC: net.HardwareAddr{0, 0x1b, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}})
	}
	if s.Len() != s.most {
		t.Errorf("%d devices are kept, want %d", s.Len(), s.most)
	}
	if id := s.Observe(Observation{Time: s.clock.now(), Source: "http", Solicited: true, IP: ip("10.0.0.9")}).Device; id == "" {
		t.Error("a host that answered was not taken in")
	}
}
