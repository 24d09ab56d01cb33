package arp

import (
	"net"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/zap"

	"camcensus/discovery"
)

// A silent /16 at full speed: two rounds of 65,533 requests and the waits.
func BenchmarkSweepOfASilent16(b *testing.B) {
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "left0"}, PeerName: "right0"}
	if err := netlink.LinkAdd(link); err != nil {
		b.Fatalf("make a veth pair: %v (needs a network namespace of its own)", err)
	}
	defer func() { _ = netlink.LinkDel(link) }()
	for _, name := range []string{"left0", "right0"} {
		l, err := netlink.LinkByName(name)
		if err != nil {
			b.Fatal(err)
		}
		if name == "left0" {
			if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 66, 0, 2), Mask: net.CIDRMask(16, 32)}}); err != nil {
				b.Fatal(err)
			}
		}
		if err := netlink.LinkSetUp(l); err != nil {
			b.Fatal(err)
		}
	}
	w := discovery.NewWire(the16(b), discovery.WireOptions{})
	s := New(discovery.Env{Wire: w.For(name), Log: zap.NewNop(), Now: time.Now}, Settings{})
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Ask(b.Context(), discovery.Round{}, func(discovery.Sighting) {}); err != nil {
			b.Fatal(err)
		}
	}
	sent := 0.0
	for _, c := range w.Counts() {
		sent += float64(c.Sent)
	}
	b.ReportMetric(sent/float64(b.N), "frames")
}
