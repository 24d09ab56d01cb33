package exporter

import (
	"strings"
	"testing"

	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// TestTheSameMakerIsNotSettledAndUnsettledOnOnePage: what one policy says is
// established, another does not call unsettled; what is missing there is the
// day of purchase.
func TestTheSameMakerIsNotSettledAndUnsettledOnOnePage(t *testing.T) {
	says := tongue{Lang: english}
	d := &inventory.Device{Manufacturer: "Hikvision", Verdicts: []policy.Verdict{
		{Policy: "ca-hikvision-2025", Verdict: policy.Banned, Basis: "named", Measure: "prohibited"},
		{Policy: "ca-qc-2023", Verdict: policy.SuspectedV, Basis: "named", Measure: "ask"},
	}}
	if said := strings.Join(says.meaning(d, &d.Verdicts[1], &Policy{}), " "); !strings.Contains(said, "say that Hikvision made it") || strings.Contains(said, "do not settle") {
		t.Error(said)
	}
	if said := strings.Join(says.settle(d), " "); !strings.Contains(said, "date on which it was acquired") {
		t.Error(said)
	}
	d.Verdicts = d.Verdicts[1:]
	if said := strings.Join(says.meaning(d, &d.Verdicts[0], &Policy{}), " "); !strings.Contains(said, "do not settle") {
		t.Error(said)
	}
}

// TestAnUnknownDeviceTellsWhomItsSignsPointTo: the page shows a maker beside
// the word unknown, and says why both hold.
func TestAnUnknownDeviceTellsWhomItsSignsPointTo(t *testing.T) {
	d := &inventory.Device{Manufacturer: "DoorBird", Verdicts: []policy.Verdict{{Policy: "x", Verdict: policy.Unknown}}}
	if said := strings.Join((tongue{Lang: english}).meaning(d, &d.Verdicts[0], &Policy{}), " "); !strings.Contains(said, "point to DoorBird, but not firmly") {
		t.Error(said)
	}
}
