package fingerprint

import "testing"

// TestOneValueEstablishesNobody: what bans rests on two signs, and one value,
// however many rules read it, is one sign.
func TestOneValueEstablishesNobody(t *testing.T) {
	sources, err := shippedSources()
	if err != nil {
		t.Fatal(err)
	}
	set, files, err := parse(sources)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, f := range files {
		k := checker{file: f}
		for i := range f.Rules {
			for _, e := range f.Rules[i].Examples {
				ev, ok := k.evidence(&f.Rules[i], e)
				if !ok || len(ev) != 1 {
					continue
				}
				tried++
				ev[0].Solicited = true
				for _, c := range set.Identify(ev).Candidates {
					if c.Standing == Established {
						t.Errorf("%s/%s: %s.%s alone, %q, establishes %s", stem(f.file), f.Rules[i].ID, ev[0].Source, ev[0].Field, ev[0].Value, c.Maker)
					}
				}
			}
		}
	}
	if tried < 2500 {
		t.Errorf("%d examples of one value", tried)
	}
}
