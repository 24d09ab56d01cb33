package inventory

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestRandomRoutedHistories: behind a router no MAC is seen. Addresses pass
// from one camera to the next; each cycle every camera says its serial and
// something unsigned, in any order. No device ends up with what another said
// last, and none is counted twice.
func TestRandomRoutedHistories(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := newSite(t, Options{})
		n := rapid.IntRange(1, 8).Draw(r, "cameras")
		at := make([]int, n)
		for k := range at {
			at[k] = k
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "order"), 3))
		for range rapid.IntRange(1, 8).Draw(r, "cycles") {
			var list []func()
			for k, where := range at {
				addr, serial := fmt.Sprintf("10.9.0.%d", where+1), fmt.Sprintf("CAM2026%06d", k)
				list = append(list, func() {
					s.see(addr, "", ev("onvif", 80, "serial", serial, "model", "M-"+serial)...)
					s.see(addr, "", ev("http", 80, "server", "web-"+serial)...)
				})
			}
			for range 2 { // what passes between two cycles settles in the second
				rng.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
				for _, see := range list {
					see()
				}
				s.end("10.9.0.0/24")
			}
			checkRouted(r, s, n)
			for range rapid.IntRange(0, 3).Draw(r, "swaps") {
				a, b := rapid.IntRange(0, n-1).Draw(r, "one"), rapid.IntRange(0, n-1).Draw(r, "other")
				at[a], at[b] = at[b], at[a]
			}
		}
	})
}

func checkRouted(r *rapid.T, s *site, n int) {
	if got := len(s.Devices()); got != n {
		r.Fatalf("%d devices, %d cameras", got, n)
	}
	for _, d := range s.Devices() {
		serial := ""
		for _, e := range s.Inventory.Evidence(d.ID) {
			if e.Field == "serial" {
				serial = e.Value
			}
		}
		for _, e := range s.Inventory.Evidence(d.ID) {
			if e.Field == "model" && e.Value != "M-"+serial || e.Field == "server" && e.Value != "web-"+serial {
				r.Fatalf("%s has %s=%s", serial, e.Field, e.Value)
			}
		}
	}
}
