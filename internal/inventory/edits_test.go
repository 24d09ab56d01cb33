package inventory

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

func (s *site) lastEvent(id, event string) Event {
	s.t.Helper()
	list, _, err := s.Events(s.t.Context(), EventQuery{Device: id, Event: event, Limit: 1})
	if err != nil || len(list) != 1 {
		s.t.Fatalf("%v %v", list, err)
	}
	return list[0]
}

// TestEveryAnnotationIsInTheChain: an event tells the fields that changed, and of
// a text that is too long for it a digest.
func TestEveryAnnotationIsInTheChain(t *testing.T) {
	long, other := strings.Repeat("é", 1100), strings.Repeat("é", 1099)+"e"
	digest := func(s string) string {
		return fmt.Sprintf("… (%d bytes, sha256:%x)", len(s), sha256.Sum256([]byte(s)))
	}
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	for n, c := range []struct {
		patch    AnnotationPatch
		from, to string // how they end
	}{
		{AnnotationPatch{Location: &long}, "", digest(long)},
		{AnnotationPatch{Owner: ptr("alice")}, "", "owner=alice"},
		{AnnotationPatch{Owner: ptr("bob")}, "owner=alice", "owner=bob"},
		{AnnotationPatch{Location: &other}, digest(long), digest(other)},
		{AnnotationPatch{Acquired: ptr("2022-05-01"), Note: ptr("n")}, "", "acquired=2022-05-01; note=n"},
		{AnnotationPatch{Note: ptr("")}, "note=n", ""},
		{AnnotationPatch{Location: ptr("Door 2"), Owner: &long, Note: &other}, "; owner=bob", digest(other)},
	} {
		if err := s.Annotate(a, c.patch, "carol"); err != nil {
			t.Fatal(err)
		}
		e := s.lastEvent(a, "annotated")
		if !strings.HasSuffix(e.From, c.from) || !strings.HasSuffix(e.To, c.to) || (e.From == "") != (c.from == "") || (e.To == "") != (c.to == "") ||
			len(e.From) > maxEventText || len(e.To) > maxEventText {
			t.Errorf("%d: from %q to %q", n, e.From, e.To)
		}
	}
	if err := s.Annotate(a, AnnotationPatch{Note: &other}, "carol"); err != nil || len(s.told(a)) != 7 {
		t.Errorf("nothing changed: %v %v", s.told(a), err)
	}
}

func TestEveryReasonIsInTheChain(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	seen := map[string]bool{}
	for _, owner := range []string{"o", strings.Repeat("o", 5000), strings.Repeat("o", 4999) + "p"} {
		for _, reason := range []string{"r", strings.Repeat("r", 5000), strings.Repeat("r", 4999) + "s"} {
			if _, err := s.Except(a, Exception{Policy: "ca-hikvision-2025", Owner: owner, Reason: reason, By: "alice", Expires: s.clock.now().Add(day)}); err != nil {
				t.Fatal(err)
			}
			e := s.lastEvent(a, "excepted")
			if seen[e.Evidence] || len(e.Evidence) > maxEventText {
				t.Errorf("%q", e.Evidence)
			}
			seen[e.Evidence] = true
		}
	}
	long := strings.Repeat("x", 5000)
	if err := s.Remove(a, long, "alice"); err != nil {
		t.Fatal(err)
	}
	if e := s.lastEvent(a, "removed"); !strings.Contains(e.Evidence, "(5000 bytes, sha256:") {
		t.Errorf("%q", e.Evidence)
	}
	huge := strings.Repeat("x", maxWords+1)
	_, excepted := s.Except(a, Exception{Policy: "p", Owner: "o", Reason: huge, By: "alice", Expires: s.clock.now().Add(day)})
	for what, err := range map[string]error{
		"reason": excepted, "location": s.Annotate(a, AnnotationPatch{Location: &huge}, "alice"),
		"note": s.Determine(a, &Determination{Manufacturer: "Axis", Basis: "label", Note: huge}, "alice"),
	} {
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), what+" is 8193 bytes long: needs at most 8192") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if d := s.device(a); d.Annotations.Location != "" || d.Determination != nil {
		t.Errorf("%+v", d)
	}
}

// TestAVerdictAfterADeterminationRestsOnIt: not on the signs that it overrules.
func TestAVerdictAfterADeterminationRestsOnIt(t *testing.T) {
	verdict := policy.Banned
	s := newSite(t, Options{Dir: t.TempDir(), Judge: func(d Device, ev []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict) {
		id := fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera}
		for _, e := range ev {
			id.Reasons = append(id.Reasons, fingerprint.Reason{Source: e.Source, Port: e.Port, Field: e.Field, Value: e.Value, Rule: "hikvision/issuer"})
		}
		got := verdict
		if d.Determination != nil && d.Determination.Manufacturer == "Axis" && got == policy.Banned {
			got = policy.Clear
		}
		return id, []policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: got}}
	}})
	a := s.see("10.0.0.1", macA, ev("tls", 443, "issuer.cn", "www.hikvision.com")...).Device
	s.Rejudge()
	const signs = "tls:443 issuer.cn=www.hikvision.com [hikvision/issuer]"
	for _, step := range []struct {
		d        *Determination
		by       string
		to       string
		evidence string // of the event before the verdict's
	}{
		{&Determination{Manufacturer: "Axis", Basis: "label", Note: "plate"}, "alice", "clear", "as event %d: determined by alice: Axis (label)"},
		{nil, "bob", "banned", "as event %d: determination taken back by bob; " + signs},
	} {
		if err := s.Determine(a, step.d, step.by); err != nil {
			t.Fatal(err)
		}
		e, d := s.lastEvent(a, "verdict_changed"), s.lastEvent(a, "determined")
		if e.By != step.by || e.To != "ca-hikvision-2025 "+step.to || e.Evidence != fmt.Sprintf(step.evidence, d.Seq) || d.Seq+1 != e.Seq {
			t.Errorf("%+v after %+v", e, d)
		}
	}
	// What another list says later, beside a finding that stands, nobody decided.
	if err := s.Determine(a, &Determination{Manufacturer: "Hikvision", Basis: "inspection", Date: start}, "alice"); err != nil {
		t.Fatal(err)
	}
	verdict = policy.SuspectedV
	s.Rejudge()
	if e := s.lastEvent(a, "verdict_changed"); e.By != "" || e.Evidence != "determined by alice on "+start.Format("2006-01-02")+": Hikvision (inspection); "+signs {
		t.Errorf("%+v", e)
	}
}

// TestADeterminedMakerIsShownAndNotStored: everywhere a device is shown its maker is
// the determined one, while what the signs say stays beside it, is what is stored,
// and joins devices by their serials.
func TestADeterminedMakerIsShownAndNotStored(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := newSite(t, o)
	serial := ev("onvif", 80, "serial", "CAM2026000123")
	a := s.see("10.0.0.1", macA, serial...).Device
	claim := func(id string) {
		s.Commit(id, fingerprint.Identity{Manufacturer: "Xiongmai", Serial: "CAM2026000123", Class: fingerprint.ClassRecorder},
			[]policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: policy.Clear}}, s.clock.now())
	}
	claim(a)
	shows := func(maker, signs string) {
		t.Helper()
		plain, _ := s.Plain(a)
		for _, d := range []Device{plain, s.device(a), s.Devices()[0]} {
			if d.Manufacturer != maker || d.BySigns != signs || d.MakerBySigns() != "Xiongmai" {
				t.Errorf("made by %q, by the signs %q (%q); want %q, %q", d.Manufacturer, d.BySigns, d.MakerBySigns(), maker, signs)
			}
		}
		s.EachBrief(func(d *Device) bool {
			if d.Manufacturer != maker || d.BySigns != signs {
				t.Errorf("in brief made by %q, by the signs %q", d.Manufacturer, d.BySigns)
			}
			return true
		})
		if text := export(t, s, ExportOptions{Format: "csv", To: s.clock.now().Add(day)}); !strings.Contains(text, ","+maker+",") {
			t.Errorf("CSV without %s: %s", maker, text)
		}
	}
	shows("Xiongmai", "")
	if err := s.Determine(a, &Determination{Manufacturer: "Hikvision", Basis: "inspection"}, "alice"); err != nil {
		t.Fatal(err)
	}
	shows("Hikvision", "Xiongmai")
	if diff, err := s.Diff(t.Context(), start, s.clock.now().Add(day)); err != nil || len(diff.New) != 1 || diff.New[0].Manufacturer != "Hikvision" {
		t.Errorf("%+v %v", diff, err)
	}
	s = reopen(t, s, o)
	shows("Hikvision", "Xiongmai")
	if v := s.verified("", 0); len(v.Faults) != 0 {
		t.Errorf("%v", v.Faults)
	}
	// Another interface of the recorder, of which the signs say the same.
	b := s.see("10.0.0.2", "", ev("http", 80, "server", "x")...).Device
	claim(b)
	if s.want(1); s.device(b).ID != a {
		t.Error("what has maker and serial by the signs is not joined")
	}
	if err := s.Determine(a, nil, "alice"); err != nil {
		t.Fatal(err)
	}
	shows("Xiongmai", "")
}

// TestADeterminationKeepsNobodyFromBeingJudged: signs that name no maker lose nothing
// beside a finding that names one.
func TestADeterminationKeepsNobodyFromBeingJudged(t *testing.T) {
	verdict := policy.Unclassified
	s := newSite(t, Options{Judge: func(Device, []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict) {
		return fingerprint.Identity{Class: fingerprint.ClassUnknown}, []policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: verdict}}
	}})
	a := s.see("10.0.0.1", macA).Device
	s.Rejudge()
	if err := s.Determine(a, &Determination{Manufacturer: "Axis", Basis: "label"}, "alice"); err != nil {
		t.Fatal(err)
	}
	verdict = policy.Clear
	s.Rejudge()
	if d := s.device(a); d.Verdicts[0].Verdict != policy.Clear {
		t.Errorf("%+v", d.Verdicts)
	}
}

// TestADayToComeIsRefused as a day of purchase and as one of a finding, since both
// decide.
func TestADayToComeIsRefused(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	now := s.clock.now()
	for _, c := range []struct {
		day     time.Time
		refused bool
	}{{now, false}, {now.AddDate(-3, 0, 0), false}, {now.AddDate(0, 0, 2), true}, {now.AddDate(70, 0, 0), true}} {
		day := c.day.Format(time.DateOnly)
		if err := s.Annotate(a, AnnotationPatch{Acquired: &day}, "alice"); errors.Is(err, ErrInvalid) != c.refused || !c.refused && err != nil {
			t.Errorf("acquired on %s: %v", day, err)
		}
		if err := s.Determine(a, &Determination{Manufacturer: "Axis", Basis: "label", Date: c.day}, "alice"); errors.Is(err, ErrInvalid) != c.refused || !c.refused && err != nil {
			t.Errorf("found on %s: %v", day, err)
		}
	}
	if d := s.device(a); d.Annotations.Acquired != now.AddDate(-3, 0, 0).Format(time.DateOnly) {
		t.Errorf("%+v", d.Annotations)
	}
	if empty := ""; s.Annotate(a, AnnotationPatch{Acquired: &empty}, "alice") != nil {
		t.Error("the day cannot be taken back")
	}
}
