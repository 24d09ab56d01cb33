package main

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camcensus/internal/inventory"
	"camcensus/internal/lab"
)

// judgeScan holds what a scan said of the site against the truth.
func judgeScan(t *testing.T, r *lab.Running, s scanned) {
	t.Helper()
	listed := 0
	for _, d := range r.Site.Devices {
		if d.Unplugged || d.Truth.SameAs != "" {
			continue
		}
		got, ok := byMAC(s.Devices, d)
		if !ok {
			t.Errorf("%s (%s, %s) is not listed", d.Name, d.Addr(), d.HardwareAddr())
			continue
		}
		listed++
		judgeDevice(t, d, got)
	}
	if len(s.Devices) > listed {
		for _, got := range s.Devices {
			if !simulated(r, got) {
				t.Errorf("%v %v is listed, but no device of the site", got.IPs, got.MACs)
			}
		}
	}
}

func judgeDevice(t *testing.T, d *lab.Device, got inventory.Device) {
	t.Helper()
	if d.Truth.Maker != "" && got.Manufacturer != d.Truth.Maker {
		t.Errorf("%s: manufacturer %q, is %q", d.Name, got.Manufacturer, d.Truth.Maker)
	}
	if d.Truth.Brand != "" && got.Brand != d.Truth.Brand {
		t.Errorf("%s: brand %q, is %q", d.Name, got.Brand, d.Truth.Brand)
	}
	if d.Truth.Model != "" && got.Model != d.Truth.Model {
		t.Errorf("%s: model %q, is %q", d.Name, got.Model, d.Truth.Model)
	}
	if d.Truth.Class != "" && string(got.Class) != d.Truth.Class {
		t.Errorf("%s: class %q, is %q", d.Name, got.Class, d.Truth.Class)
	}
	for policy, want := range d.Truth.Verdicts {
		if v := verdictOf(got, policy); v != want && v != "" {
			t.Errorf("%s: verdict %q under %s, ought to be %q (reasons %+v, contradictions %v)", d.Name, v, policy, want, got.Reasons, got.Contradictions)
		}
	}
	for _, v := range got.Verdicts {
		if d.Truth.Innocent && v.Flagged() {
			t.Errorf("%s is innocent and was accused: %+v (reasons %+v)", d.Name, v, got.Reasons)
		}
	}
}

func simulated(r *lab.Running, got inventory.Device) bool {
	for _, d := range r.Site.Devices {
		if g, ok := byMAC([]inventory.Device{got}, d); ok && g.ID == got.ID {
			return true
		}
	}
	return false
}

func TestAScanAtFullRateListsAndNamesTheSiteInTenSeconds(t *testing.T) {
	r := site(t, "sixty")
	// What else this machine does may hold one scan up, or two.
	for try := 1; ; try++ {
		s, res := scan(t, "--rate", "500", "--arp-rate", "500", "10.77.0.0/24")
		t.Logf("took %s, %d devices, stderr %s", res.took, len(s.Devices), res.err)
		if res.status != 0 {
			t.Errorf("exit status %d, want 0", res.status)
		}
		judgeScan(t, r, s)
		if res.took < 10*time.Second {
			return
		}
		if try == 3 {
			t.Fatalf("took %s, must be under 10 s", res.took)
		}
	}
}

func TestAScanAtTheDefaultsTakesUnderAMinute(t *testing.T) {
	r := site(t, "sixty")
	s, res := scan(t, "10.77.0.0/24")
	t.Logf("took %s, %d devices", res.took, len(s.Devices))
	if res.status != 0 || res.took > time.Minute {
		t.Errorf("exit status %d after %s, want 0 within a minute", res.status, res.took)
	}
	judgeScan(t, r, s)
	arp := 0
	begun := time.Time{}
	for _, f := range r.Captured() {
		if f.Sent && f.EtherType == 0x0806 {
			if begun.IsZero() {
				begun = f.Time
			}
			arp++
		}
	}
	t.Logf("%d ARP frames", arp)
}

func TestIdentifyOfTheRecordedEvidenceGivesTheScansIdentities(t *testing.T) {
	site(t, "sixty")
	record := filepath.Join(t.TempDir(), "evidence.jsonl")
	s, _ := scan(t, "--rate", "500", "--arp-rate", "500", "--record", record, "10.77.0.0/24")
	f, err := os.Open(record)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := camcensus(t, f, "identify")
	if r.status != 0 {
		t.Fatalf("identify: status %d: %s", r.status, r.err)
	}
	type identity struct {
		Host, Manufacturer, Brand, Model, Firmware, Serial, Class string
		Certainty                                                 float64
		Verdicts                                                  []struct{ Policy, Verdict, Basis, Measure string }
	}
	identified := map[string]identity{}
	for line := range strings.SplitSeq(strings.TrimSpace(r.out), "\n") {
		var id identity
		if err := json.Unmarshal([]byte(line), &id); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		identified[id.Host] = id
	}
	if len(identified) < len(s.Devices) {
		t.Errorf("%d devices scanned, %d identified", len(s.Devices), len(identified))
	}
	for _, d := range s.Devices {
		id, ok := identity{}, false
		for _, ip := range d.IPs {
			if got, there := identified[ip]; there && !ok {
				id, ok = got, true
			}
		}
		if !ok {
			t.Errorf("%v: not among the identities", d.IPs)
			continue
		}
		if id.Manufacturer != d.Manufacturer || id.Brand != d.Brand || id.Model != d.Model || id.Firmware != d.Firmware ||
			id.Serial != d.Serial || id.Class != string(d.Class) {
			t.Errorf("%v: the scan says %s %s %s %s %s %s, identify says %+v", d.IPs, d.Manufacturer, d.Brand, d.Model, d.Firmware, d.Serial, d.Class, id)
		}
		for i, v := range d.Verdicts {
			if i < len(id.Verdicts) && id.Verdicts[i].Verdict != v.Verdict {
				t.Errorf("%v: the scan's verdict is %s, identify's %s", d.IPs, v.Verdict, id.Verdicts[i].Verdict)
			}
		}
	}
}

func TestNothingIsAddressedToWhatIsExcludedOrOutOfScope(t *testing.T) {
	r := site(t, "sixty")
	var excludedIP, excludedMAC *lab.Device
	for _, d := range r.Site.Devices {
		switch {
		case d.WSD != nil && excludedIP == nil:
			excludedIP = d
		case d.WSD != nil && excludedMAC == nil:
			excludedMAC = d
		}
	}
	if excludedIP == nil || excludedMAC == nil {
		t.Fatal("the site has no two devices that answer WS-Discovery")
	}
	config := filepath.Join(t.TempDir(), "c.yml")
	text := "networks: [10.77.0.0/25]\nexclude: [\"" + excludedIP.Addr().String() + "\", \"" + excludedMAC.HardwareAddr().String() + "\", 10.77.0.96/28]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, res := scan(t, "--config.file", config, "--rate", "500", "--arp-rate", "500")
	if res.status != 0 {
		t.Errorf("exit status %d: %s", res.status, res.err)
	}
	scope := netip.MustParsePrefix("10.77.0.0/25")
	block := netip.MustParsePrefix("10.77.0.96/28")
	for _, f := range r.Captured() {
		if !f.Sent || !f.Dst.IsValid() || f.Dst.IsMulticast() || f.Dst == netip.MustParseAddr("10.77.0.255") || f.Dst == netip.MustParseAddr("255.255.255.255") {
			continue
		}
		switch dst := f.Dst; {
		case dst.Is4() && !scope.Contains(dst):
			t.Errorf("a frame of type %#x went to %s, outside the scope", f.EtherType, dst)
		case dst == excludedIP.Addr() || block.Contains(dst):
			t.Errorf("a frame of type %#x went to the excluded %s", f.EtherType, dst)
		case dst == excludedMAC.Addr() && f.EtherType != 0x0806:
			t.Errorf("a frame of type %#x went to %s, whose MAC is excluded", f.EtherType, dst)
		}
	}
	if len(s.Devices) < 10 {
		t.Errorf("only %d devices found in the rest of the scope", len(s.Devices))
	}
}

// work tells whether the frame is one that the budget counts: ARP and ND
// requests, UDP datagrams, ICMP, TCP SYNs (DESIGN section 10).
func work(f lab.Frame) bool {
	switch {
	case !f.Sent:
		return false
	case f.EtherType == 0x0806:
		return true
	case f.Protocol == 17 || f.Protocol == 1:
		return true
	case f.Protocol == 58:
		return f.ICMPType == 128 || f.ICMPType == 135
	case f.Protocol == 6:
		return f.TCPFlags&0x12 == 0x02
	}
	return false
}

func TestAScanWithoutANetworkIsBlind(t *testing.T) {
	res := camcensus(t, nil, "scan", "--interface", "lo", "--format", "json")
	if res.status != exitBlind {
		t.Errorf("exit status %d, want %d; %s", res.status, exitBlind, res.err)
	}
}

func TestAScanRefusesAFileThatForbidsToSend(t *testing.T) {
	config := filepath.Join(t.TempDir(), "c.yml")
	if err := os.WriteFile(config, []byte("mode: listen\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	res := camcensus(t, nil, "scan", "--config.file", config)
	if res.status != exitUsage || !strings.Contains(res.err, config+": mode: listen") {
		t.Errorf("status %d, %q", res.status, res.err)
	}
}
