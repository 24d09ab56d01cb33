package agent

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/internal/config"
	"camcensus/internal/inventory"
)

// A recorder answers WS-Discovery for two cameras: one address is asked once,
// and all three devices are judged.
func TestEveryDeviceOfAnAddressIsJudged(t *testing.T) {
	c := config.Default()
	c.Mode, c.Interfaces = config.ModeListen, []string{"lo"}
	var n config.Network
	if err := n.UnmarshalText([]byte("127.77.0.0/24")); err != nil {
		t.Fatal(err)
	}
	c.Networks = []config.Network{n}
	a, err := New(t.Context(), Options{Config: c, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	now := time.Now()
	for part := range 3 {
		a.take(discovery.Sighting{Time: now, Source: "wsd", Interface: "lo", IP: netip.MustParseAddr("127.77.0.65"), Port: 3702, Kind: "wsd", Part: part,
			Raw: fmt.Appendf(nil, `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Body><d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:503b687a-b9d7-474f-a2d0-a18c8b25a46%d</a:Address></a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/hardware/DS-2CD2032-I</d:Scopes></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>`, part)})
	}
	for n := range 6 { // the MAC of a gateway
		a.take(discovery.Sighting{Time: now, Source: "arp", Interface: "lo", IP: netip.AddrFrom4([4]byte{127, 77, 0, byte(100 + n)}), MAC: net.HardwareAddr{0, 0x25, 0x9e, 0, 0, 1}, Kind: "arp"})
	}
	a.judgeRest()
	all := a.inventory.Devices()
	if len(all) != 9 {
		t.Fatalf("%d devices", len(all))
	}
	for _, d := range all {
		if camera := d.IPs[0] == "127.77.0.65"; len(d.Verdicts) == 0 || camera != (d.Manufacturer == "Hikvision") {
			t.Errorf("%s: %q, verdicts %v", d.ID, d.Manufacturer, d.Verdicts)
		}
	}
	if left := a.unjudged.take(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// What an agent heard last is judged when it ends: the next start does not
// judge anew what was judged by the same.
func TestAnAgentThatEndsLeavesNothingUnjudged(t *testing.T) {
	c, dir := config.Default(), t.TempDir()
	c.Mode, c.Interfaces = config.ModeListen, []string{"lo"}
	a, err := New(t.Context(), Options{Config: c, Log: zap.NewNop(), StoragePath: dir})
	if err != nil {
		t.Fatal(err)
	}
	seen := a.inventory.Observe(inventory.Observation{Time: time.Now(), Source: "arp", Interface: "lo",
		IP: netip.MustParseAddr("127.77.0.65"), MAC: net.HardwareAddr{0x44, 0x19, 0xb6, 0, 0, 1}, Kind: "arp", Reachability: "ip"})
	a.unjudged.add(seen.Device)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	stored, err := inventory.OpenReadOnly(t.Context(), inventory.Options{Dir: dir, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	if d, ok := stored.Device(seen.Device); !ok || len(d.Verdicts) == 0 {
		t.Errorf("%+v", d)
	}
}
