package agent

import (
	"net"
	"net/netip"
	"testing"
)

// TestAFrameOfARepeaterNamesNobody: what a repeater sends on does not make it
// the camera whose words they are.
func TestAFrameOfARepeaterNamesNobody(t *testing.T) {
	router := net.HardwareAddr{0xd4, 0xca, 0x6d, 0, 0, 1}
	camera := net.HardwareAddr{0xac, 0xcc, 0x8e, 0x13, 0xa5, 0xbd}
	for _, c := range []struct {
		name, ip string
		mac      net.HardwareAddr
		relayed  bool
	}{
		{"its own frame", "fe80::aecc:8eff:fe13:a5bd", camera, false},
		{"in a router's frame", "fe80::aecc:8eff:fe13:a5bd", router, true},
		{"an address that tells no MAC", "fe80::1", router, false},
		{"a global address", "2001:db8::aecc:8eff:fe13:a5bd", router, false},
		{"IPv4", "10.79.0.26", router, false},
		{"no frame", "fe80::aecc:8eff:fe13:a5bd", nil, false},
	} {
		if got := relayed(netip.MustParseAddr(c.ip), c.mac); got != c.relayed {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
