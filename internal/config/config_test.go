package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func TestTheReferenceFileHoldsTheDefaults(t *testing.T) {
	path := filepath.Join("..", "..", "deploy", "camcensus.yml")
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Site.Name, want.File = "site", got.File
	for _, f := range []func(*Config){emptyLists} {
		f(&got)
		f(&want)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("deploy/camcensus.yml differs from the code's defaults\n got %+v\nwant %+v", got, want)
	}
}

// emptyLists makes an empty list and an absent one alike.
func emptyLists(c *Config) {
	c.Discovery.Sources = nil
	for _, l := range []*[]string{&c.Interfaces, &c.Fingerprint.Rules, &c.Policy.Files, &c.Web.Editors} {
		if len(*l) == 0 {
			*l = nil
		}
	}
	if len(c.Exclude) == 0 {
		c.Exclude = nil
	}
	if len(c.Discovery.QuietHours) == 0 {
		c.Discovery.QuietHours = nil
	}
}

func TestTheReferenceFileNamesEveryKey(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "deploy", "camcensus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		for name, f := range fieldsOf(v) {
			p := join(path, name)
			if n := find(&doc, p); n == nil || !endsAt(&doc, p) {
				t.Errorf("deploy/camcensus.yml does not name %s", p)
			}
			if f.Kind() == reflect.Struct {
				walk(f, p)
			}
		}
	}
	c := Default()
	walk(reflect.ValueOf(&c).Elem(), "")
}

// endsAt tells whether the path exists to its last key.
func endsAt(doc *yaml.Node, path string) bool {
	n := doc.Content[0]
	for key := range strings.SplitSeq(path, ".") {
		next := (*yaml.Node)(nil)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				next = n.Content[i+1]
			}
		}
		if next == nil {
			return false
		}
		n = next
	}
	return true
}

func TestAGoodFileIsRead(t *testing.T) {
	c, err := Load("testdata/good.yml")
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case c.Site.Name != "ottawa-hq" || c.Site.Contact != "soc@example.org":
		t.Errorf("site = %+v", c.Site)
	case c.Mode != ModeListen:
		t.Errorf("mode = %q", c.Mode)
	case len(c.Networks) != 2 || c.Networks[1] != "10.20.0.0/22":
		t.Errorf("networks = %v", c.Networks)
	case len(c.Exclude) != 4 || c.Exclude[3].Reason != "door controller" || c.Exclude[2].Match != "00:11:22:33:44:55":
		t.Errorf("exclude = %+v", c.Exclude)
	case c.Discovery.Interval.D() != 5*time.Minute || c.Discovery.Rate != 100:
		t.Errorf("discovery = %+v", c.Discovery)
	case c.Inventory.Retention.Devices != 0 || c.Inventory.Retention.Unclassified.D() != 60*24*time.Hour:
		t.Errorf("retention = %+v", c.Inventory.Retention)
	case c.Discovery.IdentifyInterval.D() != 24*time.Hour:
		t.Error("what the file does not name lost its default")
	}
	n := c.Discovery.Sources["arp"]
	var arp struct {
		Enabled string  `yaml:"enabled"`
		Rate    float64 `yaml:"rate"`
	}
	if err := Decode(&n, &arp); err != nil || arp.Rate != 50 || arp.Enabled != "auto" {
		t.Errorf("sources.arp = %+v, %v", arp, err)
	}
}

func TestASiteMayBeJustAName(t *testing.T) {
	c, err := Read("x", strings.NewReader("site: ottawa-hq\n"))
	if err != nil || c.Site.Name != "ottawa-hq" {
		t.Errorf("%+v, %v", c.Site, err)
	}
}

func TestEveryMistakeIsNamedWithLineAndColumn(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"an unknown key", "mode: active\nmodes: listen\n", "f.yml:2:1: unknown key modes"},
		{"an unknown nested key", "discovery:\n  intervall: 1m\n", "f.yml:2:3: unknown key discovery.intervall"},
		{"a key twice", "mode: active\nmode: listen\n", "f.yml:2:1: mode stands twice"},
		{"a wrong word", "mode: aktiv\n", `f.yml:1:7: mode: "aktiv" is none of [active listen]`},
		{"no duration", "discovery: {interval: soon}\n", `f.yml:1:23: discovery.interval: "soon" is no duration`},
		{"no number", "discovery:\n  rate: many\n", `f.yml:2:9: discovery.rate: "many" is not a number`},
		{"no prefix", "networks: [connected, 10.0.0.0/33]\n", `f.yml:1:23: networks[1]: "10.0.0.0/33" is neither`},
		{"host bits", "networks: [10.0.0.5/24]\n", "has host bits set: write 10.0.0.0/24"},
		{"no exclusion", "exclude: [printer]\n", `f.yml:1:11: exclude: "printer" is no IP address, prefix or MAC`},
		{"a wrong key in an exclusion", "exclude:\n  - {match: 10.0.0.1, why: x}\n", "f.yml:2:23: unknown key why"},
		{"a list for a mapping", "discovery: [1]\n", "f.yml:1:12: discovery must be a mapping"},
		{"a mapping for a list", "networks: {a: 1}\n", "f.yml:1:11: networks must be a list"},
		{"a span", "discovery: {quiet_hours: ['22-6']}\n", `"22-6" is no span such as`},
		{"a negative rate", "discovery: {rate: -1}\n", "f.yml:1:19: discovery.rate: must not be negative"},
		{"nothing in scope", "networks: []\n", "networks: must name a network"},
		{"two documents", "mode: active\n---\nmode: listen\n", "a second document"},
		{"no YAML", "mode: [\n", "f.yml"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Read("f.yml", strings.NewReader(tc.in))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestAPlainDurationIsReadInTheSameWords(t *testing.T) {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte("interval: 2d\n"), &n); err != nil {
		t.Fatal(err)
	}
	var set struct {
		Interval time.Duration `yaml:"interval"`
	}
	if err := Decode(&n, &set); err != nil || set.Interval != 48*time.Hour {
		t.Errorf("%v, %v", set.Interval, err)
	}
	if err := yaml.Unmarshal([]byte("interval: soon\n"), &n); err != nil {
		t.Fatal(err)
	}
	if err := Decode(&n, &set); err == nil || !strings.Contains(err.Error(), "1:11: interval") {
		t.Errorf("%v", err)
	}
}

func TestAllMistakesComeAtOnce(t *testing.T) {
	_, err := Read("f.yml", strings.NewReader("mode: x\nfoo: 1\nmetrics: {device_series: some}\n"))
	if err == nil || strings.Count(err.Error(), "f.yml:") != 3 {
		t.Errorf("got %v, want three mistakes", err)
	}
}

func TestQuietHoursRunOverMidnight(t *testing.T) {
	var q QuietHours
	if err := q.UnmarshalText([]byte("22:00-06:00")); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]bool{"21:59": false, "22:00": true, "23:30": true, "00:00": true, "05:59": true, "06:00": false, "12:00": false} {
		tm, _ := time.ParseInLocation("15:04", at, time.Local)
		if q.Contains(tm) != want {
			t.Errorf("%s: quiet = %v, want %v", at, !want, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	good, err := os.ReadFile("testdata/good.yml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(good))
	f.Add("exclude: [{match: &a 10.0.0.1}, *a]")
	f.Add("site: {name: [}")
	f.Fuzz(func(t *testing.T, in string) {
		c, err := Read("f.yml", strings.NewReader(in))
		if err == nil && len(c.Networks) == 0 {
			t.Error("a config without networks was accepted")
		}
	})
}
