package inventory

import (
	"fmt"
	"testing"

	"camcensus/internal/policy"
)

// crowd is an inventory in memory with n cameras.
func crowd(b *testing.B, n int) (*site, []string) {
	c := newClock(start)
	inv, err := Open(b.Context(), Options{Now: c.now})
	if err != nil {
		b.Fatal(err)
	}
	s := &site{Inventory: inv, clock: c}
	ids := make([]string, n)
	for k := range n {
		hw := fmt.Sprintf("44:19:b6:%02x:%02x:%02x", k>>16, k>>8&255, k&255)
		ids[k] = s.Observe(Observation{Time: c.now(), Source: "arp", IP: ip(fmt.Sprintf("10.%d.%d.%d", k>>16, k>>8&255, k&255)), MAC: mac(hw), Evidence: ev("arp", 0, "mac", hw)}).Device
		s.camera(ids[k], policy.Banned)
	}
	return s, ids
}

// BenchmarkObserveKnown is what most sightings are: a known host, nothing new.
func BenchmarkObserveKnown(b *testing.B) {
	s, _ := crowd(b, 10000)
	o := Observation{Time: start, Source: "arp", IP: ip("10.0.7.7"), MAC: mac("44:19:b6:00:07:07"), Evidence: ev("arp", 0, "mac", "44:19:b6:00:07:07")}
	b.ReportAllocs()
	for b.Loop() {
		s.Observe(o)
	}
}

// BenchmarkDevices is a snapshot after a change.
func BenchmarkDevices(b *testing.B) {
	s, ids := crowd(b, 10000)
	b.ReportAllocs()
	for b.Loop() {
		s.Inventory.changes++
		if len(s.Devices()) != len(ids) {
			b.Fatal("a device is lost")
		}
	}
}

// BenchmarkEach10000 is what a scrape costs.
func BenchmarkEach10000(b *testing.B) {
	s, _ := crowd(b, 10000)
	b.ReportAllocs()
	for b.Loop() {
		s.EachAt(func(*Device, *Where) bool { return true })
	}
}
