package agent

import (
	"context"
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

// TestAnAgentThatOnlyListensForgetsInTime: retention holds where nothing is ever
// asked, a camera that moves again and again stays one, and nobody is missing.
func TestAnAgentThatOnlyListensForgetsInTime(t *testing.T) {
	c := config.Default()
	c.Mode, c.Interfaces, c.Inventory.MissingAfter = config.ModeListen, []string{"lo"}, 1
	c.Discovery.Interval = config.Duration(10 * time.Millisecond)
	a, err := New(t.Context(), Options{Config: c, StoragePath: t.TempDir(), Log: zap.NewNop(), Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	see := func(at time.Time, mac string, ip string) string {
		hw, _ := net.ParseMAC(mac)
		return a.inventory.Observe(inventory.Observation{Time: at, Source: "arp", Interface: "lo", IP: netip.MustParseAddr(ip), MAC: hw}).Device
	}
	camera := ""
	for n := range 8 {
		if id := see(time.Now(), "44:19:b6:01:02:03", fmt.Sprintf("10.0.0.%d", n+10)); camera != "" && id != camera {
			t.Fatalf("after %d moves it is another device", n)
		} else if camera = id; n > 0 {
			a.rest()
		}
	}
	phone := see(time.Now().Add(-25*time.Hour), "02:11:22:33:44:55", "10.0.0.7")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error)
	go func() { ended <- a.cycles(ctx) }()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, kept := a.Device(phone); !kept {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("the phone is still there")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if d, _ := a.Device(camera); d.State != inventory.Present || len(d.MACs) != 1 || d.IPs[0] != "10.0.0.17" {
		t.Errorf("%+v", d)
	}
}

// TestPartedClonesAreJudgedAtOnce: cameras whose maker gave them all one serial
// are told apart at the end of a cycle, and have their verdicts then.
func TestPartedClonesAreJudgedAtOnce(t *testing.T) {
	c := config.Default()
	c.Mode, c.Interfaces = config.ModeListen, []string{"lo"}
	c.Networks = make([]config.Network, 1)
	if err := c.Networks[0].UnmarshalText([]byte("127.77.0.0/24")); err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), Options{Config: c, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for n := range 10 {
		ip := fmt.Sprintf("127.77.0.%d", n+10)
		a.take(discovery.Sighting{Time: time.Now(), Source: "sadp", Interface: "lo", IP: netip.MustParseAddr(ip), Port: 37020, Kind: "sadp",
			MAC: net.HardwareAddr{0x44, 0x19, 0xb6, 0, 0, byte(n + 1)},
			Raw: fmt.Appendf(nil, `<ProbeMatch><Types>inquiry</Types><DeviceDescription>DS-2CD2385G1-I</DeviceDescription><DeviceSN>DS-2CD2385G1-I20190412AAWR287927092</DeviceSN><IPv4Address>%s</IPv4Address></ProbeMatch>`, ip)})
	}
	a.rest()
	all := a.inventory.Devices()
	if len(all) != 10 {
		t.Errorf("%d devices", len(all))
	}
	for _, d := range all {
		if len(d.Verdicts) == 0 || d.Manufacturer != "Hikvision" {
			t.Errorf("%s %v: %q, verdicts %v", d.ID, d.IPs, d.Manufacturer, d.Verdicts)
		}
	}
}
