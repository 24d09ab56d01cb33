package inventory

import (
	"errors"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camcensus/internal/policy"
)

// TestNothingIsKnownBeforeTheInventoryBegan: no nought stands for what nobody
// looked at.
func TestNothingIsKnownBeforeTheInventoryBegan(t *testing.T) {
	for name, dir := range map[string]string{"in memory": "", "in a file": t.TempDir()} {
		s := newSite(t, Options{Dir: dir})
		s.clock.pass(time.Hour)
		s.camera(s.see("10.0.0.1", macA).Device, policy.Banned)
		s.clock.pass(90 * day)
		for _, c := range []struct {
			from, to time.Time
			says     map[string]string
			blank    bool
		}{
			{start.AddDate(0, -2, 0), start.AddDate(0, -1, 0), map[string]string{
				"en": "The inventory began on 2026-01-05 08:00 UTC, after this period: nothing is known of it.",
				"fr": "L’inventaire a commencé le 2026-01-05 08:00 UTC, après cette période\u00a0: rien n’en est connu."}, true},
			{start.AddDate(0, -2, 0), start, map[string]string{"en": ", after this period: nothing is known of it."}, true},
			{start.AddDate(0, -2, 0), start.AddDate(0, 1, 0), map[string]string{
				"en": "The inventory began on 2026-01-05 08:00 UTC: nothing is known of the time before.",
				"fr": "L’inventaire a commencé le 2026-01-05 08:00 UTC\u00a0: rien n’est connu de ce qui précède."}, false},
			{start, start.AddDate(0, 1, 0), nil, false},
			{time.Time{}, start.AddDate(0, 1, 0), nil, false},
		} {
			d, err := s.Diff(t.Context(), c.from, c.to)
			if err != nil || d.Blank() != c.blank || len(d.Unknown("en")) == 0 != (c.says == nil) || !d.Began.Equal(start) {
				t.Errorf("%s, %v to %v: %+v, %v", name, c.from, c.to, d, err)
			}
			for _, lang := range []string{"en", "fr"} {
				page := html.UnescapeString(export(t, s, ExportOptions{Format: "html", Lang: lang, From: c.from, To: c.to, Report: exampleFacts()}))
				if !strings.Contains(page, c.says[lang]) || c.says == nil && strings.Contains(page, `class="v-suspected">The inventory began`) {
					t.Errorf("%s: %v to %v: no %q", name, c.from, c.to, c.says[lang])
				}
				// The table of verdicts, and what was covered on another day.
				for _, what := range []string{"<tbody>", Word(lang, "coverage"), Word(lang, "channels"), Word(lang, "flagged"), Word(lang, "as_of_text")} {
					if strings.Contains(page, what) == c.blank {
						t.Errorf("%s: %v to %v: %q", name, c.from, c.to, what)
					}
				}
				if strings.Contains(page, Word(lang, "coverage_as_of")) == c.blank {
					t.Errorf("%s: %v to %v: of which day the coverage is", name, c.from, c.to)
				}
				if !strings.Contains(page, "inventory verify --head") {
					t.Errorf("%s: no proof", name)
				}
			}
		}
		if page := export(t, s, ExportOptions{Format: "html", From: start, Report: exampleFacts()}); strings.Contains(page, Word("en", "coverage_as_of")) {
			t.Errorf("%s: coverage of today, in a period until today", name)
		}
	}
}

// TestAPeriodToComeIsRefused: noughts for it would pass for an all-clear; of one that
// has not ended it is said until when it is told. The period is written in days
// only where it is of whole days.
func TestAPeriodToComeIsRefused(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir()})
	s.camera(s.see("10.0.0.1", macA).Device, policy.Banned)
	s.clock.pass(day)
	now := s.clock.now()
	for _, to := range []time.Time{{}, now.Add(2 * day)} {
		_, err := s.Diff(t.Context(), now.Add(day), to)
		errs := map[string]error{"diff": err}
		for _, format := range []string{"csv", "json", "jsonl", "html"} {
			var b strings.Builder
			if errs[format] = s.Export(t.Context(), &b, ExportOptions{Format: format, From: now.Add(day), To: to}); b.Len() > 0 {
				t.Errorf("%s: %s", format, b.String())
			}
		}
		for what, err := range errs {
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "which is yet to come") {
				t.Errorf("%s to %v: %v", what, to, err)
			}
		}
	}
	const ahead = "The period has not ended: this tells of it until 2026-01-06 08:00 UTC."
	for _, to := range []time.Time{{}, now, now.Add(time.Hour), now.Add(day)} {
		d, err := s.Diff(t.Context(), start, to)
		if err != nil || strings.Join(d.Unknown("en"), "") == ahead != to.After(now) {
			t.Errorf("to %v: %+v, %v", to, d, err)
		}
	}
	midnight := time.Date(2026, 1, 6, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		from, to   time.Time
		lang, want string
	}{
		{midnight, midnight.Add(day), "en", "<dd>2026-01-06 to 2026-01-06</dd>\n<dt>Gap</dt><dd class=\"v-suspected\">" + ahead + "</dd>"},
		{midnight, midnight.Add(day), "fr", "<dd>2026-01-06 au 2026-01-06</dd>\n<dt>Lacune</dt><dd class=\"v-suspected\">La période n’est pas finie\u00a0: ceci en rend compte jusqu’au 2026-01-06 08:00 UTC.</dd>"},
		{midnight.Add(time.Hour), midnight.Add(2 * time.Hour), "en", "<dd>2026-01-06 01:00 UTC to 2026-01-06 02:00 UTC</dd>"},
		{time.Time{}, time.Time{}, "en", "<dd>2026-01-05 08:00 UTC to 2026-01-06 08:00 UTC (since the inventory began)</dd>"},
		{time.Time{}, midnight, "fr", "<dd>2026-01-05 08:00 UTC au 2026-01-05 (depuis le début de l’inventaire)</dd>"},
		{time.Time{}, midnight.AddDate(-1, 0, 0), "en", "<dd>until 2025-01-05</dd>"},
		{time.Time{}, midnight.AddDate(-1, 0, 0), "fr", "<dd>jusqu’au 2025-01-05</dd>"},
	} {
		page := html.UnescapeString(export(t, s, ExportOptions{Format: "html", Lang: c.lang, From: c.from, To: c.to}))
		if !strings.Contains(page, c.want) {
			t.Errorf("%v to %v: no %q", c.from, c.to, c.want)
		}
	}
}

// TestWhatIsInAFileSetAsideIsNotCountedAsNought: comparison and report name the file
// that has the events of a period, or of a part of it, before and after an event
// records it; of a later period nothing is amiss.
func TestWhatIsInAFileSetAsideIsNotCountedAsNought(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := newSite(t, o)
	a := s.answer("10.0.0.1", macA, policy.Banned)
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if aside, err := s.SetAside(t.Context()); aside != nil || err != nil {
		t.Fatalf("%+v, %v", aside, err)
	}
	s.clock.pass(day)
	cut, aside := s.clock.now(), s.damage()
	says := map[string]string{
		"en": "An earlier inventory was set aside as " + aside + ": the events before 2026-01-06 08:00 UTC are there, and not counted here.",
		"fr": "Un inventaire antérieur a été mis de côté sous " + aside + "\u00a0: les événements antérieurs au 2026-01-06 08:00 UTC s’y trouvent et ne sont pas comptés ici.",
	}
	check := func(when string, from, to time.Time, told, counted bool) {
		t.Helper()
		d, err := s.Diff(t.Context(), from, to)
		if err != nil || d.Elsewhere() == counted || (d.SetAside != nil) != told {
			t.Fatalf("%s: %+v, %v", when, d, err)
		}
		for lang, want := range says {
			if got := strings.Join(d.Unknown(lang), "\n"); got == want != told {
				t.Errorf("%s: %q", when, got)
			}
			page := html.UnescapeString(export(t, s, ExportOptions{Format: "html", Lang: lang, From: from, To: to}))
			if strings.Contains(page, `<dd class="v-suspected">`+want) != told || strings.Contains(page, `<p class="v-suspected">`+want) != told {
				t.Errorf("%s, %s: the report says it: %v", when, lang, !told)
			}
			if strings.Contains(page, "<dt>"+Word(lang, "gone")+"</dt>") != counted || strings.Contains(page, Word(lang, "all_new")) {
				t.Errorf("%s, %s: counts %v", when, lang, !counted)
			}
			if !strings.Contains(page, a) {
				t.Errorf("%s, %s: the device itself is lacking", when, lang)
			}
		}
	}
	for _, when := range []string{"before an event", "after an event", "after a start"} {
		s.clock.pass(time.Hour)
		check(when+", since the beginning", time.Time{}, time.Time{}, true, true)
		check(when+", in part", start, time.Time{}, true, true)
		check(when+", a period before", start, cut, true, false)
		s.see("10.0.0.1", macA)
		if when != "before an event" {
			check(when+", a later period", cut, time.Time{}, false, true)
			s = reopen(t, s, o)
			continue
		}
		if err := s.Annotate(a, AnnotationPatch{Note: ptr("n")}, "alice"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, o.Dir, "UPDATE events SET evidence = ''")
	s = newSite(t, o)
	says = map[string]string{
		"en": "The events before 2026-01-06 08:00 UTC are not in this file, and it does not say where they are: they are not counted here.",
		"fr": "Les événements antérieurs au 2026-01-06 08:00 UTC ne sont pas dans ce fichier, qui ne dit pas où ils se trouvent\u00a0: ils ne sont pas comptés ici.",
	}
	s.clock.t.Store(cut.Add(day).UnixNano())
	check("no record of it", start, time.Time{}, true, true)
}

// TestAnEmptiedFileHoldsNothing: what was set aside is empty, and nobody is sent to
// look there.
func TestAnEmptiedFileHoldsNothing(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := newSite(t, o)
	s.answer("10.0.0.1", macA, policy.Banned)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(o.Dir, FileName), 0); err != nil {
		t.Fatal(err)
	}
	s = newSite(t, o)
	name := filepath.Base(s.Health().SetAside)
	s.clock.pass(time.Hour)
	for lang, want := range map[string]string{
		"en": "An earlier inventory was found empty, and set aside as " + name + ": the events before 2026-01-05 08:00 UTC are lost, unless a backup has them",
		"fr": "Un inventaire antérieur a été trouvé vide et mis de côté sous " + name + "\u00a0: les événements antérieurs au 2026-01-05 08:00 UTC sont perdus",
	} {
		d, err := s.Diff(t.Context(), start.Add(-day), time.Time{})
		if err != nil || !strings.HasPrefix(strings.Join(d.Unknown(lang), ""), want) {
			t.Errorf("%+v, %v", d, err)
		}
	}
	for en, fr := range map[string]string{
		s.Health().Problem: "le fichier d’un inventaire a été trouvé vide",
		"a corrupt inventory was set aside as /x: its history is there only; the evidence of 7 devices is lost: their verdicts stand until new evidence contradicts them": "; les preuves de 7 appareils sont perdues",
	} {
		if got := Phrase("fr", en); !strings.Contains(got, fr) {
			t.Errorf("%q: %q", en, got)
		}
	}
}

// TestTheReportSaysThatEvidenceWasLost, in its own words, not in the list's.
func TestTheReportSaysThatEvidenceWasLost(t *testing.T) {
	lists, err := policy.Load(policy.Shipped(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	s.camera(a, policy.Banned)
	e := s.devices[a]
	text := e.standing(e.verdicts)[0].Text
	o := policy.Verdict{Policy: lists[0].Name, Verdict: policy.Banned, Text: text}
	v := reportView{Lang: "fr", words: wordsOnce(), ReportFacts: ReportFacts{Policies: []ReportPolicy{{Name: o.Policy, Text: lists[0].Text}}}}
	if got := v.meaning(&Device{}, o); !strings.HasPrefix(got, "Les preuves de ce constat ont été perdues") {
		t.Error(got)
	}
}

// TestANewFileKnowsWhatTheOldOneSaw: where a file was begun anew from memory, the
// time before is known.
func TestANewFileKnowsWhatTheOldOneSaw(t *testing.T) {
	s := newSite(t, Options{})
	s.camera(s.see("10.0.0.1", macA).Device, policy.Banned)
	s.mu.Lock()
	s.created = start.AddDate(0, 6, 0)
	s.mu.Unlock()
	s.clock.pass(400 * day)
	d, err := s.Diff(t.Context(), start, time.Time{})
	if err != nil || !d.Began.Equal(start) || len(d.New) != 1 {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestANewDeviceThatReturnedIsToldOf: it stands under new, and the report says
// that it does.
func TestANewDeviceThatReturnedIsToldOf(t *testing.T) {
	s := newSite(t, Options{})
	s.camera(s.see("10.0.0.2", macB).Device, policy.Clear)
	a := s.see("10.0.0.1", macA).Device
	s.camera(a, policy.Banned)
	s.clock.pass(day)
	if err := s.Remove(a, "scrap", "bob"); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(day)
	s.see("10.0.0.1", macA)
	s.clock.pass(day)
	d, err := s.Diff(t.Context(), start.Add(-day), time.Time{})
	if err != nil || len(d.New) != 2 || len(d.Returned) != 0 || d.NewReturned != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	for lang, want := range map[string][]string{
		"en": {"<p>Of the new, so many were away in the period and returned: 1. Each device stands in one list only.</p>", "<br>2026-01-07 returned<br>"},
		"fr": {"<p>Parmi les nouveaux, absents puis revenus durant la période\u00a0: 1. Chaque appareil ne figure que dans une liste.</p>", "<br>2026-01-07 revenu<br>"},
	} {
		page := html.UnescapeString(export(t, s, ExportOptions{Format: "html", Lang: lang, From: start.Add(-day)}))
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: no %q", lang, w)
			}
		}
	}
	if d, err = s.Diff(t.Context(), start.Add(day+time.Hour), time.Time{}); err != nil || len(d.Returned) != 1 || d.Also("en") != "" {
		t.Errorf("%+v, %v", d, err)
	}
}
