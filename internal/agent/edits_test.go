package agent

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/zap"

	"camcensus/fingerprint"
	"camcensus/internal/config"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// TestWhoReadsTheStoreAfterAnEditSeesTheNewVerdict reads it as "inventory
// show" does beside a running agent, at once.
func TestWhoReadsTheStoreAfterAnEditSeesTheNewVerdict(t *testing.T) {
	c := config.Default()
	c.Mode, c.Interfaces = config.ModeListen, []string{"lo"}
	dir := t.TempDir()
	a, err := New(t.Context(), Options{Config: c, StoragePath: dir, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	now := time.Now()
	id := a.inventory.Observe(inventory.Observation{Time: now, Source: "arp", IP: netip.MustParseAddr("10.0.0.1"),
		MAC:      net.HardwareAddr{0x44, 0x19, 0xb6, 1, 2, 3},
		Evidence: []fingerprint.Evidence{{Source: "arp", Field: "mac", Value: "44:19:b6:01:02:03", Seen: now}}}).Device
	a.assess(id)
	for _, step := range []struct{ maker, want string }{{"Axis", policy.Clear}, {"Hikvision", policy.Banned}, {"", policy.SuspectedV}} {
		var finding *inventory.Determination
		if step.maker != "" {
			finding = &inventory.Determination{Manufacturer: step.maker, Basis: "label", By: "alice", Date: now}
		}
		if err := a.Determine(id, finding, "alice"); err != nil {
			t.Fatal(err)
		}
		inv, err := inventory.OpenReadOnly(t.Context(), inventory.Options{Dir: dir, Log: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		d, _ := inv.Device(id)
		inv.Close()
		if len(d.Verdicts) != 1 || d.Verdicts[0].Verdict != step.want {
			t.Errorf("determined as %q: the store says %+v, want %s", step.maker, d.Verdicts, step.want)
		}
	}
}
