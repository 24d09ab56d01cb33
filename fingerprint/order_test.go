package fingerprint_test

import (
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"

	"camcensus/fingerprint"
)

// TestTheOrderOfEvidenceDoesNotMatter shuffles what each device of the judging
// set said, all of it heard twice: once by multicast, once in answer to a
// question put to the host alone.
func TestTheOrderOfEvidenceDoesNotMatter(t *testing.T) {
	rules := shippedRules(t)
	dice := rand.New(rand.NewPCG(1, 2))
	for _, c := range readCases(t, filepath.Join("testdata", "judging.jsonl")) {
		ev := evidenceOf(c.Records)
		for i := range ev {
			ev[i].Solicited = true
		}
		for _, e := range ev {
			e.Solicited = false
			ev = append(ev, e)
		}
		want := verdictOn(rules.Identify(ev))
		for range 4 {
			dice.Shuffle(len(ev), func(i, j int) { ev[i], ev[j] = ev[j], ev[i] })
			if got := verdictOn(rules.Identify(ev)); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: in one order %+v, in another %+v", c.Case, want, got)
				break
			}
		}
	}
}

// verdictOn is what verdicts rest on.
func verdictOn(id fingerprint.Identity) any {
	type candidate struct {
		maker    string
		standing fingerprint.Standing
		groups   map[fingerprint.Group]fingerprint.Grade
	}
	all := map[string]candidate{}
	for _, c := range id.Candidates {
		all[c.Maker] = candidate{c.Maker, c.Standing, c.Groups}
	}
	return []any{id.Manufacturer, id.Class, id.Certainty, all}
}
