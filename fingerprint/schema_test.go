package fingerprint

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const goodRule = `maker: Invented
makes: cameras
brands:
  - {brand: Label, scope: some, confidence: memory-low, source: memory}
rules:
  - id: server
    match:
      - {field: http.server, pattern: '^Invented/(\d+)'}
    supports: {manufacturer: Invented, firmware: $1}
    grade: strong
    group: FIRMWARE
    means: "It says so."
    source: a test
    date: 2026-11-22
    examples: [Invented/1]
    counter: [Other/1]
`

func TestARuleFileThatIsRight(t *testing.T) {
	if faults := check([]source{{"invented.yml", []byte(goodRule)}}); len(faults) > 0 {
		t.Error(faults)
	}
}

func TestAFaultCitesFileAndLine(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown key in the head", "makes: cameras", "make: cameras", `invented.yml:2: unknown key "make" (known: maker`},
		{"a head that is none", "makes: cameras", "makes: bread", `invented.yml:2: makes is "bread"`},
		{"a firm that belongs to another maker", "brands:", "registrants: [X,\n  Axis Communications AB]\nbrands:", `invented.yml:4: registrant "Axis Communications AB" belongs to Axis`},
		{"names without a maker", "maker: Invented", "names: [Invented]", "invented.yml:1: names needs a maker"},
		{"a word where true or false belongs", "makes: cameras", "listed: perhaps", `invented.yml:2: "perhaps" stands where true or false is expected`},
		{"a text where a list belongs", "makes: cameras", "names: Invented", `invented.yml:2: "Invented" stands where a list is expected`},
		{"a field that no answer has", "field: http.server", "field: http.sevrer", `invented.yml:8: rule server: field "http.sevrer" is read off no answer`},
		{"a kind that there is not", "field: http.server", "field: htpt.server", `invented.yml:8: rule server: field "htpt.server" is of no known kind`},
		{"a rule without match", "    match:\n      - {field: http.server, pattern: '^Invented/(\\d+)'}\n    supports: {manufacturer: Invented, firmware: $1}\n", "", "invented.yml:6: rule server: needs match"},
		{"a listed maker without a counter-example", "    counter: [Other/1]\n", "listed: true\n", "invented.yml:6: rule server: speaks for Invented, which a list names: needs at least one counter"},
		{"unknown key in a rule", "    grade: strong", "    grad: strong", `invented.yml:10: unknown key "grad"`},
		{"wrong grade", "grade: strong", "grade: sure", `invented.yml:6: rule server: grade is "sure"`},
		{"wrong group", "group: FIRMWARE", "group: FIRM", `invented.yml:6: rule server: group is "FIRM"`},
		{"a pattern that is none", `^Invented/(\d+)`, `^Invented/(\d+`, "invented.yml:8: rule server: pattern:"},
		{"a capture that is not there", "firmware: $1", "firmware: $2", "invented.yml:6: rule server: supports.firmware uses $2"},
		{"a field that is none", "field: http.server", "field: server", `invented.yml:8: rule server: field "server"`},
		{"a favicon that decides", "field: http.server", "field: favicon.md5", "invented.yml:6: rule server: a favicon is weak at most"},
		{"typed text that decides", "field: http.server", "field: http.title", "invented.yml:6: rule server: rests only on what an owner can type"},
		{"no meaning", `means: "It says so."`, `means: ""`, "invented.yml:6: rule server: needs means"},
		{"a date that is none", "2026-11-22", "yesterday", "invented.yml:6: rule server: date"},
		{"an unknown maker", "manufacturer: Invented", "manufacturer: Nobody", `invented.yml:6: rule server: no file has maker "Nobody"`},
		{"an unknown brand", "firmware: $1", "brand: Nothing", `invented.yml:6: rule server: brand "Nothing"`},
		{"a relabel from memory that decides", "firmware: $1", "brand: Label", "invented.yml:6: rule server: Label is known from memory only"},
		{"an example that does not match", "examples: [Invented/1]", "examples: [Other/1]", "invented.yml:15: rule server: the example does not match"},
		{"a counter-example that matches", "counter: [Other/1]", "counter: [Invented/2]", "invented.yml:16: rule server: the counter-example matches"},
		{"a brand row without scope", "scope: some", "scope: most", `invented.yml:4: brand Label: scope is "most"`},
		{"no YAML at all", "rules:", "\trules:", "invented.yml:5: found character that cannot start any token (indented with a tab: YAML takes blanks only)"},
		{"a tab within a rule", "    grade: strong", "\tgrade: strong", "invented.yml:10: found character that cannot start any token (indented with a tab"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(goodRule, c.old, c.new, 1)
			if text == goodRule {
				t.Fatal("the change found no place")
			}
			sources := []source{{"axis.yml", []byte("maker: Axis\nmakes: cameras\nregistrants: [Axis Communications AB]\nrules: []\n")}, {"invented.yml", []byte(text)}}
			faults := check(sources)
			if len(faults) == 0 {
				t.Fatal("no fault found")
			}
			if got := faults[0].Error(); !strings.HasPrefix(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAFileTooLargeOrNotThereIsAFault(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large.yml")
	if err := os.WriteFile(large, make([]byte, maxRuleFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{large: "larger than the 4 MiB", filepath.Join(t.TempDir(), "*.yml"): "no such file"} {
		if faults := Check(file); len(faults) != 1 || !strings.Contains(faults[0].Error(), want) {
			t.Errorf("%s: %v", file, faults)
		}
	}
}

func FuzzRuleFile(f *testing.F) {
	f.Add([]byte(goodRule))
	f.Add([]byte("maker: [x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		check([]source{{"fuzz.yml", text}})
	})
}

// standsSomewhere does what the automaton does, slowly.
func standsSomewhere(p *pattern, value string) bool {
	lower := strings.ToLower(value)
	for _, text := range p.required {
		for from := range lower {
			if strings.HasPrefix(lower[from:], text) && p.stands(from, from+len(text), len(lower)) {
				return true
			}
		}
	}
	return p.required == nil
}

func FuzzLiteralsNeverHideAMatch(f *testing.F) {
	for _, p := range []string{`^i?DS-2[A-Z]{2}`, `^(?:ab|c?d)$`, `(?:IK|aab)$`, `^(?-i:DS)-2`, `[iI]k`, `(?-i:[I]K)`, `(?:ab|c[de])+x?`, `^(.+)$`, `a{2,3}b*`, `[IN]K`} {
		f.Add(p, "DS-2CD cdex aab IK")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		if len(text) > 200 || len(value) > 1000 || !isASCII(value) {
			return
		}
		p, err := compilePattern(text)
		if err != nil || strings.ContainsAny(value, "\r\n") {
			return
		}
		want := regexp.MustCompile("(?i)" + text).MatchString(value)
		if got := standsSomewhere(p, value) && p.match(value); got != want {
			t.Errorf("%q on %q: %v, the expression says %v; its texts are %q", text, value, got, want, p.required)
		}
	})
}
