package fingerprint_test

import (
	"path/filepath"
	"testing"

	"camcensus/discovery"
)

// TestADocumentSaysTheSameInAWebAnswer: a document of another kind that was
// recorded as a plain web answer, and a document that was recorded with the HTTP
// head before it, lead to the identity that they lead to as they should be
// recorded.
func TestADocumentSaysTheSameInAWebAnswer(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n\r\n"
	cases := append(corpus(t), readCases(t, filepath.Join("testdata", "judging.jsonl"))...)
	cases = append(cases, readCases(t, filepath.Join("testdata", "innocents.jsonl"))...)
	documents := 0
	for _, c := range cases {
		web, headed := make([]discovery.Record, 0, len(c.Records)), make([]discovery.Record, 0, len(c.Records))
		for _, r := range c.Records {
			h := r
			switch r.Kind {
			case "isapi", "onvif", "upnp":
				if len(r.Base64) > 0 {
					break
				}
				documents++
				h.Raw = head + r.Raw
				r.Kind, r.Raw = "http", head+r.Raw
			}
			web, headed = append(web, r), append(headed, h)
		}
		want, accused := rules.Identify(evidenceOf(c.Records)), flagged(ps, rules.Identify(evidenceOf(c.Records)))
		for shape, records := range map[string][]discovery.Record{"a web answer": web, "with its head": headed} {
			id := rules.Identify(evidenceOf(records))
			got := flagged(ps, id)
			if id.Manufacturer != want.Manufacturer || id.Brand != want.Brand || id.Model != want.Model || id.Firmware != want.Firmware ||
				id.Serial != want.Serial || id.Class != want.Class || got != accused {
				t.Errorf("%s as %s: %q %q %q %q %q %s accused %t, else %q %q %q %q %q %s %t", c.Case, shape,
					id.Manufacturer, id.Brand, id.Model, id.Firmware, id.Serial, id.Class, got,
					want.Manufacturer, want.Brand, want.Model, want.Firmware, want.Serial, want.Class, accused)
			}
		}
	}
	if documents < 50 {
		t.Errorf("only %d documents were tried", documents)
	}
}
