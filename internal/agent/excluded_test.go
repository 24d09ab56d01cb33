package agent

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"camcensus/discovery"
)

func TestAnIPv4ExclusionReachesItsOwnWireOnly(t *testing.T) {
	scope := func(match string) *discovery.Scope {
		return &discovery.Scope{
			Networks: []discovery.Network{
				{Prefix: netip.MustParsePrefix("10.77.0.0/24"), Interface: "cam0", Connected: true},
				{Prefix: netip.MustParsePrefix("fe80::/64"), Interface: "cam0", Connected: true},
				{Prefix: netip.MustParsePrefix("10.88.0.0/24"), Interface: "cam1", Connected: true},
				{Prefix: netip.MustParsePrefix("fd88::/64"), Interface: "cam1", Connected: true},
			},
			Exclusions: []discovery.Exclusion{{Match: match}},
		}
	}
	for _, c := range []struct {
		match      string
		cam0, cam1 bool
		notes      int
	}{
		{"10.77.0.11", true, false, 1},
		{"::ffff:10.77.0.11", true, false, 1},
		{"10.88.0.0/28", false, true, 1},
		{"10.0.0.0/8", true, true, 2},
		{"192.168.1.1", false, false, 0},
		{"fe80::1", false, false, 0},
		{"00:11:22:33:44:55", false, false, 0},
	} {
		s := scope(c.match)
		if got := excludesIPv4(s, "cam0"); got != c.cam0 {
			t.Errorf("exclude %s: cam0 %v, want %v", c.match, got, c.cam0)
		}
		if got := excludesIPv4(s, "cam1"); got != c.cam1 {
			t.Errorf("exclude %s: cam1 %v, want %v", c.match, got, c.cam1)
		}
		if got := exclusionNotes(s); len(got) != c.notes {
			t.Errorf("exclude %s: notes %q, want %d", c.match, got, c.notes)
		}
	}
}

func TestNobodyIsMissedWhereNothingIsAsked(t *testing.T) {
	scope, err := discovery.NewScope([]discovery.Interface{{
		Name: "cam0", Index: 2, Up: true, Broadcast: true, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.20.0.2/22")},
	}}, discovery.ScopeOptions{Exclude: []discovery.Exclusion{{Match: "10.20.0.7"}, {Match: "10.20.1.0/28"}, {Match: "00:1b:63:aa:bb:cc"}}})
	if err != nil {
		t.Fatal(err)
	}
	scope.Learn(netip.MustParseAddr("10.20.0.9"), net.HardwareAddr{0, 0x1b, 0x63, 0xaa, 0xbb, 0xcc})
	got := fmt.Sprint(unasked(scope))
	if want := "[10.20.0.7/32 10.20.1.0/28 10.20.0.9/32]"; got != want {
		t.Errorf("not asked %s, want %s", got, want)
	}
}

func TestAFloodOfClaimsMakesTheNetworkBlindNotTheCycleSlow(t *testing.T) {
	mac := net.HardwareAddr{0, 0x1b, 0x63, 0xaa, 0xbb, 0xcc}
	lan := netip.MustParsePrefix("10.20.0.0/22")
	scope, err := discovery.NewScope([]discovery.Interface{{
		Name: "cam0", Index: 2, Up: true, Broadcast: true, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.20.0.2/22")},
	}}, discovery.ScopeOptions{Exclude: []discovery.Exclusion{{Match: mac.String()}}})
	if err != nil {
		t.Fatal(err)
	}
	ip := netip.MustParseAddr("10.20.0.7")
	scope.Learn(ip, mac)
	scope.Learn(netip.MustParseAddr("192.168.1.64"), mac) // out of scope
	if got := claimed(scope); !slices.Equal(got, []netip.Prefix{netip.PrefixFrom(ip, 32)}) {
		t.Errorf("one claim: %v", got)
	}
	for range manyClaimed {
		ip = ip.Next()
		scope.Learn(ip, mac)
	}
	if got := claimed(scope); !slices.Equal(got, []netip.Prefix{lan}) {
		t.Errorf("many claims: %v", got)
	}
}
