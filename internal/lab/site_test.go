package lab_test

import (
	"net/netip"
	"strings"
	"testing"

	"camcensus/internal/lab"
)

func TestNamedSitesHoldWhatTheirNamesSay(t *testing.T) {
	for name, count := range map[string]int{"demo": 27, "sixty": 60, "threehundred": 300} {
		site, err := lab.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(site.Devices) != count {
			t.Errorf("%s: %d devices, want %d", name, len(site.Devices), count)
		}
		seen := map[netip.Addr]string{}
		for _, d := range site.Devices {
			for _, ip := range d.Addresses() {
				if other := seen[ip]; other != "" {
					t.Errorf("%s: %s and %s share %s", name, d.Name, other, ip)
				}
				seen[ip] = d.Name
			}
			if d.HardwareAddr()[0]&3 != 0 {
				t.Errorf("%s: %s has the MAC %s, which no maker burns in", name, d.Name, d.HardwareAddr())
			}
			if d.Truth.Class == "" {
				t.Errorf("%s: %s has no truth", name, d.Name)
			}
			for _, verdict := range d.Truth.Verdicts {
				if d.Truth.Innocent && (verdict == "banned" || verdict == "suspected") {
					t.Errorf("%s: %s is innocent and %s", name, d.Name, verdict)
				}
			}
		}
	}
}

func TestSitesAreTheSameEachTime(t *testing.T) {
	first, err := lab.Named("sixty")
	if err != nil {
		t.Fatal(err)
	}
	second, err := lab.Named("sixty")
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range first.Devices {
		if o := second.Devices[i]; d.MAC != o.MAC || d.Serial != o.Serial || d.UUID != o.UUID || d.Addr() != o.Addr() {
			t.Errorf("%s differs: %v %q, then %v %q", d.Name, d.MAC, d.Serial, o.MAC, o.Serial)
		}
	}
}

func TestMistakesInASiteAreNamed(t *testing.T) {
	const head = "name: bad\nsegments: [{name: lan, prefix: 10.77.0.0/30}]\ndevices:\n"
	for name, test := range map[string]struct{ yaml, want string }{
		"no segment":        {"name: bad\ndevices: []\n", "no segment"},
		"unknown key":       {head + "  - {name: a, kind: host, colour: red}\n", "colour"},
		"unknown kind":      {head + "  - {name: a, kind: toaster}\n", `no kind is named "toaster"`},
		"same name":         {head + "  - {name: a, kind: host, ip: 10.77.0.1}\n  - {name: a, kind: host}\n", "used twice"},
		"full network":      {head + "  - {name: a, kind: host}\n", "the network is full"},
		"unknown segment":   {head + "  - {name: a, kind: host, segment: wan}\n", `no segment is named "wan"`},
		"unknown router":    {head + "  - {name: a, kind: host, behind: b}\n", `no router is named "b"`},
		"bad template":      {head + "  - {name: a, kind: host, ip: 10.77.0.1, ports: {80: {web: main}}, web: {main: {routes: {\"/\": {body: \"{{.Nothing}}\"}}}}}\n", "Nothing"},
		"bad digits":        {head + "  - {name: a, kind: host, ip: 10.77.0.1, udp: {x: {port: 9, asked: a, answer_hex: \"abc\"}}}\n", "odd length"},
		"bad expression":    {head + "  - {name: a, kind: host, ip: 10.77.0.1, udp: {x: {port: 9, asked: \"(\"}}}\n", "missing closing"},
		"no certificate":    {head + "  - {name: a, kind: host, ip: 10.77.0.1, ports: {443: {open: true, tls: true}}}\n", "no certificate"},
		"unknown web":       {head + "  - {name: a, kind: host, ip: 10.77.0.1, ports: {80: {web: other}}}\n", `no web server is named "other"`},
		"unknown wsd style": {head + "  - {name: a, kind: host, ip: 10.77.0.1, wsd: {style: baroque}}\n", `no style is named "baroque"`},
		"no oui":            {head + "  - {name: a, kind: host, ip: 10.77.0.1, oui: \"44:19\"}\n", "hexadecimal digits"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lab.Load(strings.NewReader(test.yaml))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	if _, err := lab.Named("atlantis"); err == nil || !strings.Contains(err.Error(), "sixty") {
		t.Errorf("unknown site: %v", err)
	}
}
