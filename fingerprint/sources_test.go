package fingerprint

import (
	"regexp"
	"strings"
	"testing"
)

// openable is a source that a reader can open and find the place in: an issue,
// a line, a page, a file at a commit, a numbered public source file, a section
// of the research or a row of its tables.
var openable = regexp.MustCompile(`\b(?:issues?|pull|pulls|lines?|post|thread|row|cases?) (?:[0-9]|0[0-9]-|[A-Z])` +
	`|\bpublic source files? [0-9]{6,}|\b(?:protocols\.md|pitfalls) [A-Z]?[0-9]|\b(?:model_patterns|oem)\.tsv\b` +
	`|/(?:issues|pull)/[0-9]|/[\w.-]+ at [0-9a-f]{8}|\b[a-z0-9-]+\.(?:com|org|net|ua|ca)/\S|\bFAR [0-9]`)

// TestWhatMayAccuseCitesItsPlace: a rule that speaks for a listed maker, and a
// tie of a label to one, names a source that can be opened, or says that it is
// from memory; "published answers" is none.
func TestWhatMayAccuseCitesItsPlace(t *testing.T) {
	sources, err := shippedSources()
	if err != nil {
		t.Fatal(err)
	}
	set, files, err := parse(sources)
	if err != nil {
		t.Fatal(err)
	}
	listed := func(maker string) bool {
		at, known := set.byName[maker]
		return known && set.makers[at].listed
	}
	rules, ties := 0, 0
	for _, f := range files {
		for _, r := range f.Rules {
			if !listed(r.Supports["manufacturer"]) {
				continue
			}
			rules++
			if !openable.MatchString(r.Source) {
				t.Errorf("%s: rule %s cites %q", f.file, r.ID, r.Source)
			}
		}
		for _, b := range f.Brands {
			if !listed(f.Maker) {
				continue
			}
			ties++
			if !strings.HasPrefix(b.Confidence, "memory") && !openable.MatchString(b.Source) {
				t.Errorf("%s: label %s cites %q", f.file, b.Brand, b.Source)
			}
		}
	}
	if rules < 100 || ties < 100 {
		t.Errorf("only %d rules and %d ties were looked at", rules, ties)
	}
}

func TestVagueSourcesAreNoSources(t *testing.T) {
	for _, vague := range []string{"published answers", "captured SSDP answers", "icon lists", "memory", "recog", "the maker's own name", "public code", "nmap-service-probes"} {
		if openable.MatchString(vague) {
			t.Errorf("%q passes for a place that can be opened", vague)
		}
	}
}
