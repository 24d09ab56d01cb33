package agent

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/internal/inventory"
)

func TestAScanOfARoutedNetworkWhereNobodyAnswersIsBlind(t *testing.T) {
	here, there := netip.MustParsePrefix("10.77.0.0/24"), netip.MustParsePrefix("10.88.0.0/24")
	connected, routed := discovery.Network{Prefix: here, Interface: "cam0", Connected: true}, discovery.Network{Prefix: there}
	for name, c := range map[string]struct {
		networks []discovery.Network
		linkDown bool
		swept    []discovery.Coverage
		heardAt  string
		blind    bool
	}{
		"nobody is on a connected network":         {networks: []discovery.Network{connected}, swept: []discovery.Coverage{{Network: here, Tried: 254}}},
		"its cable is out":                         {networks: []discovery.Network{connected}, linkDown: true, swept: []discovery.Coverage{{Network: here, Tried: 254}}, blind: true},
		"no sweep of it finished":                  {networks: []discovery.Network{connected}, blind: true},
		"no sweep finished, and somebody was seen": {networks: []discovery.Network{connected}, heardAt: "10.77.0.9"},
		"somebody answers behind a router":         {networks: []discovery.Network{routed}, swept: []discovery.Coverage{{Network: there, Tried: 254, Answered: 1}}},
		"nobody answers behind a router":           {networks: []discovery.Network{routed}, swept: []discovery.Coverage{{Network: there, Tried: 254, Unreachable: 254}}, blind: true},
		"one of two networks is covered": {networks: []discovery.Network{connected, routed},
			swept: []discovery.Coverage{{Network: here, Tried: 254}, {Network: there, Tried: 254}}},
	} {
		scope := &discovery.Scope{Networks: c.networks, Interfaces: []discovery.Interface{{Name: "cam0", Up: true, Running: !c.linkDown}}}
		inv, err := inventory.Open(t.Context(), inventory.Options{})
		if err != nil {
			t.Fatal(err)
		}
		a := &Agent{wire: discovery.NewWire(scope, discovery.WireOptions{Log: zap.NewNop()}), coverage: newCoverageBook(), inventory: inv}
		for _, s := range c.swept {
			s.Finished = time.Now()
			a.coverage.add(s)
		}
		if c.heardAt != "" {
			inv.Observe(inventory.Observation{Time: time.Now(), Source: "wsd", IP: netip.MustParseAddr(c.heardAt)})
		}
		said := a.uncovered()
		if (said != "") != c.blind || c.blind && !strings.Contains(said, c.networks[0].Prefix.String()) {
			t.Errorf("%s: %q, want blind %v", name, said, c.blind)
		}
	}
}

// A camera that has only a link-local IPv6 address stands on the wire whose
// whole IPv4 network was named; of a part of the wire it is a neighbour.
func TestALinkLocalHostOfAWholeNamedWireIsNoNeighbour(t *testing.T) {
	iface := discovery.Interface{Name: "cam0", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24"), netip.MustParsePrefix("fe80::2/64")}}
	for network, want := range map[string]bool{"10.77.0.0/24": false, "10.77.0.0/16": false, "10.77.0.0/28": true} {
		scope := &discovery.Scope{Interfaces: []discovery.Interface{iface},
			Networks: []discovery.Network{{Prefix: netip.MustParsePrefix(network), Interface: "cam0", Connected: true}}}
		a := &Agent{wire: discovery.NewWire(scope, discovery.WireOptions{Log: zap.NewNop()})}
		if got := a.Neighbour(inventory.Device{IPs: []string{"fe80::4e99:e8ff:fe00:53"}, Interface: "cam0"}); got != want {
			t.Errorf("%s: link-local: neighbour is %v", network, got)
		}
		elsewhere := inventory.Device{IPs: []string{"fe80::4e99:e8ff:fe00:53"}, Interface: "cam1"}
		if !a.Neighbour(elsewhere) {
			t.Errorf("%s: a host of another wire is no neighbour", network)
		}
	}
}
