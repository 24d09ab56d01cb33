package inventory

import (
	"html"
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
			if err != nil || d.Blank() != c.blank || d.Unknown("en") == "" != (c.says == nil) || !d.Began.Equal(start) {
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
