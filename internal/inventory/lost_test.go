package inventory

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// bySigns judges as the rules do: an address suggests, an answer tells.
func bySigns(_ Device, ev []fingerprint.Evidence) (id fingerprint.Identity, verdicts []policy.Verdict) {
	id.Class = fingerprint.ClassUnknown
	verdict := policy.Unclassified
	for _, e := range ev {
		r := fingerprint.Reason{Source: e.Source, Port: e.Port, Field: e.Field, Value: e.Value, Rule: "r", Group: fingerprint.GroupNative, Grade: fingerprint.Strong, Seen: e.Seen}
		switch {
		case e.Field == "mac" && id.Manufacturer == "":
			r.Group, r.Grade = fingerprint.GroupAddress, fingerprint.Weak
			id.Class, verdict = fingerprint.ClassCamera, policy.SuspectedV
		case e.Field == "scope.name":
			r.Group = fingerprint.GroupTyped
			id.Manufacturer, id.Class, verdict = e.Value, fingerprint.ClassCamera, policy.Unknown
		case e.Value == "App-webs/":
			id.Manufacturer, id.Brand, id.Class, verdict = "Hikvision", "Annke", fingerprint.ClassCamera, policy.Banned
		case e.Field == "model":
			id.Model = e.Value
		case e.Value == "Axis":
			id.Manufacturer, id.Class, verdict = "Axis", fingerprint.ClassCamera, policy.Clear
		default:
			continue
		}
		if r.Group == fingerprint.GroupNative {
			r.Supports = id.Manufacturer
		}
		id.Reasons = append(id.Reasons, r)
	}
	return id, []policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: verdict, Text: "words"}}
}

// TestNoVerdictFallsBySilenceWhereItsEvidenceIsLost: neither a hardware address
// nor an answer that tells less takes anything from a device of which the
// evidence was lost, in whatever way; what contradicts it does.
func TestNoVerdictFallsBySilenceWhereItsEvidenceIsLost(t *testing.T) {
	for name, damage := range map[string]string{
		"checksums": "UPDATE evidence SET form = zeroblob(length(form))", "rows": "DELETE FROM evidence", "file": "DELETE FROM evidence",
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Dir: t.TempDir(), Judge: bySigns}
			s := newSite(t, o)
			var ids []string
			for n, m := range []string{macA, macB} {
				at := fmt.Sprintf("10.0.0.%d", n+1)
				s.see(at, m, ev("http", 80, "server", "App-webs/")...)
				ids = append(ids, s.see(at, m, ev("isapi", 80, "model", "DS-2")...).Device)
			}
			other := s.see("10.0.0.3", macC).Device // nothing was known of it
			s.Rejudge()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			tamper(t, o.Dir, damage)
			s = reopen(t, s, o)
			s.AwaitCheck(t.Context())
			if name == "file" {
				s.damage()
			}
			show := func(id string) string {
				d := s.device(id)
				return strings.Join([]string{d.Manufacturer, d.Model, string(d.Class), d.Verdicts[0].Verdict}, " ")
			}
			stands := func(when string) {
				t.Helper()
				for _, id := range ids {
					if got := show(id); got != "Hikvision DS-2 camera banned" {
						t.Errorf("%s: %s", when, got)
					}
				}
				if text := s.device(ids[0]).Verdicts[0].Text; when != "damaged" && !strings.Contains(text, "was lost") {
					t.Errorf("%s: %q", when, text)
				}
			}
			if h := s.Health(); h.Errors == 0 || !strings.Contains(h.Problem, "the evidence of 2 devices is lost") {
				t.Errorf("%+v", h)
			}
			stands("damaged")
			s.Rejudge()
			stands("nothing is heard")
			for n, m := range []string{macA, macB} {
				at := fmt.Sprintf("10.0.0.%d", n+1)
				s.see(at, m, ev("neighbor", 0, "mac", m)...)
				s.Rejudge()
				stands("an address")
				brand := []string{"Annke", "Axis cameras"}[n]
				s.see(at, m, ev("wsd", 3702, "scope.name", brand)...)
				s.Rejudge()
				stands("a name that a person typed")
				s.see(at, m, ev("http", 80, "server", "App-webs/")...)
				s.Rejudge()
				stands("an answer without the model")
			}
			v := s.verified("", 0)
			if strings.Join(v.Lost, " ") != strings.Join(sortedIDs(ids), " ") {
				t.Errorf("lost: %v, not %v: %+v", v.Lost, ids, v)
			}
			s = reopen(t, s, o)
			s.Rejudge()
			stands("after a restart")
			s.see("10.0.0.1", macA, ev("isapi", 80, "model", "DS-2")...)
			s.see("10.0.0.2", macB, ev("http", 80, "server", "Axis")...)
			s.clock.pass(time.Minute)
			s.Rejudge()
			if got := show(ids[0]); got != "Hikvision DS-2 camera banned" || s.device(ids[0]).Verdicts[0].Text != "words" {
				t.Errorf("known again: %s", got)
			}
			if got := show(ids[1]); got != "Axis  camera clear" {
				t.Errorf("contradicted: %s", got)
			}
			if got := show(other); got != "  unknown unclassified" {
				t.Errorf("of which nothing was known: %s", got)
			}
			if v := s.verified("", 0); len(v.Lost) != 0 {
				t.Errorf("settled: %v", v.Lost)
			}
		})
	}
}

func sortedIDs(ids []string) []string {
	if ids[0] > ids[1] {
		return []string{ids[1], ids[0]}
	}
	return ids
}

// TestEvidenceThatCannotBeReadNowIsNotLost: the disk may come back.
func TestEvidenceThatCannotBeReadNowIsNotLost(t *testing.T) {
	o := Options{Dir: t.TempDir(), Judge: bySigns}
	s := newSite(t, o)
	a := s.see("10.0.0.1", macA, ev("http", 80, "server", "App-webs/")...).Device
	s.Rejudge()
	s = reopen(t, s, o)
	s.AwaitCheck(t.Context())
	s.mu.Lock()
	if err := s.store.prepare(); err != nil {
		t.Fatal(err)
	}
	s.store.evidence.Close()
	s.mu.Unlock()
	s.Rejudge()
	if d := s.device(a); d.Verdicts[0].Verdict != policy.Banned || s.Health().Errors == 0 {
		t.Errorf("%+v %+v", d, s.Health())
	}
	s = reopen(t, s, o)
	if v := s.verified("", 0); len(v.Lost) > 0 || s.values(a) != "App-webs/" {
		t.Errorf("%+v %s", v, s.values(a))
	}
}
