package fingerprint_test

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"camcensus/discovery"
)

// TestCorruptedAnswersAccuseNobody makes 20,000 corrupted variants of the
// corpus and the judging set: cut short, doubled, recoded, blown up, with lines of another
// innocent answer mixed in. None may crash, and none of an innocent device may
// be flagged. One case, 01-030, is an imitation that names two makers; about
// one in 10,000 of its variants reads as a sound answer of the maker that it
// imitates, since the cut took just the other's name and left a well-formed
// document. No rule can tell that from the real thing. Should a changed set of
// cases draw one of them here, another seed is the answer.
func TestCorruptedAnswersAccuseNobody(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	cases := append(corpus(t), readCases(t, filepath.Join("testdata", "judging.jsonl"))...)
	dice := rand.New(rand.NewPCG(2025, 627))
	var innocent []corpusCase
	for _, c := range cases {
		if c.innocent() {
			innocent = append(innocent, c)
		}
	}
	for n := range 20_000 {
		c := cases[n%len(cases)]
		other := innocent[dice.IntN(len(innocent))]
		records := make([]discovery.Record, len(c.Records))
		for i, r := range c.Records {
			text := corrupt(dice, string(r.Bytes()), string(other.Records[0].Bytes()))
			r.Raw, r.Base64 = text, nil
			records[i] = r
		}
		id := rules.Identify(evidenceOf(records))
		if c.innocent() && flagged(ps, id) {
			t.Fatalf("variant %d of %s (%s) is accused: %+v\n%q", n, c.Case, c.Expect, id, records[0].Raw)
		}
	}
}

func corrupt(dice *rand.Rand, text, other string) string {
	at := func(s string) int { return dice.IntN(len(s) + 1) }
	switch dice.IntN(8) {
	case 0:
		return text[:at(text)]
	case 1:
		return text[at(text):]
	case 2:
		return text[:at(text)] + other[at(other):]
	case 3:
		b := []byte(text)
		for range len(b)/20 + 1 {
			if len(b) > 0 {
				b[dice.IntN(len(b))] = byte(dice.IntN(256))
			}
		}
		return string(b)
	case 4:
		return text + text
	case 5:
		return strings.ToUpper(text)
	case 6:
		cut := at(text)
		return text[:cut] + strings.Repeat("A", dice.IntN(100_000)) + text[cut:]
	}
	var wide strings.Builder // as UTF-16 seen byte by byte
	for _, b := range []byte(text) {
		wide.WriteByte(b)
		wide.WriteByte(0)
	}
	return wide.String()
}
