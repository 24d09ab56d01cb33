package inventory

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"camcensus/fingerprint"
)

// TestAForgedHolderOfACamerasAddressBecomesNoPartOfIt: in an agent's first
// seconds somebody claims the camera's address by ARP, with a MAC of nobody or
// of an innocent, while the camera answers by datagrams that show no MAC.
func TestAForgedHolderOfACamerasAddressBecomesNoPartOfIt(t *testing.T) {
	words := ev("sadp", 37020, camerasOwnWords(macA)...)
	rapid.Check(t, func(r *rapid.T) {
		s := newSite(t, Options{})
		innocent := rapid.Bool().Draw(r, "an innocent's MAC")
		cycles := rapid.IntRange(1, 3).Draw(r, "cycles")
		for range cycles {
			list := []func(){
				func() { s.see("10.0.0.1", macB) },
				func() { s.see("10.0.0.1", macB) },
				func() { s.see("10.0.0.1", "", words...) },
				func() { s.see("10.0.0.1", "", words...) },
				func() { s.see("10.0.0.1", macA) },
			}
			if innocent {
				list = append(list, func() { s.see("10.0.0.2", macB, ev("http", 80, "server", "nginx")...) })
			}
			rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "order"), 3))
			rng.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
			// The camera's own answers come last: it is asked once it is known.
			list = append(list, func() {
				o := Observation{Time: s.clock.now(), Source: "sadp", Interface: "eth0", IP: ip("10.0.0.1"), MAC: mac(macA), Evidence: words, Solicited: true}
				s.Observe(o)
			})
			for _, one := range list {
				one()
			}
			s.end(lan)
		}
		camera, liar := s.macs[hwaddr(mac(macA))], s.macs[hwaddr(mac(macB))]
		if camera == nil || liar == nil {
			r.Fatalf("camera %v, the other %v", camera, liar)
		}
		if camera == liar || len(camera.macs) != 1 {
			r.Fatalf("the camera has %v", camera.macs)
		}
		if len(liar.keys) > 0 {
			r.Errorf("the other holder is known by the camera's serial")
		}
		if got := s.values(liar.id); strings.Contains(got, "DS-2CD") {
			r.Errorf("the other holder says %q", got)
		}
		if !slices.ContainsFunc(s.Inventory.Evidence(camera.id), func(e fingerprint.Evidence) bool { return e.Field == "serial" }) {
			r.Errorf("the camera says %q", s.values(camera.id))
		}
		if s.Len() != 2 {
			r.Errorf("%d devices", s.Len())
		}
	})
}
