package agent

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"camcensus/discovery"
)

// TestAFrameOfARepeaterNamesItsSender: what a repeater sends on does not make it
// the camera whose words they are, and the camera is known by its own MAC.
func TestAFrameOfARepeaterNamesItsSender(t *testing.T) {
	router := net.HardwareAddr{0xd4, 0xca, 0x6d, 0, 0, 1}
	camera := net.HardwareAddr{0xac, 0xcc, 0x8e, 0x13, 0xa5, 0xbd}
	for _, c := range []struct {
		name, ip    string
		frame, want net.HardwareAddr
	}{
		{"its own frame", "fe80::aecc:8eff:fe13:a5bd", camera, camera},
		{"in a router's frame", "fe80::aecc:8eff:fe13:a5bd", router, camera},
		{"an address that tells no MAC", "fe80::1", router, router},
		{"a global address", "2001:db8::aecc:8eff:fe13:a5bd", router, router},
		{"IPv4", "10.79.0.26", router, router},
		{"no frame", "fe80::aecc:8eff:fe13:a5bd", nil, nil},
	} {
		if got := sender(netip.MustParseAddr(c.ip), c.frame); got.String() != c.want.String() {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestAHostSentOnByARepeaterIsOneDevice: what its IPv6 address tells joins what
// it says by IPv4.
func TestAHostSentOnByARepeaterIsOneDevice(t *testing.T) {
	a := idle(t, nil)
	router := net.HardwareAddr{0xd4, 0xca, 0x6d, 0, 0, 1}
	hello := []byte("NOTIFY * HTTP/1.1\r\nNTS: ssdp:alive\r\n\r\n")
	for n := range 2 {
		own := net.HardwareAddr{0xac, 0xcc, 0x8e, 0, 0, byte(n)}
		by6 := discovery.Sighting{Source: "listen", Interface: "lo", IP: netip.MustParseAddr(fmt.Sprintf("fe80::aecc:8eff:fe00:%x", n)), MAC: router, Kind: "ssdp", Raw: hello}
		by4 := discovery.Sighting{Source: "mdns", Interface: "lo", IP: netip.AddrFrom4([4]byte{127, 0, 7, byte(n + 1)}), Kind: "mdns",
			Raw: fmt.Appendf(nil, `{"instance":"AXIS","service":"_axis-video._tcp","host":"axis.local","port":80,"txt":["macaddress=%x"]}`, []byte(own))}
		both := []discovery.Sighting{by4, by6, by4}
		for _, s := range both[n:] { // one first heard by IPv4, one by IPv6
			a.take(s)
		}
	}
	if a.inventory.Len() != 2 {
		for _, d := range a.inventory.Devices() {
			t.Errorf("%v %v", d.IPs, d.MACs)
		}
	}
}
