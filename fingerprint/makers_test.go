package fingerprint_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestMakerTakesFirmsAndRefusesLabels(t *testing.T) {
	rules := shippedRules(t)
	for _, c := range []struct{ name, want, fault string }{
		{name: "Hikvision", want: "Hikvision"},
		{name: " hikvision ", want: "Hikvision"},
		{name: "Hangzhou Hikvision Digital Technology Co., Ltd.", want: "Hikvision"},
		{name: "hangzhou hikvision digital technology co.,ltd", want: "Hikvision"},
		{name: "ezviz", want: "EZVIZ"},
		{name: "AXIS", want: "Axis"},
		{name: "honeywell", want: "Honeywell"}, // makes some of what it sells
		{name: "LTS", fault: "made by Hikvision"},
		{name: "Amcrest", fault: "made by Dahua"},
		{name: "HiLook", fault: "a label of Hikvision"},
		{name: "Norelco SafeCam", fault: "is a label"},
		{name: "Acme Cameras", fault: "no maker"},
		{name: "", fault: "needs a name"},
	} {
		got, err := rules.Maker(c.name)
		switch {
		case c.fault == "" && (err != nil || got != c.want):
			t.Errorf("%q: %q, %v", c.name, got, err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%q: error %v, should tell of %q", c.name, err, c.fault)
		}
	}
}

// TestShippedRulesHaveCounterExamples: what a rule must not match is written
// beside what it must. Only one that takes any text of a field needs none.
func TestShippedRulesHaveCounterExamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("rules", "*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Rules []struct {
				ID      string
				Match   []struct{ Pattern string }
				Counter []any
			}
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatal(name, err)
		}
		for _, r := range file.Rules {
			choosy := slices.ContainsFunc(r.Match, func(m struct{ Pattern string }) bool { return m.Pattern != "." && m.Pattern != "^(.+)$" })
			if choosy && len(r.Counter) == 0 {
				t.Errorf("%s: rule %s has no counter-example", filepath.Base(name), r.ID)
			}
		}
	}
}
