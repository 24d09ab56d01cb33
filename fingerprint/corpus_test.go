package fingerprint_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"camcensus/discovery"
	"camcensus/discovery/dhcp"
	"camcensus/discovery/dhip"
	"camcensus/discovery/mdns"
	"camcensus/discovery/native"
	"camcensus/discovery/sadp"
	"camcensus/discovery/ssdp"
	"camcensus/discovery/wsd"
	"camcensus/fingerprint"
	"camcensus/fingerprint/oui"
	"camcensus/fingerprint/probe"
	"camcensus/internal/policy"
)

// corpusCase is one published device of the corpus.
type corpusCase struct {
	Case     string             `json:"case"`
	Records  []discovery.Record `json:"records"`
	Expect   string             `json:"expect"`
	Brand    string             `json:"brand"`
	Model    string             `json:"model"`
	Class    string             `json:"class"`
	Strength string             `json:"strength"`
	Note     string             `json:"note"`
}

// corpus reads the published cases; nil when the folder is not there.
func corpus(t testing.TB) []corpusCase {
	t.Helper()
	name := filepath.Join("..", "..", "shared", "corpus", "cases.jsonl")
	if _, err := os.Stat(name); os.IsNotExist(err) {
		t.Logf("no corpus at %s: nothing to judge", name)
		return nil
	}
	return readCases(t, name)
}

func readCases(t testing.TB, name string) []corpusCase {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out []corpusCase
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var c corpusCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

var probes = []string{"http", "https", "tls", "rtsp", "onvif", "isapi", "upnp", "favicon"}

// fieldsOf parses one record as its protocol's room does.
func fieldsOf(r discovery.Record) []discovery.Field {
	raw := r.Bytes()
	switch {
	case slices.Contains(probes, r.Kind):
		return probe.Fields(r.Kind, r.Path, raw)
	case r.Kind == "wsd":
		return wsd.Fields(r.Kind, raw)
	case r.Kind == "mdns":
		return mdns.Fields(r.Kind, raw)
	case r.Kind == "ssdp":
		return ssdp.Fields(r.Kind, raw)
	case r.Kind == "sadp":
		return sadp.Fields(r.Kind, raw)
	case r.Kind == "dhip":
		return dhip.Fields(r.Kind, raw)
	case r.Kind == "dhcp":
		return dhcp.Fields(r.Kind, raw)
	}
	for _, p := range native.Protocols {
		if slices.Contains(p.Kinds, r.Kind) {
			return p.Fields(r.Kind, raw)
		}
	}
	return nil
}

// evidenceOf is what the records of one host say.
func evidenceOf(records []discovery.Record) []fingerprint.Evidence {
	var out []fingerprint.Evidence
	for _, r := range records {
		at := fingerprint.Evidence{
			Source: r.Kind, Port: r.Port, Path: r.Path, Seen: r.Time,
			Solicited: slices.Contains(probes, r.Kind),
		}
		if r.MAC != "" {
			e := at
			e.Field, e.Value, e.Solicited = "mac", r.MAC, false
			out = append(out, e)
		}
		for _, f := range fieldsOf(r) {
			e := at
			e.Field, e.Value = f.Name, f.Value
			out = append(out, e)
		}
	}
	return out
}

func shippedRules(t testing.TB) *fingerprint.Ruleset {
	t.Helper()
	rules, err := fingerprint.Default(oui.Default().Registrant)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func sameMaker(a, b string) bool {
	squeeze := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r == ' ' || r == '-' || r == '_' {
				return -1
			}
			return r
		}, strings.ToLower(s))
	}
	return squeeze(a) == squeeze(b)
}

// judged are the policies that the corpus is judged by (its README).
func judged(t testing.TB) []*policy.Policy {
	t.Helper()
	ps, err := policy.Load([]string{"ca-hikvision-2025", "ca-qc-2023", "us-ndaa-889"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

// flagged tells whether any policy accuses the device.
func flagged(ps []*policy.Policy, id fingerprint.Identity) bool {
	return slices.ContainsFunc(ps, func(p *policy.Policy) bool {
		return policy.Judge(p, id, "", time.Time{}, time.Time{}).Flagged()
	})
}

func (c corpusCase) innocent() bool {
	return strings.HasPrefix(c.Expect, "other:") || c.Expect == "unknown"
}

// TestCorpus judges as the corpus' README says: the innocent are never
// flagged, strong evidence names the maker, medium evidence suspects it, and
// most innocent makers are named.
func TestCorpus(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	cases := corpus(t)
	if len(cases) == 0 {
		return
	}
	innocents, named := 0, 0
	for _, c := range cases {
		id := rules.Identify(evidenceOf(c.Records))
		accused := flagged(ps, id)
		maker, other := strings.CutPrefix(c.Expect, "other:")
		right := sameMaker(id.Manufacturer, maker)
		if other {
			innocents++
			if right {
				named++
			} else {
				t.Logf("%s: named %q, is %s", c.Case, id.Manufacturer, maker)
			}
		}
		switch {
		case c.innocent() && accused:
			t.Errorf("%s: %s is accused: %+v", c.Case, c.Expect, id.Candidates)
		case c.Strength == "strong" && !right:
			t.Errorf("%s: strong evidence of %s, named %q", c.Case, c.Expect, id.Manufacturer)
		case c.Strength == "medium" && !accused && !right:
			t.Errorf("%s: medium evidence of %s, neither named nor suspected", c.Case, c.Expect)
		case id.Manufacturer != "" && !right && c.Expect != "unknown" && !other:
			t.Errorf("%s: %s is called %q", c.Case, c.Expect, id.Manufacturer)
		}
	}
	t.Logf("%d of %d innocent makers named", named, innocents)
	if named*100 < innocents*70 {
		t.Errorf("only %d of %d innocent makers are named, fewer than 70 %%", named, innocents)
	}
}
