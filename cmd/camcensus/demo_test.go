package main

import (
	"testing"

	"camcensus/internal/lab"
)

// TestTheDemoAnnouncesWhatItLists: the router has nothing to say on loopback,
// the latecomer has.
func TestTheDemoAnnouncesWhatItLists(t *testing.T) {
	site, err := lab.Named("demo")
	if err != nil {
		t.Fatal(err)
	}
	if heard, late := speaking(site); heard != len(site.Devices)-1 || late != 1 {
		t.Errorf("%d heard, %d of them late, of %d", heard, late, len(site.Devices))
	}
}
