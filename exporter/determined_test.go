package exporter

import (
	"net/netip"
	"strings"
	"testing"

	"camcensus/fingerprint"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// TestADeterminedMakerIsShownCountedAndFound: a device that a person says another
// made is that maker's everywhere, with what the signs say beside it, until the
// determination is withdrawn. Of few devices as of very many.
func TestADeterminedMakerIsShownCountedAndFound(t *testing.T) {
	inv, err := inventory.Open(t.Context(), inventory.Options{Site: "ottawa-hq", Judge: func(d inventory.Device, _ []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict) {
		verdict := policy.Clear
		if d.Determination != nil && d.Determination.Manufacturer == "Hikvision" {
			verdict = policy.Banned
		}
		return fingerprint.Identity{Manufacturer: "Xiongmai", Brand: "Xiongmai", Model: "XM530", Class: fingerprint.ClassCamera},
			[]policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: verdict, Basis: "named"}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer inv.Close()
	id := inv.Observe(inventory.Observation{Time: testTime, Source: "arp", IP: netip.MustParseAddr("10.20.0.5"),
		MAC: []byte{0x44, 0x19, 0xb6, 1, 2, 3}}).Device
	inv.Rejudge()
	a := newTestAgent()
	a.snapshot.Makers = append(a.snapshot.Makers, "Xiongmai")
	x := newTestExporter(t, a)
	holds := func(maker, other string, determined bool) {
		t.Helper()
		for _, many := range []bool{false, true} {
			a.snapshot.Devices, a.snapshot.Many = inv.Devices(), nil
			if many {
				a.snapshot.Devices, a.snapshot.Many = nil, inv
			}
			text := scrape(t, x)
			if want := `camcensus_devices{class="camera",manufacturer="` + maker + `",state="present"} 1`; !strings.Contains(text, want) {
				t.Errorf("no %s", want)
			}
			flagged := `camcensus_flagged_devices{excepted="false",manufacturer="Hikvision",policy="ca-hikvision-2025",state="present",verdict="banned"} 1`
			info := `model="XM530"`
			if strings.Contains(text, flagged) != determined || strings.Contains(text, info) != determined || determined && !strings.Contains(text, `manufacturer="Hikvision",model="XM530"`) {
				t.Errorf("determined %t:\n%s", determined, text)
			}
			if ids, l := list200(t, x, "manufacturer="+strings.ToLower(maker)); len(ids) != 1 || l.Devices[0].Manufacturer != maker || l.Devices[0].MakerBySigns() != "Xiongmai" {
				t.Errorf("%s: %+v", maker, l)
			}
			if ids, _ := list200(t, x, "manufacturer="+other); len(ids) != 0 {
				t.Errorf("%s: %v", other, ids)
			}
			if ids, _ := list200(t, x, "q=xiongmai"); len(ids) != 1 {
				t.Errorf("what the signs say is not found: %v", ids)
			}
		}
	}
	holds("Xiongmai", "Hikvision", false)
	if err := inv.Determine(id, &inventory.Determination{Manufacturer: "Hikvision", Basis: "inspection"}, "alice"); err != nil {
		t.Fatal(err)
	}
	holds("Hikvision", "Xiongmai", true)
	a.snapshot.Devices, a.snapshot.Many = inv.Devices(), nil
	page := request(x, "GET", "/devices/"+id, "", "Accept-Language", "en").Body.String()
	for _, want := range []string{"<h1>Hikvision XM530</h1>", "The signs alone point to Xiongmai as the maker.", "determined; by the signs: Xiongmai"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if page = request(x, "GET", "/devices/"+id, "", "Accept-Language", "fr").Body.String(); !strings.Contains(page, "Les indices seuls désignent Xiongmai comme fabricant.") {
		t.Error("not in French")
	}
	if err := inv.Determine(id, nil, "alice"); err != nil {
		t.Fatal(err)
	}
	holds("Xiongmai", "Hikvision", false)
}
