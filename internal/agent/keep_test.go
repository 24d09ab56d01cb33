package agent

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"camcensus/discovery"
)

// TestWhatAGatewayPassedOnIsFiledUnderEachHost: until a MAC proves to be a
// gateway's, what its hosts say seems to be one device's.
func TestWhatAGatewayPassedOnIsFiledUnderEachHost(t *testing.T) {
	type kept struct {
		device string
		record discovery.Record
	}
	var all []kept
	a := idle(t, func(device string, r discovery.Record) { all = append(all, kept{device, r}) })
	gateway, own := net.HardwareAddr{0xd4, 0xca, 0x6d, 0, 0, 1}, net.HardwareAddr{0xac, 0xcc, 0x8e, 0, 0, 9}
	const hosts = 6
	for n := range hosts {
		a.take(discovery.Sighting{Source: "ssdp", Interface: "lo", IP: netip.AddrFrom4([4]byte{127, 0, 7, byte(n)}), MAC: gateway, Kind: "ssdp",
			Raw: fmt.Appendf(nil, "NOTIFY * HTTP/1.1\r\nSERVER: host %d\r\n\r\n", n)})
	}
	a.take(discovery.Sighting{Source: "arp", Interface: "lo", IP: netip.AddrFrom4([4]byte{127, 0, 7, 9}), MAC: own, Kind: "arp"})
	filed := a.Filing(nil)
	devices := map[string]bool{}
	for _, k := range all {
		device, r := filed(k.device, k.record)
		devices[device] = true
		want := ""
		if r.Kind == "arp" {
			want = own.String()
		}
		if r.Host != r.IP || r.MAC != want {
			t.Errorf("the record of %s is filed under %q, with the MAC %q", r.IP, r.Host, r.MAC)
		}
	}
	if len(devices) != hosts+1 || len(devices) != a.inventory.Len() {
		t.Errorf("%d devices have records, %d are listed", len(devices), a.inventory.Len())
	}
}
