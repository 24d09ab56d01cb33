package fingerprint_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"camcensus/discovery"
	"camcensus/discovery/dhip"
	"camcensus/discovery/mdns"
	"camcensus/discovery/sadp"
	"camcensus/discovery/ssdp"
	"camcensus/discovery/wsd"
	"camcensus/fingerprint"
	"camcensus/fingerprint/oui"
	"camcensus/fingerprint/probe"
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
	file, err := os.Open(name)
	if os.IsNotExist(err) {
		t.Logf("no corpus at %s: nothing to judge", name)
		return nil
	}
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
		var said struct {
			Hostname    string `json:"hostname"`
			VendorClass string `json:"vendor_class"`
		}
		if json.Unmarshal(raw, &said) != nil {
			return nil
		}
		return []discovery.Field{{Name: "hostname", Value: said.Hostname}, {Name: "vendor_class", Value: said.VendorClass}}
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

func TestDumpCorpus(t *testing.T) {
	if os.Getenv("DUMP") == "" {
		return
	}
	rules := shippedRules(t)
	for _, c := range corpus(t) {
		if !strings.Contains(c.Case, os.Getenv("CASE")) {
			continue
		}
		ev := evidenceOf(c.Records)
		id := rules.Identify(ev)
		t.Logf("== %s expect %s/%s/%s %s -> maker=%q brand=%q model=%q class=%q fw=%q sn=%q cand=%v maybe=%v contra=%v", c.Case, c.Expect, c.Brand, c.Class, c.Strength, id.Manufacturer, id.Brand, id.Model, id.Class, id.Firmware, id.Serial, id.Candidates, id.MaybeCamera, id.Contradictions)
		if os.Getenv("DUMP") == "2" {
			for _, e := range ev {
				v := e.Value
				if len(v) > 300 {
					v = v[:300]
				}
				t.Logf("      %s.%s = %q", e.Source, e.Field, v)
			}
		}
	}
}
