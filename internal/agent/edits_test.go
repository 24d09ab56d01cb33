package agent

import (
	"bytes"
	"html"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"camcensus/exporter"
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

// TestTheFrenchReportIsFrench judges a camera by the real rules and lists, lets
// persons decide on it, and looks for what would be English.
func TestTheFrenchReportIsFrench(t *testing.T) {
	c := config.Default()
	c.Mode, c.Interfaces = config.ModeListen, []string{"lo"}
	c.Policy.Lists = policy.Shipped()
	a, err := New(t.Context(), Options{Config: c, StoragePath: t.TempDir(), Log: zap.NewNop(), Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	now := time.Now()
	observe := func(ip string, mac byte, ev ...fingerprint.Evidence) string {
		hw := net.HardwareAddr{0x44, 0x19, 0xb6, 1, 2, mac}
		ev = append(ev, fingerprint.Evidence{Source: "arp", Field: "mac", Value: hw.String()})
		for n := range ev {
			ev[n].Seen = now
		}
		id := a.inventory.Observe(inventory.Observation{Time: now, Source: "arp", IP: netip.MustParseAddr(ip), MAC: hw, Evidence: ev}).Device
		a.assess(id)
		return id
	}
	banned := observe("10.0.0.1", 3, fingerprint.Evidence{Source: "http", Port: 80, Field: "server", Value: "App-webs/", Solicited: true},
		fingerprint.Evidence{Source: "wsd", Port: 3702, Field: "scope.hardware", Value: "DS-2CD2143G2-I"},
		fingerprint.Evidence{Source: "wsd", Port: 3702, Field: "type", Value: "NetworkVideoTransmitter"},
		fingerprint.Evidence{Source: "rtsp", Port: 554, Field: "server", Value: "AXIS Media Server", Solicited: true})
	removed := observe("10.0.0.2", 4)
	observe("10.0.0.3", 5)
	location := "Entrée"
	if _, err := a.Except(banned, inventory.Exception{Policy: "ca-hikvision-2025", Owner: "Immeubles", Reason: "commande passée", By: "alice", Expires: now.AddDate(1, 0, 0)}); err != nil {
		t.Fatal(err)
	}
	if err := a.Annotate(banned, exporter.AnnotationPatch{Location: &location}, "alice"); err != nil {
		t.Fatal(err)
	}
	if err := a.Determine(removed, &inventory.Determination{Manufacturer: "Axis", Basis: "label", By: "alice", Date: now}, "alice"); err != nil {
		t.Fatal(err)
	}
	if err := a.Remove(removed, "mise au rebut", "alice"); err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := a.Export(t.Context(), &page, exporter.ExportOptions{Format: "html", Lang: "fr"}); err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(page.String(), "<body>")
	text := html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, " "))
	for _, want := range []string{"Appareils signalés (2)", "Les indices désignent Hikvision.", "Fabriqué par Hikvision.", "C’est ainsi que répond le micrologiciel de Hikvision (indice fort).", "en vertu du paragraphe 25.4(1)", "Déterminations", "1.0.0 · 2"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	english := regexp.MustCompile(`(?i)\b(the|of|and|is|was|its|by|under|until|seen|made|rules|makers|camera|unknown|banned|label)\b`)
	for line := range strings.Lines(text) {
		// Names of laws, offices, rules and commands stay as they are.
		line = regexp.MustCompile(`Secure and Trusted Communications Networks Act|Public Safety and Homeland Security Bureau|règle \S+|camcensus inventory \S+ .*`).ReplaceAllString(line, "")
		if word := english.FindString(line); word != "" {
			t.Errorf("%q in %q", word, strings.TrimSpace(line))
		}
	}
}

// A router forwards one port to an Axis and another to a Dahua, whose page
// shows less than a maker's name needs: it is another device all the same.
func TestASignOfAnotherMakerBehindAPortIsAnotherDevice(t *testing.T) {
	c := config.Default()
	c.Mode, c.Interfaces = config.ModeListen, []string{"lo"}
	a, err := New(t.Context(), Options{Config: c, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	id := a.inventory.Observe(inventory.Observation{Time: time.Now(), Source: "http", IP: netip.MustParseAddr("10.0.0.1"), Solicited: true,
		Evidence: []fingerprint.Evidence{{Source: "http", Port: 80, Field: "realm", Value: "AXIS_ACCC8E000064", Seen: time.Now(), Solicited: true}}}).Device
	a.assess(id)
	if d, _ := a.inventory.Device(id); d.Manufacturer != "Axis" {
		t.Fatalf("made by %q", d.Manufacturer)
	}
	for body, want := range map[string]bool{
		`<script src="/jsCore/rpcCore.js"></script><script src="/js/loginEx.js"></script>`: true,
		"<title>login</title>": false,
	} {
		if got := a.ofAnother(id, []fingerprint.Evidence{{Source: "http", Port: 8080, Field: "body", Value: body, Solicited: true}}); got != want {
			t.Errorf("%s: another's %v", body, got)
		}
	}
	if a.ofAnother(id, []fingerprint.Evidence{{Source: "rtsp", Port: 554, Field: "realm", Value: "AXIS_ACCC8E000064", Solicited: true}}) {
		t.Error("its own stream is another's")
	}
}
