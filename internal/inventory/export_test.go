package inventory

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

func export(t *testing.T, s *site, o ExportOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Export(t.Context(), &b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCSVOpensHarmlessly(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	s.Commit(a, fingerprint.Identity{Manufacturer: "=cmd|'/c calc'!A1", Model: "+1", Brand: "@x", Firmware: "-2", Class: fingerprint.ClassCamera}, nil, s.clock.now())
	s.Annotate(a, AnnotationPatch{Location: ptr("＝1+1"), Owner: ptr("\t=1"), Note: ptr("Quai 3;=HYPERLINK(\"x\")\r\n＠y")}, "alice")
	rows, err := csv.NewReader(strings.NewReader(export(t, s, ExportOptions{Format: "csv", To: s.clock.now().Add(day)}))).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	for n, row := range rows[1] {
		// A spreadsheet of another country parts cells at other signs.
		for _, cell := range strings.FieldsFunc(row, func(r rune) bool { return strings.ContainsRune(",;\t\r\n", r) }) {
			if strings.ContainsAny(cell[:1], "=+-@") || strings.HasPrefix(cell, "＝") || strings.HasPrefix(cell, "＠") {
				t.Errorf("%s: %q would be read as a formula", rows[0][n], cell)
			}
		}
	}
}

func TestCellNeutralisesFormulasOnly(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "DS-2CD2142": "DS-2CD2142", "10.0.0.1 fe80::1": "10.0.0.1 fe80::1", "a=b": "a=b", "Entrée – nord": "Entrée – nord",
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx", "\rx": "'\rx", "|x": "'|x", "%x": "'%x",
		"＝1": "'＝1", "＋1": "'＋1", "－1": "'－1", "＠x": "'＠x", "x;=1": "x;'=1", "x\t@y": "x\t'@y", "x,-1": "x,'-1",
		" =1": " '=1", "x;\"=1": "x;\"'=1", "x, \u00a0=1": "x, \u00a0'=1", "a \"-\" b": "a \"-\" b",
	} {
		if got := Cell(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestJSONExports(t *testing.T) {
	s := newSite(t, Options{})
	for n := range 3 {
		s.camera(s.see(fmt.Sprintf("10.0.0.%d", n+1), fmt.Sprintf("44:19:b6:00:00:%02x", n)).Device, policy.Banned)
	}
	o := ExportOptions{Format: "json", To: s.clock.now().Add(day)}
	var list struct {
		Devices []Device
		Total   int
	}
	if err := json.Unmarshal([]byte(export(t, s, o)), &list); err != nil || list.Total != 3 || len(list.Devices) != 3 {
		t.Fatalf("%+v %v", list, err)
	}
	o.Format = "jsonl"
	if got := strings.Count(export(t, s, o), "\n"); got != 3 {
		t.Errorf("%d lines", got)
	}
	o.To = start
	o.From = start.Add(-day)
	if got := export(t, s, o); got != "" {
		t.Errorf("before anything was seen: %q", got)
	}
	o.Format = "xls"
	if err := s.Export(t.Context(), &bytes.Buffer{}, o); err == nil {
		t.Error("an unknown format was accepted")
	}
}

func TestReportEscapesWhatDevicesSay(t *testing.T) {
	s := newSite(t, Options{Site: "hq"})
	a := s.see("10.0.0.1", macA, ev("http", 80, "server", "<script>alert(1)</script>")...).Device
	s.Commit(a, fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera, Reasons: []fingerprint.Reason{
		{Source: "http", Port: 80, Field: "server", Value: "<script>alert(1)</script>", Rule: "x/y", Supports: "Hikvision", Group: "FIRMWARE", Grade: "strong"},
	}}, []policy.Verdict{{Policy: "us-fcc-covered-list", Verdict: policy.Banned, Verb: "authorise"}}, s.clock.now())
	for lang, want := range map[string][]string{
		"en": {"on the list (no new authorisation)", "&lt;script&gt;", "What was not assessed", `lang="en"`},
		"fr": {"sur la liste", "&lt;script&gt;", "Ce qui n’a pas été évalué", `lang="fr"`},
	} {
		got := export(t, s, ExportOptions{Format: "html", Lang: lang, To: s.clock.now().Add(day)})
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: no %q", lang, w)
			}
		}
		if strings.Contains(got, "<script") || strings.Contains(got, "http://") {
			t.Errorf("%s: runs or loads something", lang)
		}
		if strings.Contains(got, `<table class="changes">`) {
			t.Errorf("%s: since the beginning all is new, and listed above", lang)
		}
		got = export(t, s, ExportOptions{Format: "html", Lang: lang, From: start.Add(-day), To: s.clock.now().Add(day)})
		if !strings.Contains(got, `<table class="changes">`) {
			t.Errorf("%s: what is new in a period is not listed", lang)
		}
	}
}

// TestReportOfAPastPeriodSaysOfWhichDayItIs: verdicts and states are those of
// the day on which it is written.
func TestReportOfAPastPeriodSaysOfWhichDayItIs(t *testing.T) {
	s := newSite(t, Options{})
	s.camera(s.see("10.0.0.1", macA).Device, policy.Banned)
	s.clock.pass(40 * day)
	for to, past := range map[time.Time]bool{start.AddDate(0, 0, 30): true, {}: false} {
		page := export(t, s, ExportOptions{Format: "html", Lang: "fr", To: to, Report: exampleFacts()})
		if got := strings.Contains(page, "leurs verdicts, états et adresses sont ceux d’aujourd’hui"); got != past {
			t.Errorf("until %v: told %v", to, got)
		}
		if !strings.Contains(page, "1.0.0 · 2026-11-20") {
			t.Error("no date of the rules")
		}
	}
}

// TestTheStoreKnowsItsSite: as the agent named it last, whoever reads it; also once
// a damaged file was set aside.
func TestTheStoreKnowsItsSite(t *testing.T) {
	o := Options{Dir: t.TempDir(), Site: "hq"}
	s := newSite(t, o)
	a := s.answer("10.0.0.1", macA, policy.Banned)
	s.clock.pass(time.Minute)
	reads := func(when, want string) {
		t.Helper()
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		r, err := OpenReadOnly(t.Context(), Options{Dir: o.Dir, Now: s.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		d, _ := r.Device(a)
		if page := export(t, &site{Inventory: r}, ExportOptions{Format: "html"}); d.Site != want || !strings.Contains(page, "<dt>Site</dt><dd>"+want+"</dd>") {
			t.Errorf("%s: %q", when, d.Site)
		}
	}
	reads("beside the agent", "hq")
	s.Follow(Options{Site: "annex"})
	reads("named anew", "annex")
	s.damage()
	reads("set aside", "annex")
	o.Site = ""
	s = reopen(t, s, o) // an edit without a configuration
	if d := s.device(a); d.Site != "annex" {
		t.Errorf("an edit: %q", d.Site)
	}
	reads("after an edit", "annex")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, o.Dir, "DELETE FROM meta WHERE name = 'site'")
	r, err := OpenReadOnly(t.Context(), Options{Dir: o.Dir, Now: s.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	s = &site{Inventory: r, t: t}
	defer r.Close()
	for lang, want := range map[string]string{"en": "site not known", "fr": "site non connu"} {
		page := export(t, s, ExportOptions{Format: "html", Lang: lang})
		if !strings.Contains(page, "<dt>Site</dt><dd>"+want+"</dd>") || !strings.Contains(page, want+"</title>") || s.device(a).Site != "" {
			t.Errorf("%s: a site that nobody named: %q", lang, s.device(a).Site)
		}
	}
}

// TestTheReportTellsEachListsLastChange: none is merged into that of another list;
// and what was removed is not among the cameras, as it is not in the totals.
func TestTheReportTellsEachListsLastChange(t *testing.T) {
	for name, dir := range map[string]string{"in memory": "", "in a file": t.TempDir()} {
		t.Run(name, func(t *testing.T) { eachListsLastChange(t, dir) })
	}
}

func eachListsLastChange(t *testing.T, dir string) {
	s := newSite(t, Options{Dir: dir})
	a, b := s.see("10.0.0.1", macA).Device, s.see("10.0.0.2", macB).Device
	judge := func(id string, one, other string) {
		s.Commit(id, fingerprint.Identity{Class: fingerprint.ClassCamera}, []policy.Verdict{{Policy: "l-one", Verdict: one}, {Policy: "l-other", Verdict: other}}, s.clock.now())
	}
	judge(a, policy.Unknown, policy.Unknown)
	judge(b, policy.Unknown, policy.Unknown)
	s.clock.pass(day)
	judge(a, policy.Banned, policy.SuspectedV)
	judge(b, policy.Banned, policy.SuspectedV)
	s.clock.pass(day)
	judge(a, policy.Banned, policy.Clear)
	for n := range 30 {
		judge(b, policy.Banned, []string{policy.Clear, policy.Unknown}[n%2])
	}
	for _, list := range []string{"l-one", "l-other"} {
		if _, err := s.Except(a, Exception{Policy: list, Owner: "o", Reason: "r", By: "alice", Expires: s.clock.now().Add(day)}); err != nil {
			t.Fatal(err)
		}
		if err := s.Unexcept(a, list, "alice"); err != nil {
			t.Fatal(err)
		}
	}
	s.clock.pass(day)
	for lang, want := range map[string][]string{
		"en": {"2026-01-06 verdict changed: l-one banned<br>", "2026-01-07 verdict changed (2×): l-other clear<br>",
			"2026-01-06 verdict changed (32× in all): l-one banned<br>2026-01-07 verdict changed (32× in all): l-other unknown<br>",
			"excepted: l-one x-", "excepted: l-other x-", "exception withdrawn: l-one x-", "exception withdrawn: l-other x-"},
		"fr": {"2026-01-06 verdict modifié\u00a0: l-one interdit<br>", "2026-01-07 verdict modifié (2×)\u00a0: l-other hors de cause<br>", "(32× en tout)\u00a0: l-other inconnu<br>"},
	} {
		page := html.UnescapeString(export(t, s, ExportOptions{Format: "html", Lang: lang, From: start.Add(-day)}))
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: no %q in %q", lang, w, page[strings.Index(page, `<table class="changes">`):])
			}
		}
	}
	if err := s.Remove(b, "scrap", "bob"); err != nil {
		t.Fatal(err)
	}
	if page := export(t, s, ExportOptions{Format: "html"}); !strings.Contains(page, "encoders (without the removed)</dt><dd>1</dd>") || !strings.Contains(page, `<td class="n">1</td>`) {
		t.Error("the removed is among the cameras")
	}
}

// TestAnEndedExceptionIsNotInForce: without an agent nobody has taken it off yet.
func TestAnEndedExceptionIsNotInForce(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir()})
	a := s.answer("10.0.0.1", macA, policy.Banned)
	for name, left := range map[string]time.Duration{"Ended-Owner": time.Hour, "Standing-Owner": 3 * day} {
		if _, err := s.Except(a, Exception{Policy: "p", Owner: name, Reason: "r", By: "alice", Expires: s.clock.now().Add(left)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, after := range []time.Duration{time.Minute, 2 * day} {
		s.clock.pass(after)
		page := export(t, s, ExportOptions{Format: "html"})
		if strings.Contains(page, "Ended-Owner") != (after == time.Minute) || !strings.Contains(page, "Standing-Owner") {
			t.Errorf("after %s", after)
		}
	}
}

func TestReportHasEveryWordTwice(t *testing.T) {
	var words map[string]map[string]string
	if err := json.Unmarshal(reportWords, &words); err != nil {
		t.Fatal(err)
	}
	for key, w := range words {
		if w["en"] == "" || w["fr"] == "" || len(w) != 2 {
			t.Errorf("%s: %v", key, w)
		}
	}
	for _, e := range EventNames {
		if words[e] == nil && e != "network_lost" && e != "network_back" {
			t.Errorf("no word for event %s", e)
		}
	}
}

func TestDiffSortsChanges(t *testing.T) {
	s := newSite(t, Options{MissingAfter: 1})
	old := s.see("10.0.0.1", macA).Device
	s.camera(old, policy.Banned)
	back := s.see("10.0.0.2", macB).Device
	s.camera(back, policy.Banned)
	if err := s.Remove(back, "scrap", "bob"); err != nil {
		t.Fatal(err)
	}
	s.end(lan)
	s.clock.pass(30 * day)
	from := s.clock.now()
	s.clock.pass(day)
	fresh := s.see("10.0.0.3", macC).Device
	s.camera(fresh, policy.Clear)
	s.see("10.0.0.2", macB)
	s.end(lan)
	s.end(lan)
	s.see("10.0.0.3", macC)
	s.see("10.0.0.2", macB)
	s.clock.pass(day)
	d, err := s.Diff(t.Context(), from, s.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	if len(d.New) != 1 || d.New[0].Device != fresh || len(d.Gone) != 1 || d.Gone[0].Device != old || len(d.Returned) != 1 || d.Returned[0].Device != back || len(d.Changed) != 0 {
		t.Errorf("%+v", d)
	}
}

// TestDiffTellsANewCameraBehindAnOldAddress: what was merely an address turns out
// to be a camera that appeared elsewhere; a camera that was there before does
// not become new by a merge.
func TestDiffTellsANewCameraBehindAnOldAddress(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir()})
	address := s.see("10.9.0.5", "").Device
	s.clock.pass(day)
	old := s.see("10.0.0.1", macA).Device
	s.camera(old, policy.Banned)
	s.clock.pass(day)
	from := s.clock.now()
	for hw, into := range map[string]string{macB: address, macC: old} {
		fresh := s.see("", hw).Device
		s.camera(fresh, policy.Banned)
		if kept, err := s.Merge(into, fresh, "r", "alice"); err != nil || kept != into {
			t.Fatal(kept, err)
		}
	}
	s.clock.pass(day)
	d, err := s.Diff(t.Context(), from, time.Time{})
	if err != nil || len(d.New) != 1 || d.New[0].Device != address || len(d.Changed) != 1 || d.Changed[0].Device != old {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestADeviceThatWasMergedAndForgottenIsCountedOnce: of ids that are no longer kept
// the chain alone tells that they were one, and who made it.
func TestADeviceThatWasMergedAndForgottenIsCountedOnce(t *testing.T) {
	o := Options{Dir: t.TempDir(), MissingAfter: 1, Retention: Retention{Devices: 10 * day}}
	s := newSite(t, o)
	name := func(id string) {
		s.Commit(id, fingerprint.Identity{Manufacturer: "Hikvision", Brand: "LTS", Model: "DS-2CD2143", Firmware: "V5.7", Class: fingerprint.ClassCamera},
			[]policy.Verdict{{Policy: "p", Verdict: policy.Banned}}, s.clock.now())
	}
	old := s.see("10.0.0.1", macA).Device
	name(old)
	s.clock.pass(day)
	from := s.clock.now()
	fresh, other := s.see("10.0.0.2", macB).Device, s.see("10.0.0.3", macC).Device
	name(fresh)
	name(other)
	for _, gone := range []string{other, fresh} { // one by way of the other
		into := map[string]string{other: fresh, fresh: old}[gone]
		if kept, err := s.Merge(into, gone, "r", "alice"); err != nil || kept != into {
			t.Fatal(kept, err)
		}
	}
	apart := s.see("10.0.0.4", "44:19:b6:10:20:04").Device
	name(apart)
	if kept, err := s.Merge(old, apart, "r", "alice"); err != nil || kept != old {
		t.Fatal(kept, err)
	}
	if err := s.Split(apart, "r", "alice"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.end(lan)
		s.clock.pass(8 * day)
	}
	s.end(lan)
	for _, when := range []string{"at once", "after a start"} {
		if s.Len() != 0 {
			t.Fatalf("%s: %d devices are kept", when, s.Len())
		}
		d, err := s.Diff(t.Context(), from, time.Time{})
		if err != nil || len(d.New)+len(d.Returned)+len(d.Changed) != 0 || len(d.Gone) != 2 || d.Gone[0].Device == d.Gone[1].Device {
			t.Fatalf("%s: %+v, %v", when, d, err)
		}
		for _, c := range d.Gone {
			if c.Device != old && c.Device != apart || c.Manufacturer != "Hikvision" || c.Model != "DS-2CD2143" {
				t.Errorf("%s: %+v", when, c)
			}
		}
		s = reopen(t, s, o)
	}
	for text, want := range map[string][2]string{
		"maker unknown (camera)": {}, "maker unknown, X1, firmware 2 (3) (camera)": {"", "X1"}, "Axis (camera)": {"Axis", ""},
		"Foo Co., Ltd., sold as LTS, X1 (camera)": {}, "": {},
	} {
		if maker, model := namedIn(text); maker != want[0] || model != want[1] {
			t.Errorf("%q: %q, %q", text, maker, model)
		}
	}
}

// TestACutDiffIsTheHeadOfTheWhole: the report reads of each list only what it
// prints, merged ids' events included.
func TestACutDiffIsTheHeadOfTheWhole(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir(), MissingAfter: 2})
	var ids []string
	for n := range 12 {
		ids = append(ids, s.see(fmt.Sprintf("10.0.0.%d", n+1), fmt.Sprintf("44:19:b6:00:00:%02x", n)).Device)
		s.camera(ids[n], policy.Clear)
		s.clock.pass(time.Minute)
	}
	s.end(lan)
	from := s.clock.now()
	for n := range 8 {
		s.camera(s.see(fmt.Sprintf("10.0.1.%d", n+1), fmt.Sprintf("44:19:b6:00:01:%02x", n)).Device, policy.Unknown)
		s.clock.pass(time.Minute)
	}
	for n, id := range ids[6:] {
		s.camera(id, policy.Banned)
		s.see(fmt.Sprintf("10.0.2.%d", n+1), fmt.Sprintf("44:19:b6:00:00:%02x", n+6))
	}
	if _, err := s.Merge(ids[8], ids[9], "one recorder", "alice"); err != nil {
		t.Fatal(err)
	}
	s.end(lan)
	s.end(lan)
	s.clock.pass(time.Minute)
	whole, sums, err := s.diff(t.Context(), from, s.clock.now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	cut, again, err := s.diff(t.Context(), from, s.clock.now(), 3)
	if err != nil || again != sums {
		t.Fatalf("sums %+v, cut %+v, %v", sums, again, err)
	}
	for _, l := range []struct {
		name       string
		sum        int
		whole, cut []Change
	}{{"new", sums.New, whole.New, cut.New}, {"gone", sums.Gone, whole.Gone, cut.Gone}, {"returned", sums.Returned, whole.Returned, cut.Returned}, {"changed", sums.Changed, whole.Changed, cut.Changed}} {
		if l.sum != len(l.whole) || !reflect.DeepEqual(l.cut, l.whole[:min(3, len(l.whole))]) {
			t.Errorf("%s: sum %d, whole %+v\ncut %+v", l.name, l.sum, l.whole, l.cut)
		}
	}
	if sums.Gone+sums.New < 8 || sums.Changed < 4 {
		t.Errorf("the history is too plain: %+v", sums)
	}
}

func TestAssetListIsMatched(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	s.camera(a, policy.Banned)
	b := s.see("10.0.0.2", macB).Device
	s.Commit(b, fingerprint.Identity{Manufacturer: "Axis", Serial: "ACCC8E112233", Class: fingerprint.ClassCamera}, nil, s.clock.now())
	c := s.see("10.0.0.3", macC).Device
	s.camera(c, policy.Unknown)
	list := "\ufeffNom;Adresse MAC;Numéro de série;Adresse IP\nHall;4419.B610.2001;;\nQuai;;accc8e112233;\nToit;00-11-22-33-44-55;;10.0.0.99\nPorte;nonsense;;\n"
	m, err := s.Import(strings.NewReader(list))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Both) != 2 || m.Both[0].Device != a || m.Both[0].By != "mac" || m.Both[1].Device != b || m.Both[1].By != "serial" {
		t.Errorf("both: %+v", m.Both)
	}
	if len(m.OnlyThere) != 2 || m.OnlyThere[1].Note == "" || len(m.OnlyHere) != 1 || m.OnlyHere[0].ID != c {
		t.Errorf("only there %+v, only here %+v", m.OnlyThere, m.OnlyHere)
	}
	if _, err := s.Import(strings.NewReader("colour,size\nred,1\n")); err == nil {
		t.Error("a list without any identity was accepted")
	}
}

// TestOddAssetListsAreReadWhole takes one list in the forms in which programs
// write it; each must find both devices.
func TestOddAssetListsAreReadWhole(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	s.camera(a, policy.Banned)
	b := s.see("10.0.0.2", macB).Device
	s.Commit(b, fingerprint.Identity{Manufacturer: "Axis", Serial: "ACCC8E112233", Class: fingerprint.ClassCamera}, nil, s.clock.now())
	const list = "Désignation;Adresse MAC;N° de série;Adresse IP\n\"Entrée\nnord\";4419B6102001;;\n;;;\n\"Quai \"\"B\"\"\";;accc8e112233;10.0.0.2\n"
	utf16le := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(list)) {
		utf16le = append(utf16le, byte(u), byte(u>>8))
	}
	utf16be := slices.Clone(utf16le)
	for n := 0; n < len(utf16be); n += 2 {
		utf16be[n], utf16be[n+1] = utf16be[n+1], utf16be[n]
	}
	windows, err := charmap.Windows1252.NewEncoder().String(list)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"as it is": list, "with a byte order mark": "\ufeff" + list, "for Windows": windows, "line ends of Windows": strings.ReplaceAll(list, "\n", "\r\n"),
		"line ends of old Macs": strings.ReplaceAll(list, "\n", "\r"), "little-endian UTF-16": string(utf16le), "big-endian UTF-16": string(utf16be),
		"with its separator named": "sep=;\r\n" + list, "behind empty lines": "\n;;;\n" + list,
		"with commas": strings.ReplaceAll(list, ";", ","), "with tabs": strings.ReplaceAll(list, ";", "\t"),
	} {
		m, err := s.Import(strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(m.Both) != 2 || m.Both[0].Device != a || m.Both[1].Device != b || len(m.OnlyThere)+len(m.OnlyHere) != 0 ||
			m.Both[0].Name != "Entrée nord" || m.Both[1].Name != `Quai "B"` {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestAssetListsThatCannotBeReadSayWhy(t *testing.T) {
	s := newSite(t, Options{})
	for text, want := range map[string]string{
		"":                                       "the list is empty",
		"colour,size\nred,1\n":                   "line 1: no column for MAC, serial or IP",
		"name\nx\n":                              "must name the columns",
		"mac,name\n44:19:b6:10:20:01,\"open\n\n": "line 2: a cell that begins with a quotation mark",
		"mac,name\nx,24\" screen\n":              "line 2: a quotation mark within a cell",
		"PK\x03\x04":                             "workbook",
		"mac\x00\nx":                             "NUL",
	} {
		if _, err := s.Import(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	m, err := s.Import(strings.NewReader("mac,serial,mac address\nx,1,y,z\n44 19 b6 10 20 01,,\n,,\n,\"  \",'02-00-5e-00-53-01\n"))
	if err != nil || len(m.OnlyThere) != 3 {
		t.Fatalf("%+v, %v", m, err)
	}
	if a := m.OnlyThere[0]; !strings.Contains(a.Note, "4 cells under 3 columns") || !strings.Contains(a.Note, "not a MAC: x; not a MAC: y") {
		t.Errorf("%+v", a)
	}
	if a := m.OnlyThere[1]; a.MAC != "44 19 b6 10 20 01" || a.Note != "" {
		t.Errorf("a MAC in parts: %+v", a)
	}
	if a := m.OnlyThere[2]; a.MAC != "02-00-5e-00-53-01" || a.Note != "" {
		t.Errorf("from the second column: %+v", a)
	}
}

// TestFiveYears simulates a site of 500 cameras over five years: moves,
// outages, replacements, new lists, exceptions.
func TestFiveYears(t *testing.T) {
	o := Options{Dir: t.TempDir(), Site: "ottawa-hq", MissingAfter: 3}
	s := newSite(t, o)
	rng := rand.New(rand.NewPCG(5, 5))
	cameras := 500
	if raced {
		cameras = 100
	}
	macs, where := make([]string, cameras), make([]int, cameras)
	for n := range macs {
		macs[n], where[n] = fmt.Sprintf("44:19:b6:00:%02x:%02x", n>>8, n&255), n
	}
	next := cameras
	step := 4 // days between the cycles that are played
	switch {
	case os.Getenv("CAMCENSUS_FULL") != "":
		step = 1
	case raced:
		step = 28
	}
	for d := 0; d < 5*365; d += step {
		for n := range macs {
			switch rng.IntN(200) {
			case 0:
				where[n] = cameras + rng.IntN(500)
			case 1:
				continue // off today
			case 2:
				if d%28 == 0 {
					macs[n] = fmt.Sprintf("44:19:b6:%02x:%02x:%02x", 1+next>>16, next>>8&255, next&255)
					next++
				}
			}
			verdict := []string{policy.Banned, policy.SuspectedV, policy.Unknown, policy.Clear}[(n+d/400)%4]
			seen := s.see(fmt.Sprintf("10.0.%d.%d", where[n]>>8, where[n]&255), macs[n], ev("http", 80, "server", fmt.Sprintf("App-webs/%d", d/200))...)
			if seen.Changed {
				s.Commit(seen.Device, fingerprint.Identity{Manufacturer: "Hikvision", Brand: []string{"LTS", "Hikvision"}[n%2], Model: fmt.Sprintf("DS-2CD%04d", n), Firmware: fmt.Sprintf("V5.%d", d/200), Class: fingerprint.ClassCamera,
					Reasons: []fingerprint.Reason{{Source: "http", Port: 80, Field: "server", Value: "App-webs/", Rule: "hikvision/app-webs", Supports: "Hikvision", Group: "FIRMWARE", Grade: "strong", Seen: s.clock.now()}}},
					[]policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: verdict, Basis: "named", Verb: "use", Measure: "prohibited"}}, s.clock.now())
			}
		}
		s.end("10.0.0.0/16")
		s.clock.pass(time.Duration(step)*day - 15*time.Minute)
	}
	s.Except(s.Devices()[0].ID, Exception{Policy: "ca-hikvision-2025", Owner: "Facilities", Reason: "Replacement ordered", By: "alice", Expires: s.clock.now().Add(90 * day)})
	s.Annotate(s.Devices()[0].ID, AnnotationPatch{Location: ptr("Lobby, east door"), Owner: ptr("Facilities"), Acquired: ptr("2021-05-04")}, "alice")
	s.Determine(s.Devices()[1].ID, &Determination{Manufacturer: "Axis", Basis: "label", Note: "label photographed"}, "bob")
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	length, _ := s.Chain()
	t.Logf("%d events, %d devices, %d MB", length, s.Len(), s.Health().Bytes>>20)
	began := time.Now()
	if _, err := s.Diff(t.Context(), start, s.clock.now()); err != nil {
		t.Fatal(err)
	}
	report(t, "diff of five years", time.Since(began), 3*time.Second)
	for _, lang := range []string{"en", "fr"} {
		began = time.Now()
		page := export(t, s, ExportOptions{Format: "html", Lang: lang, Report: exampleFacts()})
		report(t, "report of five years, "+lang, time.Since(began), 3*time.Second)
		if dir := os.Getenv("CAMCENSUS_REPORTS"); dir != "" {
			os.WriteFile(filepath.Join(dir, "report-"+lang+".html"), []byte(page), 0o600)
		}
	}
	if v, err := s.Verify(t.Context(), "", 0); err != nil || !v.OK() {
		t.Errorf("%+v %v", v, err)
	}
}

func exampleFacts() ReportFacts {
	return ReportFacts{
		Property: "111 Sussex Drive", Organisation: "Example Department", Contact: "security@example.org", Version: "0.1.0",
		Policies:   []ReportPolicy{{Name: "ca-hikvision-2025", Titles: policy.Words{EN: "Order on Hikvision products", FR: "Décret sur les produits Hikvision"}, Version: "2025-06-27", Issuers: policy.Words{EN: "Government of Canada"}, Verb: "use", Instruments: policy.Words{EN: "example.org/order"}, ReviewedOn: "2026-01-04", NotAssessed: []string{"telecommunications", "services", "components"}}},
		Networks:   []ReportNetwork{{Network: "10.0.0.0/22", Tried: 1022, Answered: 500, Excluded: 4, LastSweep: start, Up: true}, {Network: "10.20.0.0/24", Tried: 254, Unreachable: 254, Reason: "no route"}},
		Sources:    []discovery.Status{{Source: "arp", Interface: "eth0", Up: false, Reason: "needs CAP_NET_RAW: the kernel's neighbour table serves instead"}},
		NotInScope: []discovery.NotInScope{{Network: "172.17.0.0/16", Reason: "container bridge: add to networks"}},
		Notes:      []string{"Cameras behind recorders are seen only where the recorder tells."}, RulesVersion: "1.0.0", RulesDate: "2026-11-20", RegistryVersion: "oui-data 2026-11-01",
		UnassessedChannels: 12, RecordersChannelsUnknown: 1,
	}
}
