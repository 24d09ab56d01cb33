package fingerprint_test

import (
	"path/filepath"
	"strings"
	"testing"

	"camcensus/fingerprint"
)

// TestInnocents holds the rules against published habits of devices that no
// list names, and against answers that only look like a listed maker's:
// testdata/innocents.jsonl, of the corpus' form, with the source of each habit
// in basis. None is accused; network equipment of Huawei and ZTE is named at
// most.
func TestInnocents(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	var named, class tally
	for _, c := range readCases(t, filepath.Join("testdata", "innocents.jsonl")) {
		id := rules.Identify(evidenceOf(c.Records))
		if flagged(ps, id) {
			t.Errorf("%s: %s is accused: %+v", c.Case, c.Expect, id.Candidates)
		}
		if maker, other := strings.CutPrefix(c.Expect, "other:"); other {
			right := rightMaker(id.Manufacturer, maker)
			named.add(right)
			if !right {
				t.Logf("%s: named %q, is %s", c.Case, id.Manufacturer, maker)
			}
		}
		if c.Class != "" {
			right := id.Class == fingerprint.Class(c.Class)
			class.add(right)
			if !right {
				t.Logf("%s: %s, is %s", c.Case, id.Class, c.Class)
			}
		}
	}
	named.least(t, "innocent makers named", 95)
	class.least(t, "classes right", 95)
}
