package exporter

import (
	"net/http/httptest"
	"strings"
	"testing"

	"camcensus/internal/inventory"
)

// TestThePageSaysWhatAnEventRestsOn, on the list of events and with the device, in
// both languages: a person's reason, the signs, escaped, and folded where it is
// long.
func TestThePageSaysWhatAnEventRestsOn(t *testing.T) {
	const id = "d-test000000031"
	signs := "http:80 server=App-webs/" + hostile + " [hikvision/app-webs]"
	a := newTestAgent()
	a.events = nil
	for n, e := range []inventory.Event{
		{Event: "removed", By: "alice", Evidence: "scrapped;\nsee first seen x"},
		{Event: "verdict_changed", Evidence: "as event 4: determined by bob: Axis (label); " + signs},
		{Event: "verdict_changed", Evidence: strings.Repeat(signs+"; ", 20) + "records http sha256:0011223344556677"},
		{Event: "excepted", By: "alice", Evidence: "owner Marie: until spring"},
		{Event: "exception_expired", Evidence: "owner Marie, expired 2026-11-01"},
		{Event: "appeared", Evidence: "first seen 2026-01-02T03:04:05Z"},
		{Event: "missing", Evidence: "last sign 2026-01-02T03:04:05Z"},
		{Event: "merged", Evidence: "same maker and serial"},
		{Event: "merged", By: "alice", Evidence: "same certificate"},
	} {
		e.Seq, e.Time, e.Device = int64(n+1), testTime, id
		a.events = append(a.events, e)
	}
	x := newTestExporter(t, a)
	for lang, want := range map[string][]string{
		"en": {"scrapped; see first seen x", "as event 4: determined by bob: Axis (label on the device or its box); http:80 server=App-webs/", "owner Marie: until spring",
			"owner Marie, expired 2026-11-01", "first seen 2026-01-02T03:04:05Z", "last sign 2026-01-02T03:04:05Z", ">same maker and serial<", ">same certificate<",
			`<details class="ground" id="ground-3"><summary>http:80`, "[hikvision/app-webs]"},
		"fr": {"scrapped; see first seen x", "comme l’événement 4 : déterminé par bob : Axis (étiquette de l’appareil ou de sa boîte)", "responsable Marie : until spring",
			"responsable Marie, échue le 2026-11-01", "vu la première fois 2026-01-02T03:04:05Z", "dernier signe 2026-01-02T03:04:05Z", "même fabricant et même n° de série", ">same certificate<"},
	} {
		for _, target := range []string{"/events", "/devices/" + id} {
			body := request(x, "GET", target, "", "Accept-Language", lang).Body.String()
			for _, w := range want {
				if !strings.Contains(body, w) {
					t.Errorf("%s in %s does not say %q", target, lang, w)
				}
			}
			if strings.Contains(body, "<script>document") || len(body) > 100<<10 {
				t.Errorf("%s in %s is not escaped, or too long: %d bytes", target, lang, len(body))
			}
		}
	}
}

// TestBrowserLeavesUnfoldedWhatAReaderUnfolded while the page is brought up to date.
func TestBrowserLeavesUnfoldedWhatAReaderUnfolded(t *testing.T) {
	a := newTestAgent()
	a.events[0].Evidence = strings.Repeat("a sign; ", 100)
	server := httptest.NewServer(newTestExporter(t, a))
	t.Cleanup(server.CloseClientConnections)
	p := openTab(t, server.URL+"/events")
	p.eval(`document.getElementById("ground-2").open = true; document.querySelector("[data-live] td").textContent = "old"`)
	a.changes <- StreamEvent{Type: "device"}
	p.until(`!document.querySelector("[data-live] td").textContent.includes("old")`)
	if got := p.eval(`document.querySelectorAll("details[open]").length`); got != "1" {
		t.Errorf("%s are unfolded", got)
	}
}
