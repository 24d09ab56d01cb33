package exporter

import (
	"bytes"
	"fmt"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

func scrape(t testing.TB, x *Exporter) string {
	t.Helper()
	w := request(x, "GET", "/metrics", "")
	if w.Code != 200 {
		t.Fatalf("scrape: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetricsPassPromtool(t *testing.T) {
	x := newTestExporter(t, newTestAgent())
	promtool := tool(t, "promtool", "prometheus")
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(scrape(t, x))
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// tool finds a program or fails with the remedy.
func tool(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is needed: apt-get install %s", name, debianPackage)
	}
	return path
}

func TestMetricsHoldTheirPromises(t *testing.T) {
	a := newTestAgent()
	a.snapshot.Devices[4].Annotations.Location = "" // what persons write is a label as it is
	text := scrape(t, newTestExporter(t, a))
	for _, line := range []string{
		`camcensus_site_info{site="ottawa-hq"} 1`,
		`camcensus_oui_registry_timestamp_seconds 1.7934912e+09`,
		`camcensus_devices{class="camera",manufacturer="Hikvision",state="missing"} 1`,
		`camcensus_devices{class="camera",manufacturer="unknown",state="present"} 1`,
		`camcensus_unclassified_hosts 1`,
		`camcensus_probes_total{probe="http"} 27`,
		`camcensus_probe_failures_total{probe="http",reason="refused"} 4`,
		`camcensus_unassessed_channels 3`,
		`camcensus_recorders_channels_unknown 1`,
		`camcensus_flagged_devices{excepted="false",manufacturer="Hikvision",policy="ca-hikvision-2025",state="present",verdict="banned"} 1`,
		`camcensus_flagged_devices{excepted="true",manufacturer="Hikvision",policy="ca-hikvision-2025",state="missing",verdict="banned"} 1`,
		`camcensus_flagged_devices{excepted="false",manufacturer="EZVIZ",policy="ca-hikvision-2025",state="present",verdict="banned"} 0`,
		`camcensus_flagged_devices{excepted="false",manufacturer="Dahua",policy="us-fcc-covered-list",state="removed",verdict="banned"} 1`,
		`camcensus_verdicts{class="camera",policy="ca-hikvision-2025",verdict="unknown"} 1`,
		`camcensus_device_info{brand="LTS",class="camera",device="d-test000000031",ip="10.20.0.31",location="Floor 2",mac="02:00:5e:00:53:1f",manufacturer="Hikvision",model="CMIP9342-28"} 1`,
		`camcensus_device_flagged{device="d-test000000032",excepted="true",policy="ca-hikvision-2025",state="missing",verdict="banned"} 1`,
		`camcensus_device_series_dropped 0`,
		`camcensus_network_addresses{network="10.20.0.0/24",result="tried"} 254`,
		`camcensus_network_up{network="10.30.0.0/24"} 0`,
		`camcensus_network_last_sweep_timestamp_seconds{network="10.30.0.0/24"} 0`,
		`camcensus_source_up{interface="eth0",source="arp"} 0`,
		`camcensus_source_packets_rejected_total{interface="eth0",reason="scope",source="wsd"} 2`,
		`camcensus_cycle_duration_seconds_bucket{le="60"} 1`,
		`camcensus_events_total{event="network_back"} 0`,
		`camcensus_events_total{event="appeared"} 9`,
		`camcensus_paused{reason="mode"} 0`,
		`camcensus_audit_chain_events 12345`,
		`camcensus_audit_chain_head 43794`,
		`camcensus_capture_packets_dropped_total{interface="eth0"} 3`,
		`camcensus_config_last_reload_successful 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
	for _, absent := range []string{`device="d-test000000037"`, `device="d-test000000034"`, `state="removed",verdict="suspected"`, "owned",
		`camcensus_source_up{interface="eth0",source="listen"}`, `verdict="unclassified"`} {
		if strings.Contains(text, absent) {
			t.Errorf("must not be there: %s", absent)
		}
	}
}

func TestMetricsSurviveWhatADeviceSays(t *testing.T) {
	a := newTestAgent()
	a.snapshot.Settings.DeviceSeries = DeviceSeriesAll
	a.snapshot.Site.Name = hostile
	a.snapshot.Devices[4].ID = "d-" + hostile
	a.snapshot.Devices[4].IPs = []string{hostile}
	a.snapshot.Devices[4].MACs = []string{hostile}
	a.snapshot.Devices[4].Manufacturer = "Evil Cameras"
	// The same series twice must not cost the rest.
	a.snapshot.Networks = append(a.snapshot.Networks, a.snapshot.Networks[0])
	text := scrape(t, newTestExporter(t, a))
	if !strings.Contains(text, `manufacturer="other",model=""`) {
		t.Error("an unknown maker must read other, a model with strange characters must be empty")
	}
	if !strings.Contains(text, "camcensus_storage_errors_total 0") {
		t.Error("the good series are gone")
	}
}

func TestDeviceSeriesKeepTheGravestAndOldest(t *testing.T) {
	a := newTestAgent()
	a.snapshot.Settings.MaxDeviceSeries = 2
	text := scrape(t, newTestExporter(t, a))
	if !strings.Contains(text, `camcensus_device_series_dropped 2`) {
		t.Error("a suspected and a returned device must be counted as dropped")
	}
	for device, kept := range map[string]bool{"d-test000000031": true, "d-test000000032": true, "d-test000000033": false, "d-test000000035": false} {
		if strings.Contains(text, device) != kept {
			t.Errorf("%s: kept must be %t", device, kept)
		}
	}
	a.snapshot.Settings.DeviceSeries = DeviceSeriesNone
	if text = scrape(t, newTestExporter(t, a)); strings.Contains(text, `device="`) {
		t.Error("device_series none leaves a series with a device")
	}
}

// TestWhatReturnedAfterItsRemovalHasASeries: its alert rests on it, flagged or not,
// of few devices as of very many.
func TestWhatReturnedAfterItsRemovalHasASeries(t *testing.T) {
	a := newTestAgent()
	printer := &a.snapshot.Devices[5]
	printer.Returned = testTime
	want := "camcensus_device_returned_timestamp_seconds{device=\"" + printer.ID + "\"} "
	for _, on := range []bool{true, false} {
		if !on {
			a.snapshot.Settings.DeviceSeries = DeviceSeriesNone
		}
		for _, devices := range [][]inventory.Device{a.snapshot.Devices, nil} {
			s := *a.snapshot
			if s.Devices = devices; devices == nil {
				s.Many = many(a.snapshot.Devices)
			}
			b := &testAgent{snapshot: &s}
			text := scrape(t, newTestExporter(t, b))
			if strings.Contains(text, want) != on || strings.Contains(text, `camcensus_device_info{brand="Brother"`) != on {
				t.Errorf("on %t, many %t: %s", on, devices == nil, text)
			}
			if strings.Contains(text, `camcensus_device_flagged{device="`+printer.ID) {
				t.Error("a returned printer is flagged")
			}
		}
	}
	again := newTestAgent()
	again.snapshot.Devices[5].Returned, again.snapshot.Devices[5].State = testTime, inventory.Removed
	if strings.Contains(scrape(t, newTestExporter(t, again)), want) {
		t.Error("what is removed again has not returned")
	}
}

// TestTheChainsHeadIsReadOffTheMetric by the command that docs/metrics.md tells, from
// what a scrape prints.
func TestTheChainsHeadIsReadOffTheMetric(t *testing.T) {
	doc, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile("`(printf '%012x[^`]*)`").FindSubmatch(doc)
	if command == nil {
		t.Fatal("docs/metrics.md tells no command")
	}
	a := newTestAgent()
	x := newTestExporter(t, a)
	for _, head := range []string{"cde8d3006dda", "ffffffffffff", "9fb6342646a5", "00000000ab12", "5af3107a4000"} { // the last is 1e+14
		next := *a.snapshot
		next.Storage.ChainHead = head + strings.Repeat("0", 52)
		a.set(&next)
		printed := regexp.MustCompile(`(?m)^camcensus_audit_chain_head (.*)$`).FindStringSubmatch(scrape(t, x))
		if printed == nil {
			t.Fatal("no head")
		}
		got, err := exec.Command("sh", "-c", strings.ReplaceAll(string(command[1]), "N)", printed[1]+")")).Output()
		if err != nil || strings.TrimSpace(string(got)) != head {
			t.Errorf("%s is printed as %s and read as %s (%v)", head, printed[1], got, err)
		}
	}
}

func TestEveryMetricIsDefinedOnceAndDescribed(t *testing.T) {
	seen := make(map[string]bool)
	for _, d := range definitions {
		if seen[d.name] || d.help == "" {
			t.Errorf("%s: defined twice or without help", d.name)
		}
		seen[d.name] = true
	}
}

func manyDevices(n int) []inventory.Device {
	classes := []fingerprint.Class{fingerprint.ClassCamera, fingerprint.ClassRecorder, fingerprint.ClassOther}
	makers := []string{"Hikvision", "Axis", "EZVIZ", ""}
	verdicts := []string{policy.Banned, policy.Clear, policy.SuspectedV, policy.Unknown}
	devices := make([]inventory.Device, n)
	for i := range devices {
		d := testDevice(i%250, makers[i%4], "LTS", "DS-2CD", classes[i%3], verdicts[i%4], "named")
		d.ID = fmt.Sprintf("d-%013d", i)
		d.FirstSeen = testTime.Add(-time.Duration(i) * time.Second)
		devices[i] = d
	}
	return devices
}

func TestScrapeHasTheSameSizeForTenTimesTheDevices(t *testing.T) {
	var sizes []int
	for _, n := range []int{10_000, 100_000} {
		a := newTestAgent()
		a.snapshot.Devices = manyDevices(n)
		x := newTestExporter(t, a)
		start := time.Now()
		first := scrape(t, x)
		t.Logf("%d devices: first scrape %v", n, time.Since(start))
		start = time.Now()
		scrape(t, x)
		t.Logf("%d devices: next scrape %v, %d bytes", n, time.Since(start), len(first))
		sizes = append(sizes, bytes.Count([]byte(first), []byte("\ncamcensus_")))
	}
	if sizes[0] != sizes[1] {
		t.Errorf("%d series with 10,000 devices, %d with 100,000", sizes[0], sizes[1])
	}
}

// stalled is a client that takes nothing for a while.
type stalled struct {
	*httptest.ResponseRecorder
	begun, goOn chan struct{}
}

func (s stalled) Write(b []byte) (int, error) {
	select {
	case s.begun <- struct{}{}:
		<-s.goOn
	case <-s.goOn:
	}
	return s.ResponseRecorder.Write(b)
}

// TestSoManyScrapesAtATime: one that is still being written counts, the series
// of single devices included.
func TestSoManyScrapesAtATime(t *testing.T) {
	x := newTestExporter(t, newTestAgent())
	s := stalled{begun: make(chan struct{}), goOn: make(chan struct{})}
	var clients sync.WaitGroup
	for range maxScrapesInFlight {
		c := s
		c.ResponseRecorder = httptest.NewRecorder()
		clients.Go(func() {
			x.ServeHTTP(c, httptest.NewRequest("GET", "/metrics", nil))
			if c.Code != 200 || !strings.Contains(c.Body.String(), "camcensus_device_info{") {
				t.Errorf("a slow client got %d %.200s", c.Code, c.Body)
			}
		})
		<-s.begun
	}
	if w := request(x, "GET", "/metrics", ""); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("one more scrape got %d", w.Code)
	}
	close(s.goOn)
	clients.Wait()
	scrape(t, x)
}

// many walks over devices of a slice.
type many []inventory.Device

func (m many) Changes() uint64 { return uint64(len(m)) }

func (m many) EachBrief(show ...func(*inventory.Device) bool) {
	var d inventory.Device
	parts := len(show)
	for part, show := range show {
		for _, d = range m.part(part, parts) {
			d.IPs, d.MACs, d.Exceptions = nil, nil, nil
			if !show(&d) {
				break
			}
			d = inventory.Device{} // it is there for the call only
		}
	}
}

func (m many) EachAt(show ...func(*inventory.Device, *inventory.Where) bool) {
	parts := len(show)
	for part, show := range show {
		some, n := m.part(part, parts), 0
		some.EachBrief(func(d *inventory.Device) bool {
			at := &inventory.Where{}
			for _, text := range some[n].IPs {
				if ip, err := netip.ParseAddr(text); err == nil {
					at.IPs = append(at.IPs, ip)
				}
			}
			for _, text := range some[n].MACs {
				if mac, err := net.ParseMAC(text); err == nil {
					at.MACs = append(at.MACs, [6]byte(mac))
				}
			}
			n++
			return show(d, at)
		})
	}
}

func (m many) part(n, of int) many { return m[n*len(m)/of : (n+1)*len(m)/of] }

func (m many) Address(id string) netip.Addr {
	if d, ok := m.Plain(id); ok && len(d.IPs) > 0 {
		at, _ := netip.ParseAddr(d.IPs[0])
		return at
	}
	return netip.Addr{}
}

func (m many) Plain(id string) (inventory.Device, bool) {
	for i := range m {
		if m[i].ID == id {
			return m[i], true
		}
	}
	return inventory.Device{}, false
}

func (m many) Details(ids []string, show func(*inventory.Device) error) error {
	for _, id := range ids {
		if d, ok := m.Plain(id); ok {
			if err := show(&d); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestManyDevicesAreShownAsFew holds each answer over devices that are walked
// against the one over the same devices in a slice.
func TestManyDevicesAreShownAsFew(t *testing.T) {
	few, lots := newTestAgent(), newTestAgent()
	lots.snapshot.Many, lots.snapshot.Devices = many(few.snapshot.Devices), nil
	a, b := newTestExporter(t, few), newTestExporter(t, lots)
	for _, target := range []string{"/metrics", "/", "/?q=floor", "/?verdict=banned", "/api/v1/devices", "/api/v1/devices?limit=3", "/api/v1/devices?q=10.0&limit=2",
		"/api/v1/devices?verdict=unknown&state=present", "/api/v1/sd"} {
		want, got := ownLines(request(a, "GET", target, "")), ownLines(request(b, "GET", target, ""))
		if got != want {
			t.Errorf("%s: of many\n%s\nof few\n%s", target, got, want)
		}
	}
}

// ownLines leaves out what the runtime counts.
func ownLines(w *httptest.ResponseRecorder) string {
	var own []string
	for line := range strings.Lines(w.Body.String()) {
		if !strings.Contains(line, "go_") && !strings.Contains(line, "process_") && !strings.Contains(line, "promhttp_") {
			own = append(own, line)
		}
	}
	return strings.Join(own, "")
}

func BenchmarkScrape(b *testing.B) {
	a := newTestAgent()
	a.snapshot.Devices = manyDevices(100_000)
	x := newTestExporter(b, a)
	b.ReportAllocs()
	for b.Loop() {
		scrape(b, x)
	}
}

func BenchmarkScrapeAfterAChange(b *testing.B) {
	a := newTestAgent()
	devices := manyDevices(100_000)
	x := newTestExporter(b, a)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a.snapshot.Devices = devices[:len(devices)-i%2] // another slice: counted anew
		scrape(b, x)
	}
}
