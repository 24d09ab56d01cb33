package inventory

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// leavesNoName looks for a text in every file of the store.
func (s *site) leavesNoName(name string) {
	s.t.Helper()
	if err := s.Sync(); err != nil {
		s.t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(s.opt.Dir, "*"))
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte(name)) {
			s.t.Errorf("%s holds %q", filepath.Base(f), name)
		}
	}
}

func TestNamesOfPhonesAreNotKept(t *testing.T) {
	phone := Observation{Time: start, Source: "mdns", IP: ip("10.0.0.7"), MAC: mac("02:11:22:33:44:55"), Hostname: "Annas-iPhone", Evidence: []fingerprint.Evidence{
		{Source: "mdns", Field: "instance", Value: "Annas-iPhone"}, {Source: "mdns", Field: "service", Value: "_companion-link._tcp"},
	}}
	pc := Observation{Time: start, Source: "dhcp", IP: ip("10.0.0.8"), MAC: mac("00:1b:21:33:44:55"), Hostname: "Annas-PC", Evidence: []fingerprint.Evidence{
		{Source: "dhcp", Field: "hostname", Value: "Annas-PC"},
	}}
	camera := Observation{Time: start, Source: "dhcp", IP: ip("10.0.0.9"), MAC: mac(macA), Hostname: "lobby-cam"}
	for mode, want := range map[string]string{"cameras": "lobby-cam", "none": ""} {
		t.Run(mode, func(t *testing.T) {
			s := newSite(t, Options{Dir: t.TempDir(), Hostnames: mode, Retention: DefaultRetention})
			p, c, k := s.Observe(phone).Device, s.Observe(pc).Device, s.Observe(camera).Device
			s.Commit(p, fingerprint.Identity{Class: fingerprint.ClassUnknown}, []policy.Verdict{{Policy: "x", Verdict: policy.Unclassified}}, start)
			s.Commit(c, fingerprint.Identity{Class: fingerprint.ClassOther, Manufacturer: "Intel"}, []policy.Verdict{{Policy: "x", Verdict: policy.OutOfScope}}, start)
			s.Commit(k, fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera, Reasons: []fingerprint.Reason{
				{Source: "dhcp", Field: "hostname", Value: "lobby-cam", Rule: "hikvision/name", Text: "Seen: its name, “lobby-cam”. It is a camera."},
			}}, []policy.Verdict{{Policy: "x", Verdict: policy.Banned}}, start)
			s.end(lan)
			if want == "" {
				s.leavesNoName("lobby-cam")
			}
			for _, id := range []string{p, c} {
				if d := s.device(id); len(d.Hostnames) > 0 {
					t.Errorf("%v", d.Hostnames)
				}
			}
			if d := s.device(k); want != "" && (len(d.Hostnames) != 1 || d.Hostnames[0] != want) {
				t.Errorf("the camera's name: %v", d.Hostnames)
			}
			s.leavesNoName("Annas-")
			s.clock.pass(2 * day)
			s.end(lan)
			if _, ok := s.Device(p); ok {
				t.Error("the phone is kept after a day")
			}
			s.clock.pass(30 * day)
			s.end(lan)
			s.want(1)
			s.leavesNoName("00:1b:21:33:44:55")
		})
	}
}

// TestVerdictsInWordsLeaveNoName: what is said of a PC in words may cite it.
func TestVerdictsInWordsLeaveNoName(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir(), Retention: DefaultRetention})
	id := s.see("10.0.0.8", "00:1b:21:33:44:55", ev("upnp", 80, "friendly_name", "Annas-PC")...).Device
	cam := s.see("10.0.0.9", macA, ev("http", 80, "server", "App-webs/")...).Device
	for _, one := range []struct {
		device  string
		verdict policy.Verdict
		class   fingerprint.Class
	}{
		{id, policy.Verdict{Policy: "x", Verdict: policy.OutOfScope, Text: "Seen: its name, Annas-PC."}, fingerprint.ClassOther},
		{cam, policy.Verdict{Policy: "x", Verdict: policy.Banned, Text: "Seen: its server, App-webs/."}, fingerprint.ClassCamera},
	} {
		s.Commit(one.device, fingerprint.Identity{Class: one.class, Reasons: []fingerprint.Reason{
			{Source: "upnp", Port: 80, Field: "friendly_name", Value: "Annas-PC", Text: "Seen: Annas-PC."},
		}}, []policy.Verdict{one.verdict}, s.clock.now())
	}
	if d := s.device(id); d.Verdicts[0].Text == "" {
		t.Errorf("%+v", d.Verdicts)
	}
	s.leavesNoName("Seen: its name, Annas-PC")
	s = reopen(t, s, Options{Dir: s.opt.Dir})
	if d := s.device(cam); d.Verdicts[0].Text != "Seen: its server, App-webs/." {
		t.Errorf("%+v", d.Verdicts)
	}
	if d := s.device(id); d.Verdicts[0].Text != "" {
		t.Errorf("%+v", d.Verdicts)
	}
}

// A reason whose value is not kept still says what was looked at and what it
// means.
func TestReasonsWithoutNames(t *testing.T) {
	for text, want := range map[string]string{
		"Seen: the title of its web page, “Anna's ”. printer”. It is a printer.": "Seen: the title of its web page (not kept, since it may name a person). It is a printer.",
		"Seen: Annas-PC.": "What was seen is not kept, since it may name a person.",
		"”. Anna, “":      "What was seen is not kept, since it may name a person.",
		"":                "What was seen is not kept, since it may name a person.",
	} {
		if got := unnamed(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestNamesInAnyAnswerAreNotKept: a PC's name stands in many places.
func TestNamesInAnyAnswerAreNotKept(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir(), Retention: DefaultRetention})
	var told []fingerprint.Evidence
	var reasons []fingerprint.Reason
	for _, e := range []fingerprint.Evidence{
		{Source: "http", Port: 80, Field: "upnp.friendly_name"}, {Source: "https", Port: 443, Field: "isapi.device_name"},
		{Source: "http", Port: 80, Field: "isapi.system_contact"}, {Source: "http", Port: 80, Field: "dhip.name"},
		{Source: "http", Port: 80, Field: "wsd.scope.location"}, {Source: "onvif", Port: 80, Field: "hostname"},
		{Source: "http", Port: 80, Field: "json.name"}, {Source: "http", Port: 80, Field: "meta.author"},
		{Source: "wsd", Field: "scope"}, {Source: "wsd", Field: "xaddr"}, {Source: "mdns", Field: "txt.note"}, {Source: "rtsp", Port: 554, Field: "sdp.session"},
	} {
		e.Value = "Annas-PC by " + e.Source + "." + e.Field
		told = append(told, e)
		reasons = append(reasons, fingerprint.Reason{Source: e.Source, Port: e.Port, Field: e.Field, Value: e.Value, Text: "Seen: x, “" + e.Value + "”. It is a PC."})
	}
	told = append(told, fingerprint.Evidence{Source: "mdns", Field: "txt.usb_mfg", Value: "Acme"}, fingerprint.Evidence{Source: "http", Port: 80, Field: "upnp.model", Value: "Roadrunner"})
	id := s.see("10.0.0.8", "00:1b:21:33:44:55", told...).Device
	s.Commit(id, fingerprint.Identity{Class: fingerprint.ClassOther, Reasons: reasons}, []policy.Verdict{{Policy: "x", Verdict: policy.OutOfScope}}, s.clock.now())
	s.leavesNoName("Annas-PC")
	s = reopen(t, s, Options{Dir: s.opt.Dir})
	kept := s.Evidence(id)
	for _, e := range kept {
		if strings.Contains(e.Value, "Annas-") {
			t.Errorf("kept: %+v", e)
		}
	}
	if len(kept) != 2 {
		t.Errorf("what names nobody: %+v", kept)
	}
}

// TestMergedPhonesLeaveNothing: a laptop is first heard by its address alone,
// then by two of its interfaces; what it takes to undo the merge holds no
// name, and goes with the laptop.
func TestMergedPhonesLeaveNothing(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir(), Retention: DefaultRetention, DetailLimit: 10})
	udn := "uuid:4d696e69-444c-164e-9d41-b8ca3a112233"
	s.see("10.0.0.9", "")
	for _, hw := range []string{"02:11:22:33:44:55", "00:1b:21:33:44:55"} {
		s.see("10.0.0.9", hw)
		id := s.Observe(Observation{
			Time: s.clock.now(), Source: "ssdp", IP: ip("10.0.0.9"), MAC: mac(hw), Hostname: "Annas-PC",
			Evidence: []fingerprint.Evidence{{Source: "ssdp", Field: "friendly_name", Value: "Annas-PC"}, {Source: "ssdp", Field: "udn", Value: udn}},
		}).Device
		s.Commit(id, fingerprint.Identity{Class: fingerprint.ClassUnknown}, []policy.Verdict{{Policy: "x", Verdict: policy.Unclassified}}, s.clock.now())
	}
	s.end(lan)
	s.want(1)
	if len(s.alias) == 0 || len(s.undo) == 0 {
		t.Fatal("nothing was merged: the test shows nothing")
	}
	s.leavesNoName("Annas-")
	s.clock.pass(40 * day)
	s.end(lan)
	s.want(0)
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"devices", "evidence", "aliases", "merges", "events", "records"} {
		var n int
		if err := s.store.read.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s holds %d rows, %v", table, n, err)
		}
	}
}

// TestWhatIsForgottenIsOverwritten: no byte of it stays in the file.
func TestWhatIsForgottenIsOverwritten(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir(), Retention: DefaultRetention})
	var traces [][]byte
	for n := range 60 {
		hw := fmt.Sprintf("02:11:22:33:44:%02x", n)
		id := s.see(fmt.Sprintf("10.0.0.%d", n+1), hw, ev("arp", 0, "mac", hw)...).Device
		s.Commit(id, fingerprint.Identity{Class: fingerprint.ClassUnknown}, []policy.Verdict{{Policy: "x", Verdict: policy.Unclassified}}, s.clock.now())
		traces = append(traces, []byte(hw), mac(hw), []byte(id))
	}
	written := func() (found int) {
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.store.write.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(s.store.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, trace := range traces {
			if bytes.Contains(file, trace) {
				found++
			}
		}
		return found
	}
	s.end(lan)
	if n := written(); n < len(traces)/3 {
		t.Fatalf("%d traces of %d are in the file while the hosts are known: the test shows nothing", n, len(traces))
	}
	s.clock.pass(40 * day)
	s.end(lan)
	s.want(0)
	if n := written(); n > 0 {
		t.Errorf("%d traces of %d are in the file", n, len(traces))
	}
}

// TestSpentNotesKeepNoPhone: what a person said of a host keeps it, but no
// longer once it is taken back, and an edit that failed never.
func TestSpentNotesKeepNoPhone(t *testing.T) {
	s := newSite(t, Options{Retention: DefaultRetention})
	var ids []string
	for n := range 4 {
		id := s.see(fmt.Sprintf("10.0.0.%d", n+1), fmt.Sprintf("00:1b:21:33:44:%02x", n)).Device
		s.Commit(id, fingerprint.Identity{Class: fingerprint.ClassUnknown}, []policy.Verdict{{Policy: "x", Verdict: policy.Unclassified}}, s.clock.now())
		ids = append(ids, id)
	}
	if s.Unexcept(ids[0], "x", "alice") == nil || s.Determine(ids[0], nil, "alice") == nil {
		t.Error("nothing was taken back")
	}
	for _, note := range []string{"till", ""} {
		if err := s.Annotate(ids[1], AnnotationPatch{Note: &note}, "alice"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Annotate(ids[2], AnnotationPatch{Note: ptr("till")}, "alice"); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(40 * day)
	s.end(lan)
	s.end(lan)
	s.want(1)
	if _, kept := s.Device(ids[2]); !kept {
		t.Error("a host with a note is gone")
	}
}

// TestFollowsOtherSettings: what a reload changes of the options holds for what
// is known already.
func TestFollowsOtherSettings(t *testing.T) {
	judged := fingerprint.Identity{Class: fingerprint.ClassCamera, Reasons: []fingerprint.Reason{
		{Source: "dhcp", Field: "hostname", Value: "lobby-cam", Rule: "any/name", Text: "Seen: its name, “lobby-cam”. It is a camera."},
	}}
	o := Options{Dir: t.TempDir(), Judge: func(Device, []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict) {
		return judged, []policy.Verdict{{Policy: "x", Verdict: policy.Banned, Text: "Seen: its name, “lobby-cam”."}}
	}}
	s := newSite(t, o)
	id := s.Observe(Observation{Time: start, Source: "dhcp", IP: ip("10.0.0.9"), MAC: mac(macA), Hostname: "lobby-cam",
		Evidence: ev("dhcp", 0, "hostname", "lobby-cam", "vendor_class", "cam")}).Device
	s.Rejudge()
	s = reopen(t, s, o)
	told := func() string {
		d := s.device(id)
		return fmt.Sprint(d.Hostnames, d.Reasons, d.Verdicts, s.values(id))
	}
	if got := told(); strings.Count(got, "lobby-cam") != 5 {
		t.Fatalf("the test shows nothing: %s", got)
	}
	s.Follow(Options{Site: "annex", MissingAfter: 1, Hostnames: "none", Retention: Retention{Devices: 10 * day}})
	s.Rejudge()
	s.end(lan)
	s.end(lan)
	if d := s.device(id); d.State != Missing || d.Site != "annex" {
		t.Errorf("%+v", d)
	}
	s = reopen(t, s, o)
	if got := told(); strings.Contains(got, "lobby-cam") || !strings.Contains(got, "It is a camera.") {
		t.Errorf("%s", got)
	}
	s.Follow(Options{Retention: Retention{Devices: 10 * day}})
	s.clock.pass(11 * day)
	s.end(lan)
	s.end(lan)
	s.want(0)
}
