package main

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"camcensus/internal/lab"
)

// planned is one line of a dry run.
var planned = regexp.MustCompile(`(?m)^(\S+?)(?: on (\S+))?: (\d+) x (\S+) to (\S+)`)

// plan is what a dry run prints, and what a capture shows, in the same terms.
type plan struct {
	groups map[string]int     // interface and group: multicast and broadcast
	arp    map[netip.Addr]int // by the address asked for
	routed map[string]int     // datagrams into routed networks
	sweep  map[string]int     // connections there
}

func newPlan() plan {
	return plan{map[string]int{}, map[netip.Addr]int{}, map[string]int{}, map[string]int{}}
}

var routedNet = netip.MustParsePrefix("10.79.0.0/24")

func toMany(ip netip.Addr) bool {
	return ip.IsMulticast() || ip == netip.MustParseAddr("255.255.255.255") || strings.HasSuffix(ip.String(), ".255") && !routedNet.Contains(ip)
}

func (p plan) add(iface, protocol, to string, ip netip.Addr, n int) {
	switch {
	case protocol == "arp":
		p.arp[ip] += n
	case toMany(ip):
		p.groups[iface+" "+to] += n
	case protocol == "udp" && routedNet.Contains(ip):
		p.routed[to] += n
	case protocol == "tcp" && routedNet.Contains(ip):
		p.sweep[to] += n
	}
}

func planOf(t *testing.T, out string) plan {
	t.Helper()
	p := newPlan()
	for _, m := range planned.FindAllStringSubmatch(out, -1) {
		n, err := strconv.Atoi(m[3])
		if err != nil {
			t.Fatal(err)
		}
		ip, err := netip.ParseAddr(m[5])
		if err != nil {
			to, err := netip.ParseAddrPort(m[5])
			if err != nil {
				t.Fatalf("%q: %v", m[0], err)
			}
			ip = to.Addr()
		}
		p.add(m[2], m[4], m[5], ip, n)
	}
	return p
}

func planSeen(frames []lab.Frame) plan {
	p := newPlan()
	for _, f := range frames {
		to := netip.AddrPortFrom(f.Dst, f.DstPort).String()
		switch {
		case !work(f):
		case f.EtherType == 0x0806:
			p.add(f.Interface, "arp", "", f.Dst, 1)
		case f.Protocol == 17:
			p.add(f.Interface, "udp", to, f.Dst, 1)
		case f.Protocol == 6:
			p.add(f.Interface, "tcp", to, f.Dst, 1)
		case f.ICMPType == 128:
			p.add(f.Interface, "icmp", f.Dst.String(), f.Dst, 1)
		}
	}
	return p
}

// keptPlan: what a dry run printed is what the capture of the same scan shows.
func keptPlan(t *testing.T, r *lab.Running, dry string, captured []lab.Frame) {
	t.Helper()
	want, got := planOf(t, dry), planSeen(captured)
	t.Logf("%d lines of multicast, %d addresses by ARP, %d routed datagrams, %d routed connections planned", len(want.groups), len(want.arp), len(want.routed), len(want.sweep))
	if len(want.groups) < 30 || len(want.arp) < 500 || len(want.routed) < 254 || len(want.sweep) < 1000 {
		t.Errorf("the plan is not whole:\n%.2000s", dry)
	}
	same(t, "multicast", want.groups, got.groups)
	same(t, "routed datagrams", want.routed, got.routed)

	there := map[netip.Addr]bool{}
	for _, d := range r.Site.Devices {
		for _, ip := range d.Addresses() {
			there[ip] = true
		}
	}
	for ip, n := range want.arp { // once, and once more if silent
		if !there[ip] && (got.arp[ip] < n || got.arp[ip] > 2*n) {
			t.Errorf("ARP for %s, where nobody is: planned %d, seen %d", ip, n, got.arp[ip])
		}
	}
	for ip, n := range got.arp {
		if want.arp[ip] == 0 && !there[ip] {
			t.Errorf("ARP for %s was not planned, seen %d", ip, n)
		}
	}
	for to, n := range want.sweep {
		if ip := netip.MustParseAddrPort(to).Addr(); !there[ip] && got.sweep[to] != n {
			t.Errorf("connections to %s, where nobody is: planned %d, seen %d", to, n, got.sweep[to])
		}
	}
	perHost := map[netip.Addr]int{}
	for to, n := range got.sweep {
		ip := netip.MustParseAddrPort(to).Addr()
		if perHost[ip] += n; want.sweep[to] == 0 && !there[ip] {
			t.Errorf("connections to %s were not planned, seen %d", to, n)
		}
	}
	for ip, n := range perHost {
		if n > 8 {
			t.Errorf("%d connections to %s, the bound that the plan states is 8", n, ip)
		}
	}
	if !strings.Contains(dry, "at most 8 connections and 12 datagrams") {
		t.Errorf("the plan states no bound for hosts that answer:\n%s", dry[max(0, len(dry)-300):])
	}
}

func same(t *testing.T, what string, want, got map[string]int) {
	t.Helper()
	all := maps.Clone(want)
	for to := range got {
		all[to] += 0
	}
	var off []string
	for to := range all {
		if want[to] != got[to] {
			off = append(off, fmt.Sprintf("%s: planned %d, seen %d", to, want[to], got[to]))
		}
	}
	slices.Sort(off)
	if len(off) > 0 {
		t.Errorf("%s: %d of %d lines differ\n%s", what, len(off), len(all), strings.Join(off[:min(20, len(off))], "\n"))
	}
}
