package agent

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"camcensus/internal/config"
	"camcensus/internal/inventory"
)

// TestAReloadReachesTheInventory: what is configured of it holds from then on.
func TestAReloadReachesTheInventory(t *testing.T) {
	c := config.Default()
	c.Mode, c.Interfaces, c.Site.Name = config.ModeListen, []string{"lo"}, "hq"
	file := filepath.Join(t.TempDir(), "camcensus.yml")
	a, err := New(t.Context(), Options{Config: c, ConfigFile: file, StoragePath: t.TempDir(), Log: zap.NewNop(), Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	id := a.inventory.Observe(inventory.Observation{Time: time.Now(), Source: "dhcp", IP: netip.MustParseAddr("10.0.0.1"), Hostname: "lobby-cam"}).Device
	if d, _ := a.inventory.Device(id); d.Site != "hq" || len(d.Hostnames) != 1 {
		t.Fatalf("%+v", d)
	}
	if err := os.WriteFile(file, []byte("site: annex\nmode: listen\ninterfaces: [lo]\ninventory: {hostnames: none}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Reload(); err != nil {
		t.Fatal(err)
	}
	if d, _ := a.inventory.Device(id); d.Site != "annex" || len(d.Hostnames) != 0 {
		t.Errorf("%+v", d)
	}
}
