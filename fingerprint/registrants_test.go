package fingerprint

import (
	"testing"

	"camcensus/fingerprint/oui"
)

// TestRegistrantsAreAsRegistered: a registrant that the registry does not know
// to the letter would never be found, and nobody would be told.
func TestRegistrantsAreAsRegistered(t *testing.T) {
	known := map[string]bool{}
	for _, b := range oui.Default().Blocks() {
		known[b.Registrant] = true
	}
	sources, err := shippedSources()
	if err != nil {
		t.Fatal(err)
	}
	set, err := load(nil, sources)
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range set.registrants {
		if !known[name] {
			t.Errorf("%s: no block is registered to %q", set.makers[at].name, name)
		}
	}
	if len(set.registrants) < 200 {
		t.Errorf("%d registrants", len(set.registrants))
	}
}
