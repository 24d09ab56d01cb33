package fingerprint_test

import (
	"path/filepath"
	"strings"
	"testing"

	"camcensus/fingerprint"
)

// tally counts what came out right.
type tally struct{ right, all int }

func (t *tally) add(right bool) {
	t.all++
	if right {
		t.right++
	}
}

func (t tally) least(test *testing.T, what string, percent int) {
	test.Helper()
	test.Logf("%s: %d of %d", what, t.right, t.all)
	if t.right*100 < t.all*percent {
		test.Errorf("%s: %d of %d, fewer than %d %%", what, t.right, t.all, percent)
	}
}

// rightMaker tells whether the maker found is the one expected, or an
// affiliate of it.
func rightMaker(found, expected string) bool {
	switch found {
	case "EZVIZ", "Prama":
		found = "Hikvision"
	case "Imou":
		found = "Dahua"
	case "Ring":
		found = "Amazon"
	case "Speco Technologies":
		found = "Speco"
	}
	return sameMaker(found, expected)
}

// classOf is the corpus' word for a class in our own.
func classOf(word string) string {
	switch word {
	case "dvr", "nvr":
		return "recorder"
	case "router":
		return "network"
	case "printer", "pc", "nas":
		return "other"
	}
	return word
}

// TestJudging holds the rules against a second set of published habits, from
// other devices than the corpus', written down before the rules were widened
// for them: testdata/judging.jsonl, of the corpus' form, with the source of
// each habit in basis.
func TestJudging(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	var strong, medium, innocent, class tally
	for _, c := range readCases(t, filepath.Join("testdata", "judging.jsonl")) {
		id := rules.Identify(evidenceOf(c.Records))
		accused := flagged(ps, id)
		maker, other := strings.CutPrefix(c.Expect, "other:")
		right := rightMaker(id.Manufacturer, maker)
		switch {
		case c.innocent() && accused:
			t.Errorf("%s: %s is accused: %+v", c.Case, c.Expect, id.Candidates)
		case !other && c.Expect != "unknown" && id.Manufacturer != "" && !right:
			t.Errorf("%s: %s is called %q", c.Case, c.Expect, id.Manufacturer)
		}
		switch {
		case other:
			innocent.add(right)
		case c.Strength == "strong":
			strong.add(right)
		case c.Strength == "medium":
			medium.add(right || accused)
		}
		if (other && !right || c.Strength == "strong" && !right) && testing.Verbose() {
			t.Logf("%s: named %q, is %s", c.Case, id.Manufacturer, c.Expect)
		}
		if c.Class != "" && c.Records[0].Kind != "favicon" {
			class.add(id.Class == fingerprint.Class(classOf(c.Class)))
		}
	}
	strong.least(t, "strong evidence that names a listed maker", 95)
	medium.least(t, "medium evidence that at least suspects", 85)
	innocent.least(t, "innocent makers named", 60)
	class.least(t, "classes right", 80)
}
