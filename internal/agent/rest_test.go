package agent

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/zap"

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
