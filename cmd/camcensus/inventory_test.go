package main

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/agent"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// stored makes an inventory with one camera and returns its directory and the
// camera's id.
func stored(t *testing.T) (dir, id string) {
	t.Helper()
	dir = t.TempDir()
	inv, err := inventory.Open(t.Context(), inventory.Options{Dir: dir, Site: "hq"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	id = inv.Observe(inventory.Observation{Time: now, Source: "arp", IP: netip.MustParseAddr("10.0.0.1")}).Device
	inv.Commit(id, fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera},
		[]policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: policy.Banned, Basis: "named", Verb: "use", Measure: "prohibited"}}, now)
	if err := inv.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, id
}

func TestListAndExportWriteTheSameCSV(t *testing.T) {
	dir, id := stored(t)
	list := camcensus(t, nil, "inventory", "--storage.path", dir, "list", "--format", "csv")
	export := camcensus(t, nil, "inventory", "--storage.path", dir, "export", "--format", "csv")
	if list.out != export.out || !strings.Contains(list.out, "\n"+id+",") {
		t.Errorf("list:\n%s%s\nexport:\n%s%s", list.out, list.err, export.out, export.err)
	}
	config := filepath.Join(dir, "camcensus.yml")
	for text, site := range map[string]string{"site: {name: annex}\n": "annex", "site: {contact: desk}\n": "hq", "": "hq"} { // hq as the store has it
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"inventory", "--storage.path", dir, "--config.file", config, "list", "--format", "csv"}
		if text == "" {
			args = slices.Delete(args, 3, 5)
		}
		for _, command := range []string{"list", "export"} {
			args[len(args)-3] = command
			if res := camcensus(t, nil, args...); !strings.Contains(res.out, "\n"+id+","+site+",") {
				t.Errorf("%s with %q: not of %s: %s%s", command, text, site, res.out, res.err)
			}
		}
	}
	if head, _, _ := strings.Cut(list.out, "\n"); !strings.HasPrefix(head, "id,site,state,verdict,policy,") {
		t.Errorf("columns %s", head)
	}
}

func TestEventsTellTheirEvidence(t *testing.T) {
	dir, id := stored(t)
	table := camcensus(t, nil, "inventory", "--storage.path", dir, "events", "--device", id)
	if head, rest, _ := strings.Cut(table.out, "\n"); !strings.HasSuffix(head, "EVIDENCE") || !strings.Contains(rest, "first seen 20") {
		t.Errorf("%s%s", table.out, table.err)
	}
	lines := camcensus(t, nil, "inventory", "--storage.path", dir, "events", "--json")
	var first inventory.Event
	if err := json.Unmarshal([]byte(strings.SplitAfter(lines.out, "\n")[0]), &first); err != nil || first.Event != "appeared" || len(first.Hash) != 64 || !strings.HasPrefix(first.Evidence, "first seen 20") {
		t.Errorf("%+v %v\n%s%s", first, err, lines.out, lines.err)
	}
	if got := beginOf("a\x1b[31m\tb " + strings.Repeat("é", 100)); len([]rune(got)) != maxEvidenceShown || !strings.HasPrefix(got, "a[31m b é") || !strings.HasSuffix(got, "é…") {
		t.Errorf("%q", got)
	}
}

// TestDaysAreUTCs: a day that is named on the command line is the one that the
// report names, wherever the machine stands.
func TestDaysAreUTCs(t *testing.T) {
	t.Setenv("TZ", "Pacific/Kiritimati")
	dir, id := stored(t)
	run := func(args ...string) {
		t.Helper()
		if res := camcensus(t, nil, append([]string{"inventory", "--storage.path", dir}, args...)...); res.status != 0 {
			t.Fatal(res.err)
		}
	}
	run("except", id, "--policy", "ca-hikvision-2025", "--owner", "o", "--reason", "r", "--expires", "2037-06-30")
	run("determine", id, "--manufacturer", "Axis", "--basis", "label", "--date", "2026-11-01")
	page := filepath.Join(dir, "report.html")
	run("export", "--format", "html", "--from", "2026-10-01", "--to", "2036-12-31", "--output", page)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">2037-06-30<", ">2026-11-01<", "2026-10-01 to 2036-12-31"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s", want)
		}
	}
}

// TestFrenchIsFrenchThroughout: the report of the configured lists, and the
// comparison of dates.
func TestFrenchIsFrenchThroughout(t *testing.T) {
	dir, _ := stored(t)
	config := filepath.Join(dir, "camcensus.yml")
	if err := os.WriteFile(config, []byte("policy: {lists: ["+strings.Join(policy.Shipped(), ", ")+"]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		res := camcensus(t, nil, append([]string{"inventory", "--storage.path", dir, "--config.file", config}, args...)...)
		if res.status != 0 {
			t.Fatal(res.err)
		}
		return html.UnescapeString(res.out)
	}
	lists, err := policy.Load(policy.Shipped(), nil)
	if err != nil {
		t.Fatal(err)
	}
	page := run("export", "--format", "html", "--lang", "fr")
	for _, p := range lists {
		for _, w := range []policy.Words{p.Titles, p.Instrument, p.Issuer} {
			if !strings.Contains(page, w.FR) || strings.Contains(page, w.EN) {
				t.Errorf("%s: the report lacks %q or has %q", p.Name, w.FR, w.EN)
			}
		}
	}
	for lang, want := range map[string]string{"en": ": 2 new, 0 gone, 0 returned, 0 changed\n", "fr": "\u00a0: 2 nouveaux, 0 disparu, 0 revenu, 0 modifié\n"} {
		now := time.Now()
		diff := inventory.Diff{New: make([]inventory.Change, 2), To: now, Written: now}
		diff.New[0] = inventory.Change{Device: "d-1", Counts: map[string]int{"verdict_changed": 2}}
		var out bytes.Buffer
		if err := printDiff(&out, &diff, lang); err != nil || !strings.HasSuffix(out.String(), want) {
			t.Errorf("%s: %s%v", lang, &out, err)
		}
	}
	if diff := run("diff", "--from", "2026-01-01", "--lang", "fr"); !strings.Contains(diff, "apparu, ") || !strings.Contains(diff, "1 nouveau,") {
		t.Error(diff)
	}
}

// TestByIsNotTakenOverByARunningAgent: it knows by its socket who asks, and the
// command does not let one believe otherwise.
func TestByIsNotTakenOverByARunningAgent(t *testing.T) {
	dir, id := stored(t)
	inv, err := inventory.Open(t.Context(), inventory.Options{Dir: dir}) // holds the lock, as an agent does
	if err != nil {
		t.Fatal(err)
	}
	defer inv.Close()
	socket, err := net.Listen("unix", filepath.Join(dir, agent.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	played := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }))
	played.Listener.Close()
	played.Listener = socket
	played.Start()
	defer played.Close()
	for by, told := range map[string]bool{"mallory": true, "": false} {
		res := camcensus(t, nil, "inventory", "--storage.path", dir, "--by", by, "annotate", id, "--note", "x")
		if res.status != 0 || strings.Contains(res.err, "--by is not taken over") != told {
			t.Errorf("by %q: %d, %q", by, res.status, res.err)
		}
	}
}

// TestAnEditWithoutTheRightToWriteSaysSo plays a member of the agent's group:
// the inventory can be read, not written, and no agent runs.
func TestAnEditWithoutTheRightToWriteSaysSo(t *testing.T) {
	dir, id := stored(t)
	file := filepath.Join(dir, inventory.FileName)
	if err := os.Chmod(file, 0o440); err != nil {
		t.Fatal(err)
	}
	// Root may write what it likes; without this capability it may not.
	args := []string{"setpriv", "--bounding-set=-dac_override,-dac_read_search", binary(t), "inventory", "--storage.path", dir, "annotate", id, "--location", "Door"}
	if os.Geteuid() != 0 {
		args = args[2:]
	}
	cmd := exec.Command(args[0], args[1:]...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	err := cmd.Run()
	if said := errs.String(); err == nil || !strings.Contains(said, file) || !strings.Contains(said, "start the agent") || strings.Contains(strings.ToLower(said), "sqlite") {
		t.Errorf("%v: %s", err, said)
	}
}
