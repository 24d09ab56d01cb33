package exporter

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"camcensus/internal/inventory"
)

func TestAPIAnswersAsTheContractShows(t *testing.T) {
	x := newTestExporter(t, newTestAgent())
	for _, c := range []struct{ name, target string }{
		{"device", "/api/v1/devices/d-test000000032"},
		{"devices", "/api/v1/devices?verdict=suspected"},
		{"coverage", "/api/v1/coverage"},
		{"events", "/api/v1/events?event=verdict_changed"},
		{"sd", "/api/v1/sd?verdict=banned"},
		{"error", "/api/v1/devices/none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := request(x, "GET", c.target, "")
			if kind := w.Header().Get("Content-Type"); kind != "application/json" {
				t.Errorf("content type %q", kind)
			}
			var indented any
			if err := json.Unmarshal(w.Body.Bytes(), &indented); err != nil {
				t.Fatal(err)
			}
			got, _ := json.MarshalIndent(indented, "", " ")
			golden(t, c.name+".json", append(got, '\n'))
		})
	}
}

// golden compares with testdata; CAMCENSUS_UPDATE=1 writes it anew.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("CAMCENSUS_UPDATE") != "" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}

// listed is what the list of devices answers.
type listed struct {
	Devices []inventory.Device
	Total   int
	Next    string
}

func list200(t *testing.T, x *Exporter, query string) (ids []string, l listed) {
	t.Helper()
	w := request(x, "GET", "/api/v1/devices?"+query, "")
	if w.Code != 200 {
		t.Fatalf("%s: %d %s", query, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &l); err != nil {
		t.Fatal(err)
	}
	for _, d := range l.Devices {
		ids = append(ids, strings.TrimPrefix(d.ID, "d-test0000000"))
	}
	return ids, l
}

func TestDeviceFilters(t *testing.T) {
	x := newTestExporter(t, newTestAgent())
	for query, want := range map[string]string{
		"":                                  "31 32 33 34 35 36 37 38 39",
		"verdict=banned":                    "31 32 37",
		"verdict=banned&state=present":      "31",
		"verdict=unknown,suspected":         "33 35",
		"verdict=unclassified":              "38",
		"state=missing&state=removed":       "32 37",
		"class=recorder":                    "39",
		"manufacturer=axis":                 "34",
		"manufacturer=unknown":              "35 38",
		"q=cmip":                            "31",
		"q=02:00:5E:00:53:22":               "34",
		"q=0200-5e00-5322":                  "34",
		"q=10.20.0.36":                      "36",
		"q=floor+2&verdict=clear":           "34 39",
		"q=nothing+like+it":                 "",
		"policy=ca-hikvision-2025&q=TEST00": "31 32 33 34 35 36 37 38 39",
		"policy=other":                      "",
	} {
		if ids, _ := list200(t, x, query); strings.Join(ids, " ") != want {
			t.Errorf("%q: %v, want %s", query, ids, want)
		}
	}
}

func TestDevicePagesMeetEveryDeviceOnce(t *testing.T) {
	x := newTestExporter(t, newTestAgent())
	var all []string
	query := "limit=2"
	for range 10 {
		ids, l := list200(t, x, query)
		all = append(all, ids...)
		if l.Total != 9 {
			t.Errorf("total %d", l.Total)
		}
		if l.Next == "" {
			break
		}
		query = "limit=2&cursor=" + url.QueryEscape(l.Next)
	}
	if got := strings.Join(all, " "); got != "31 32 33 34 35 36 37 38 39" {
		t.Errorf("pages gave %s", got)
	}
}

func TestOneAnswerHasSoManyDevicesAtMost(t *testing.T) {
	few := newTestAgent()
	few.snapshot.Devices = manyDevices(1200)
	for most, a := range map[int]*testAgent{mostDevices: few, mostOfMany: crowd(t, 1200)} {
		x := newTestExporter(t, a)
		met, query := map[string]bool{}, "limit=10000"
		for range 1200/most + 1 {
			ids, l := list200(t, x, query)
			if len(ids) > most || l.Next != "" && len(ids) < most || l.Total != 1200 {
				t.Errorf("%d devices of %d, want %d", len(ids), l.Total, most)
			}
			for _, id := range ids {
				met[id] = true
			}
			query = "limit=10000&cursor=" + url.QueryEscape(l.Next)
			if l.Next == "" {
				break
			}
		}
		if len(met) != 1200 {
			t.Errorf("%d devices met", len(met))
		}
	}
}

func TestListOfManyDevicesIsQuick(t *testing.T) {
	a := newTestAgent()
	a.snapshot.Devices = manyDevices(100_000)
	x := newTestExporter(t, a)
	for _, target := range []string{"/api/v1/devices?limit=100&q=floor", "/", "/api/v1/devices?verdict=clear"} {
		request(x, "GET", target, "")
		start := time.Now()
		request(x, "GET", target, "")
		took := time.Since(start)
		t.Logf("%s: %v", target, took)
		if took > 2*time.Second {
			t.Errorf("%s took %v with 100,000 devices", target, took)
		}
	}
}

func TestBadRequestsAreAnsweredInShape(t *testing.T) {
	x := newTestExporter(t, newTestAgent())
	for target, status := range map[string]int{
		"/api/v1/devices?verdict=guilty":   400,
		"/api/v1/devices?limit=0":          400,
		"/api/v1/devices?cursor=%21%21":    400,
		"/api/v1/devices?state=gone":       400,
		"/api/v1/events?since=yesterday":   400,
		"/api/v1/events?event=exploded":    400,
		"/api/v1/export?format=exe":        400,
		"/api/v1/export?lang=de":           400,
		"/api/v1/nothing":                  404,
		"/nothing":                         404,
		"/devices/none":                    404,
		"/api/v1/pause":                    405,
		"/api/v1/devices/x/exceptions":     405,
		"/api/v1/devices?q=" + hugeQuery(): 400,
	} {
		w := request(x, "GET", target, "")
		var f fault
		if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil || w.Code != status || f.Error.Code == "" || f.Error.Message == "" {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func hugeQuery() string { return strings.Repeat("a", 201) }

func TestNothingButHealthAnswersBeforeTheInventoryIsLoaded(t *testing.T) {
	a := newTestAgent()
	a.notReady = true
	x := newTestExporter(t, a)
	for target, status := range map[string]int{"/": 503, "/metrics": 503, "/-/ready": 503, "/api/v1/devices": 503, "/api/v1/coverage": 503,
		"/api/v1/stream": 503, "/-/healthy": 200, "/api/v1/openapi.json": 200} {
		if w := request(x, "GET", target, ""); w.Code != status {
			t.Errorf("%s: %d, want %d", target, w.Code, status)
		}
	}
	a.notReady = false
	if w := request(x, "GET", "/-/ready", ""); w.Code != 200 {
		t.Errorf("ready: %d", w.Code)
	}
}

func TestEditsReachTheAgent(t *testing.T) {
	const device = "/api/v1/devices/d-test000000031"
	for _, c := range []struct {
		name, method, target, body string
		status                     int
		noted                      string
	}{
		{"exception", "POST", device + "/exceptions", `{"policy":"ca-hikvision-2025","owner":"Marie","reason":"spring","expires":"2027-03-01"}`, 201,
			"except d-test000000031 under ca-hikvision-2025 owner Marie reason spring until 2027-03-01T23:59:59Z by local"},
		{"exception in the past", "POST", device + "/exceptions", `{"policy":"ca-hikvision-2025","owner":"M","reason":"r","expires":"2020-01-01"}`, 400, ""},
		{"exception without owner", "POST", device + "/exceptions", `{"policy":"ca-hikvision-2025","owner":" ","reason":"r","expires":"2027-01-01"}`, 400, ""},
		{"exception under no policy", "POST", device + "/exceptions", `{"policy":"none","owner":"M","reason":"r","expires":"2027-01-01"}`, 400, ""},
		{"exception without end", "POST", device + "/exceptions", `{"policy":"ca-hikvision-2025","owner":"M","reason":"r"}`, 400, ""},
		{"withdrawal", "DELETE", "/api/v1/devices/d-test000000032/exceptions/x-1", "", 204, "unexcept d-test000000032 x-1 by local"},
		{"withdrawal by policy", "DELETE", "/api/v1/devices/d-test000000032/exceptions/ca-hikvision-2025", "", 204, "unexcept d-test000000032 ca-hikvision-2025 by local"},
		{"withdrawal of nothing", "DELETE", device + "/exceptions/x-1", "", 404, ""},
		{"removal", "POST", device + "/removal", `{"reason":"scrapped"}`, 200, "remove d-test000000031: scrapped by local"},
		{"removal without reason", "POST", device + "/removal", `{}`, 400, ""},
		{"determination", "POST", device + "/determination", `{"manufacturer":"Axis","basis":"label"}`, 200, "determine d-test000000031 as Axis by local on label"},
		{"determination on a rumour", "POST", device + "/determination", `{"manufacturer":"Axis","basis":"rumour"}`, 400, ""},
		{"determination withdrawn", "DELETE", device + "/determination", "", 200, "withdraw determination of d-test000000031 by local"},
		{"annotation", "PATCH", device + "/annotations", `{"location":"Floor\n3\u0007"}`, 200, "annotate d-test000000031 location Floor 3 owner kept true by local"},
		{"annotation with a strange date", "PATCH", device + "/annotations", `{"location":"","acquired":"spring"}`, 400, ""},
		{"merge", "POST", device + "/merge", `{"with":"d-other","reason":"one camera"}`, 200, "merge d-test000000031 with d-other: one camera by local"},
		{"merge without reason", "POST", device + "/merge", `{"with":"d-other"}`, 400, ""},
		{"split", "POST", device + "/split", `{"reason":"two cameras"}`, 200, "split d-test000000031: two cameras by local"},
		{"split without reason", "POST", device + "/split", `{}`, 400, ""},
		{"unknown key", "POST", device + "/removal", `{"reason":"x","force":true}`, 400, ""},
		{"two objects", "POST", device + "/removal", `{"reason":"x"}{}`, 400, ""},
		{"pause", "POST", "/api/v1/pause", "", 200, "pause by local"},
		{"resume", "POST", "/api/v1/resume", "{}", 200, "resume by local"},
		{"rescan", "POST", "/api/v1/rescan", "", 200, "rescan by local"},
		{"reload", "POST", "/-/reload", "", 200, "reload"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newTestAgent()
			w := request(newTestExporter(t, a), c.method, c.target, c.body)
			if w.Code != c.status || a.noted() != c.noted {
				t.Errorf("%d %s; the agent was told %q", w.Code, w.Body, a.noted())
			}
		})
	}
}

// TestNothingIsDoneThatItsClientHasGivenUp: an agent that was held up finds what was
// asked of it, and whoever asked may have asked again.
func TestNothingIsDoneThatItsClientHasGivenUp(t *testing.T) {
	for until, want := range map[string]struct {
		status int
		noted  string
	}{
		testTime.Add(-time.Second).Format(time.RFC3339Nano): {408, ""},
		testTime.Add(time.Second).Format(time.RFC3339Nano):  {200, "remove d-test000000031: scrapped by local"},
		"soon": {400, ""},
	} {
		a := newTestAgent()
		w := request(newTestExporter(t, a), "POST", "/api/v1/devices/d-test000000031/removal", `{"reason":"scrapped"}`, DeadlineHeader, until)
		if w.Code != want.status || a.noted() != want.noted {
			t.Errorf("%s: %d %s; the agent was told %q", until, w.Code, w.Body, a.noted())
		}
	}
}

func TestAgentErrorsBecomeStatuses(t *testing.T) {
	for err, status := range map[error]int{ErrNotFound: 404, ErrInvalid: 400, ErrConflict: 409, ErrUnable: 503, errors.New("disk"): 500} {
		a := newTestAgent()
		a.fail = fmt.Errorf("inventory: %w", err)
		x := newTestExporter(t, a)
		if w := request(x, "POST", "/api/v1/devices/d/removal", `{"reason":"x"}`); w.Code != status {
			t.Errorf("%v: %d", err, w.Code)
		}
		if w := request(x, "GET", "/api/v1/export?format=csv", ""); w.Code != status {
			t.Errorf("export %v: %d", err, w.Code)
		}
	}
}

func TestWhoMayChangeThings(t *testing.T) {
	dir := t.TempDir()
	users := filepath.Join(dir, "users.yml")
	open := filepath.Join(dir, "open.yml")
	broken := filepath.Join(dir, "broken.yml")
	for path, content := range map[string]string{
		users:  "basic_auth_users: {alice: x, bob: y}\n",
		open:   "http_server_config: {http2: true}\n",
		broken: "basic_auth_users: [\n",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	basic := func(user string) string {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth(user, "secret")
		return r.Header.Get("Authorization")
	}
	for _, c := range []struct {
		name, config string
		headers      []string
		status       int
	}{
		{"this machine", "", nil, 200},
		{"this machine over IPv6", "", []string{"Remote", "[::1]:40000", "Host", "[::1]:9877"}, 200},
		{"another machine", "", []string{"Remote", "10.20.0.9:40000"}, 403},
		{"another machine's user without a config that knows users", open, []string{"Remote", "10.20.0.9:40000", "Authorization", basic("alice")}, 403},
		{"a proxy on this machine", "", []string{"X-Forwarded-For", "10.20.0.9"}, 403},
		{"a name that merely resolves to this machine", "", []string{"Host", "evil.example:9877"}, 403},
		{"another site's page", "", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"the agent's own page", "", []string{"Origin", "http://127.0.0.1:9877", "Sec-Fetch-Site", "same-origin"}, 200},
		{"an editor", users, []string{"Remote", "10.20.0.9:40000", "Authorization", basic("alice")}, 200},
		{"a user who is no editor", users, []string{"Authorization", basic("bob")}, 403},
		{"nobody where users are known", users, nil, 403},
		{"an unreadable config", broken, nil, 403},
		{"an absent config", filepath.Join(dir, "none.yml"), nil, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newTestAgent()
			x := newTestExporter(t, a, func(o *Options) { o.WebConfigFile = c.config })
			for _, target := range []string{"/api/v1/pause", "/-/reload"} {
				w := request(x, "POST", target, "", c.headers...)
				if w.Code != c.status || (a.noted() != "") != (c.status == 200) {
					t.Errorf("%s: %d %s, agent told %q", target, w.Code, w.Body, a.noted())
				}
			}
		})
	}
}

func TestAFormOfAnotherSiteCannotEdit(t *testing.T) {
	a := newTestAgent()
	x := newTestExporter(t, a)
	for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", ""} {
		w := request(x, "POST", "/api/v1/devices/d-test000000031/removal", `{"reason":"x"}`, "Content-Type", kind)
		if w.Code != http.StatusUnsupportedMediaType || a.noted() != "" {
			t.Errorf("%q: %d", kind, w.Code)
		}
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	x := newTestExporter(t, newTestAgent())
	for _, target := range []string{"/", "/api/v1/devices", "/metrics", "/nothing", "/static/app.js"} {
		h := request(x, "GET", target, "").Header()
		if h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") ||
			!strings.Contains(h.Get("Cache-Control"), "no-store") {
			t.Errorf("%s: %v", target, h)
		}
	}
}

func TestPrefixOfTheExternalURL(t *testing.T) {
	u, _ := url.Parse("https://watch.example/camcensus/")
	x := newTestExporter(t, newTestAgent(), func(o *Options) { o.ExternalURL = u })
	for _, target := range []string{"/camcensus/", "/"} {
		w := request(x, "GET", target, "")
		if w.Code != 200 || !strings.Contains(w.Body.String(), `href="/camcensus/coverage"`) {
			t.Errorf("%s: %d, links without the prefix", target, w.Code)
		}
	}
}

func TestOpenAPINamesEveryRouteAndNoOther(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal([]byte(openAPI), &doc); err != nil {
		t.Fatal(err)
	}
	var described, served []string
	for path, methods := range doc.Paths {
		for method := range methods {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	x := newTestExporter(t, newTestAgent())
	for _, r := range x.routes(http.NotFoundHandler()) {
		served = append(served, r.method+" "+strings.TrimSuffix(r.path, "{$}"))
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described:\n%s\nserved:\n%s", strings.Join(described, "\n"), strings.Join(served, "\n"))
	}
	for _, target := range regexp.MustCompile(`#/components/\w+/\w+`).FindAllString(openAPI, -1) {
		if name := target[strings.LastIndex(target, "/")+1:]; !strings.Contains(openAPI, `"`+name+`": {`) {
			t.Errorf("%s is not there", target)
		}
	}
}

func TestOpenAPIDescribesTheDeviceAsItIs(t *testing.T) {
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]json.RawMessage `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(openAPI), &doc); err != nil {
		t.Fatal(err)
	}
	d := testDevices()[1]
	d.Removal, d.Returned, d.Channels, d.BySigns = &inventory.Removal{}, testTime, 1, "Xiongmai"
	encoded, _ := json.Marshal(d)
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(encoded, &fields)
	for name := range fields {
		if _, ok := doc.Components.Schemas["Device"].Properties[name]; !ok {
			t.Errorf("Device.%s is not described", name)
		}
	}
}

func TestStreamSendsChanges(t *testing.T) {
	a := newTestAgent()
	x := newTestExporter(t, a)
	server := httptest.NewServer(x)
	defer server.Close()
	answer, err := http.Get(server.URL + "/api/v1/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	a.changes <- StreamEvent{Type: "progress", Data: Progress{Running: true, Cycle: 8, Done: 5, Total: 10}}
	var got strings.Builder
	buffer := make([]byte, 1024)
	for !strings.Contains(got.String(), "\n\nevent: progress\ndata: {\"running\":true,\"cycle\":8,\"phase\":\"\",\"done\":5,\"total\":10,\"found\":0}\n\n") {
		n, err := answer.Body.Read(buffer)
		got.Write(buffer[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
	}
	x.Close()
	if _, err := answer.Body.Read(buffer); err == nil {
		t.Error("the stream goes on after Close")
	}
}

func TestExportBearsNameAndLanguage(t *testing.T) {
	x := newTestExporter(t, newTestAgent())
	for _, period := range []string{"from=2026-12-01", "from=2026-12-01&to=2026-12-31", "from=2026-02-01&to=2026-01-01", "from=spring"} {
		if w := request(x, "GET", "/api/v1/export?"+period, ""); w.Code != 400 {
			t.Errorf("%s: %d %s", period, w.Code, w.Body)
		}
	}
	if w := request(x, "GET", "/api/v1/export?format=csv&bom=1&lang=en", ""); w.Body.String() != "\ufeffcsv in en" {
		t.Errorf("marked: %q", w.Body)
	}
	w := request(x, "GET", "/api/v1/export?format=csv", "", "Accept-Language", "fr-CA,fr;q=0.9")
	if w.Body.String() != "csv in fr" || w.Header().Get("Content-Disposition") != `attachment; filename="camcensus-ottawa-hq-2026-11-20.csv"` {
		t.Errorf("%s %v", w.Body, w.Header())
	}
}
