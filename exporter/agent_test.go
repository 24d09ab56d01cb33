package exporter

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// hostile is what a device says that would like to run in a reader's browser,
// break a label or end a line.
const hostile = "<script>document.title='owned'</script>\"'&{{.}}\n\x1b[31m\u202e" + "\xff"

var testTime = time.Date(2026, 11, 20, 15, 4, 5, 0, time.UTC)

// testAgent is an Agent whose state a test sets.
type testAgent struct {
	mu       sync.Mutex
	snapshot *Snapshot
	notReady bool
	fail     error // what edits answer
	edits    []string
	events   []inventory.Event
	changes  chan StreamEvent
}

func (a *testAgent) Ready() bool { return !a.notReady }

func (a *testAgent) Snapshot() *Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.snapshot
}

func (a *testAgent) set(s *Snapshot) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.snapshot = s
}

func (a *testAgent) refuse(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = err
}

func (a *testAgent) Device(id string) (inventory.Device, bool) {
	s := a.Snapshot()
	if s.Many != nil {
		return s.Many.Plain(id)
	}
	return many(s.Devices).Plain(id)
}

func (a *testAgent) Events(_ context.Context, q EventQuery) ([]inventory.Event, string, error) {
	var found []inventory.Event
	for _, e := range a.events {
		if (q.Device == "" || q.Device == e.Device) && (q.Event == "" || q.Event == e.Event) {
			found = append(found, e)
		}
	}
	if len(found) > q.Limit {
		return found[:q.Limit], "next", nil
	}
	return found, "", nil
}

func (a *testAgent) Export(_ context.Context, w io.Writer, o ExportOptions) error {
	if a.fail != nil {
		return a.fail
	}
	_, err := fmt.Fprintf(w, "%s in %s", o.Format, o.Lang)
	return err
}

func (a *testAgent) Subscribe(context.Context) <-chan StreamEvent { return a.changes }

func (a *testAgent) note(format string, args ...any) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.edits = append(a.edits, fmt.Sprintf(format, args...))
	return a.fail
}

func (a *testAgent) noted() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.edits) == 0 {
		return ""
	}
	return a.edits[len(a.edits)-1]
}

func (a *testAgent) Reload() error          { return a.note("reload") }
func (a *testAgent) Pause(by string) error  { return a.note("pause by %s", by) }
func (a *testAgent) Resume(by string) error { return a.note("resume by %s", by) }
func (a *testAgent) Rescan(by string) error { return a.note("rescan by %s", by) }

func (a *testAgent) Except(device string, e inventory.Exception) (inventory.Exception, error) {
	e.ID = "x-1"
	return e, a.note("except %s under %s owner %s reason %s until %s by %s", device, e.Policy, e.Owner, e.Reason, e.Expires.Format(time.RFC3339), e.By)
}

func (a *testAgent) Unexcept(device, exception, by string) error {
	return a.note("unexcept %s %s by %s", device, exception, by)
}

func (a *testAgent) Remove(device, reason, by string) error {
	return a.note("remove %s: %s by %s", device, reason, by)
}

func (a *testAgent) Merge(device, other, reason, by string) (string, error) {
	return device, a.note("merge %s with %s: %s by %s", device, other, reason, by)
}

func (a *testAgent) Split(device, reason, by string) error {
	return a.note("split %s: %s by %s", device, reason, by)
}

func (a *testAgent) Determine(device string, d *inventory.Determination, by string) error {
	if d == nil {
		return a.note("withdraw determination of %s by %s", device, by)
	}
	return a.note("determine %s as %s by %s on %s", device, d.Manufacturer, by, d.Basis)
}

func (a *testAgent) Annotate(device string, p AnnotationPatch, by string) error {
	return a.note("annotate %s location %s owner kept %t by %s", device, *p.Location, p.Owner == nil, by)
}

func testDevice(n int, maker, brand, model string, class fingerprint.Class, verdict, basis string) inventory.Device {
	return inventory.Device{
		ID: fmt.Sprintf("d-test%09d", n), Site: "ottawa-hq", IPs: []string{fmt.Sprintf("10.20.0.%d", n)},
		MACs: []string{fmt.Sprintf("02:00:5e:00:53:%02x", n)}, Interface: "eth0", Reachability: "ip",
		Manufacturer: maker, Brand: brand, Model: model, Firmware: "V5.5.0", Serial: fmt.Sprintf("TEST%05d", n), Class: class, Certainty: 0.97,
		Verdicts: []policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: verdict, Basis: basis, Verb: "use", Measure: "prohibited"},
			{Policy: "us-fcc-covered-list", Verdict: verdict, Basis: basis, Verb: "authorise", Measure: "no_use_ban"}},
		State: inventory.Present, Sources: []string{"arp", "wsd", "sadp"}, FirstSeen: testTime.Add(-time.Duration(n) * time.Hour), LastSeen: testTime,
		Annotations: inventory.Annotations{Location: "Floor 2"},
		Reasons: []fingerprint.Reason{
			{Source: "http", Port: 80, Field: "server", Value: "App-webs/", Rule: "hikvision/app-webs", Supports: maker, Group: fingerprint.GroupFirmware, Grade: fingerprint.Strong, Seen: testTime},
			{Source: "arp", Field: "mac", Value: "02:00:5e:00:53:01", Rule: "oui/ma-l", Supports: maker, Group: fingerprint.GroupAddress, Grade: fingerprint.Medium, Seen: testTime},
		},
	}
}

func testDevices() []inventory.Device {
	banned := testDevice(31, "Hikvision", "LTS", "CMIP9342-28", fingerprint.ClassCamera, policy.Banned, "relabel")
	missing := testDevice(32, "Hikvision", "Hikvision", "DS-2CD2143G2-I", fingerprint.ClassCamera, policy.Banned, "named")
	missing.State = inventory.Missing
	missing.Verdicts[0].Excepted = true
	missing.Exceptions = []inventory.Exception{{ID: "x-1", Policy: "ca-hikvision-2025", Owner: "Marie Tremblay", Reason: "replaced in spring", Expires: testTime.AddDate(0, 4, 0), By: "alice", Created: testTime}}
	suspected := testDevice(33, "EZVIZ", "EZVIZ", "CS-C6TC", fingerprint.ClassCamera, policy.SuspectedV, "affiliate")
	clear := testDevice(34, "Axis", "Axis", "P3245-LVE", fingerprint.ClassCamera, policy.Clear, "")
	unknown := testDevice(35, "", hostile, hostile, fingerprint.ClassCamera, policy.Unknown, "")
	unknown.Hostnames, unknown.Serial, unknown.Firmware = []string{hostile}, hostile, hostile
	unknown.Annotations = inventory.Annotations{Location: hostile, Owner: hostile, Note: hostile}
	unknown.Reasons[0].Value, unknown.Contradictions = hostile, []string{hostile}
	unknown.Returned = testTime
	printer := testDevice(36, "Brother", "Brother", "", fingerprint.ClassOther, policy.OutOfScope, "")
	removed := testDevice(37, "Dahua", "Dahua", "IPC-HDW4233C-A", fingerprint.ClassCamera, policy.Banned, "named")
	removed.State, removed.Removal = inventory.Removed, &inventory.Removal{Reason: "scrapped", By: "alice", Time: testTime}
	host := testDevice(38, "", "", "", fingerprint.ClassUnknown, policy.Unclassified, "")
	host.Reasons, host.Sources, host.MACs = nil, nil, nil
	recorder := testDevice(39, "Hanwha", "Hanwha", "XRN-1610SA", fingerprint.ClassRecorder, policy.Clear, "")
	recorder.Channels = 16
	recorder.Determination = &inventory.Determination{Manufacturer: "Hanwha", Basis: "label", By: "bob", Date: testTime, Note: "read on site"}
	return []inventory.Device{banned, missing, suspected, clear, unknown, printer, removed, host, recorder}
}

func newTestAgent() *testAgent {
	s := &Snapshot{
		Taken: testTime, Started: testTime.Add(-time.Hour), Mode: "active",
		Version: Version{Version: "0.1.0", Revision: "abc", Branch: "main", GoVersion: "go1.26"},
		Site:    Site{Name: "ottawa-hq", Property: "Main building"},
		Devices: testDevices(),
		Policies: []Policy{
			{Name: "ca-hikvision-2025", Version: "2025-06-27", Titles: policy.Words{EN: "Order under the Investment Canada Act"}, Verb: "use", Makers: []string{"Hikvision", "EZVIZ"}, NotAssessed: []string{"services", "components"}},
			{Name: "us-fcc-covered-list", Version: "2024-09", Titles: policy.Words{EN: "FCC Covered List"}, Verb: "authorise", Makers: []string{"Dahua", "Hikvision", "EZVIZ"}},
		},
		Makers: []string{"Axis", "Brother", "Hanwha", "Hikvision"}, Brands: []string{"LTS"},
		Networks: []Network{
			{Network: "10.20.0.0/24", Interface: "eth0", Tried: 254, Answered: 9, Excluded: 1, LastSweep: testTime, Up: true},
			{Network: "10.30.0.0/24", Up: false, Reason: "no sweep has finished yet"},
		},
		Interfaces: []Interface{{Name: "eth0", Up: true, CaptureDropped: 3}},
		Sources: []Source{
			{Status: discovery.Status{Source: "wsd", Interface: "eth0", Up: true}, LastSighting: testTime, Sightings: 12, Sent: 24, Rejected: map[string]uint64{"scope": 2}},
			{Status: discovery.Status{Source: "arp", Interface: "eth0", Reason: "needs CAP_NET_RAW: the kernel's neighbour table serves instead"}},
			{Status: discovery.Status{Source: "listen", Interface: "eth0", Reason: "needs CAP_NET_RAW", Auto: true}},
		},
		Probes:     []Probe{{Probe: "http", Asked: 20, Failures: map[string]uint64{"refused": 3}}, {Probe: "https", Asked: 5, Failures: map[string]uint64{"refused": 1}}, {Probe: "favicon", Asked: 2}},
		Exclusions: []Exclusion{{Match: "10.20.0.5", Reason: "infusion pump", By: "alice"}},
		NotInScope: []discovery.NotInScope{{Network: "172.17.0.0/16", Reason: "container bridge docker0: add to networks"}},
		Cycle:      Cycle{Number: 7, LastCompletion: testTime, NextStart: testTime.Add(15 * time.Minute), Interval: 15 * time.Minute},
		Progress:   Progress{Running: true, Cycle: 8, Phase: "arp", Done: 120, Total: 254, Found: 6},
		Events:     map[string]uint64{"appeared": 9}, Unassessed: 3, ChannelsUnknown: 1,
		Storage:  Storage{Created: testTime.AddDate(-1, 0, 0), LastCommit: testTime, ChainLength: 12345, ChainHead: "ab12"},
		Config:   Config{LastReloadSuccessful: true, LastReloadSuccess: testTime},
		Data:     DataVersions{OUIDate: "2026-11-01", RulesVersion: "1", Rules: 900, Makers: 80},
		Settings: Settings{DeviceSeries: DeviceSeriesFlagged, MaxDeviceSeries: 2000, Language: "auto", Editors: []string{"alice"}},
	}
	s.Cycle.Durations.Observe(42 * time.Second)
	return &testAgent{snapshot: s, changes: make(chan StreamEvent, 4), events: []inventory.Event{
		{Seq: 2, Time: testTime, Device: "d-test000000031", Event: "verdict_changed", From: "unknown", To: "banned", Hash: "ab12cd34ef"},
		{Seq: 1, Time: testTime, Device: "d-test000000035", Event: "appeared", To: hostile, Hash: "0011223344"},
	}}
}

func newTestExporter(t testing.TB, a *testAgent, change ...func(*Options)) *Exporter {
	t.Helper()
	o := Options{Agent: a, Now: func() time.Time { return testTime }}
	for _, c := range change {
		c(&o)
	}
	x, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

// request is what a browser or curl on this machine sends.
func request(x http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	r.Host, r.RemoteAddr = "127.0.0.1:9877", "127.0.0.1:50000"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Remote" {
			r.RemoteAddr = headers[i+1]
		}
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w := httptest.NewRecorder()
	x.ServeHTTP(w, r)
	return w
}
