package fingerprint

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

// What the automaton finds is what a search for each literal by itself finds.
func TestAutomatonFindsWhatASearchFinds(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	word := func(most int) string {
		b := make([]byte, 1+random.Intn(most))
		for i := range b {
			b[i] = "abcAB-"[random.Intn(6)]
		}
		return string(b)
	}
	for range 300 {
		var literals []string
		for range 1 + random.Intn(12) {
			if l := strings.ToLower(word(5)); !slices.Contains(literals, l) {
				literals = append(literals, l)
			}
		}
		a, taken := newAutomaton(literals)
		if taken != len(literals) || len(a.next) != a.width*statesOf(literals) {
			t.Fatalf("%q: %d taken, %d states, want %d", literals, taken, len(a.next)/a.width, statesOf(literals))
		}
		text := word(40) + "." + word(40)
		at := 0
		for j := range len(text) {
			at = int(a.next[at*a.width+int(a.class[text[j]])])
			var got, want []int32
			if at >= a.first {
				got = slices.Sorted(slices.Values(a.found[at-a.first]))
			}
			for id, l := range literals {
				if strings.HasSuffix(strings.ToLower(text[:j+1]), l) {
					want = append(want, int32(id))
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%q in %q at %d: found %v, want %v", literals, text, j, got, want)
			}
		}
	}
}

// A set with more texts on one field than there are states for: what the
// automaton has no room for is tried all the same, once a value.
func TestMoreTextsThanTheAutomatonHolds(t *testing.T) {
	var text strings.Builder
	text.WriteString("maker: Invented\nmakes: cameras\nrules:\n")
	rule := func(id, pattern string) {
		fmt.Fprintf(&text, "  - id: %s\n    match: [{field: http.generator, pattern: '%s'}]\n", id, pattern)
		text.WriteString("    grade: weak\n    group: FIRMWARE\n    means: m\n    source: s\n    date: 2026-11-22\n    examples: [x]\n")
	}
	const rules = 1200
	for i := range rules {
		// No two begin alike, so that each takes as many states as it has bytes.
		rule(fmt.Sprint("r", i), fmt.Sprintf("^%05d%s$", i*7919%99991, strings.Repeat("x", 55)))
	}
	rule("two", "two words|another two")
	set, err := load(nil, []source{{"invented.yml", []byte(text.String())}})
	if err != nil {
		t.Fatal(err)
	}
	if f := set.index.kinds["http"]["generator"]; len(f.always) == 0 {
		t.Fatal("all texts found room: the test tests nothing")
	}
	fired := func(value string) (ids []string) {
		for _, r := range set.Identify([]Evidence{{Source: "http", Field: "generator", Value: value}}).Reasons {
			ids = append(ids, r.Rule)
		}
		return ids
	}
	for _, i := range []int{0, 7, rules - 1} {
		value := fmt.Sprintf("%05d%s", i*7919%99991, strings.Repeat("X", 55))
		if got, want := fired(value), []string{fmt.Sprint("invented/r", i)}; !slices.Equal(got, want) {
			t.Errorf("%q fired %v, want %v", value, got, want)
		}
		if got := fired("A" + value); got != nil {
			t.Errorf("%q fired %v, want nothing", "A"+value, got)
		}
	}
	if got, want := fired("here are Two Words and another two"), []string{"invented/two"}; !slices.Equal(got, want) {
		t.Errorf("fired %v, want %v", got, want)
	}
}
