package policy

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"camcensus/fingerprint"
	"go.yaml.in/yaml/v3"
)

//go:embed lists/*.yml
var shipped embed.FS

// Policy is one instrument as data: whom it names, what it reaches, what it
// says and since when.
type Policy struct {
	Name         string   `yaml:"id"`
	Version      string   `yaml:"version"` // the date of this text, YYYY-MM-DD
	Titles       Words    `yaml:"title"`
	Title        string   `yaml:"-"` // Titles in English
	Source       string   `yaml:"-"` // the instrument and where it can be read
	Instrument   Words    `yaml:"instrument"`
	Issuer       Words    `yaml:"issuer"`
	Jurisdiction string   `yaml:"jurisdiction"`
	Announced    string   `yaml:"announced"`
	Effective    string   `yaml:"effective"`
	Ended        string   `yaml:"ended"` // "" while in force
	Sources      []Source `yaml:"sources"`
	// Named are the legal entities as the instrument writes them.
	Named []string `yaml:"named"`
	// Verb is the instrument's own: buy, use, install, authorise. Verbs
	// lists all where there are several.
	Verb  string   `yaml:"verb"`
	Verbs []string `yaml:"verbs"`
	// Binds and NotBound say who must obey.
	Binds    []string `yaml:"binds"`
	NotBound []string `yaml:"not_bound"`

	Manufacturers []Manufacturer `yaml:"manufacturers"`
	Relabels      Reach          `yaml:"relabels"`
	Affiliates    Reach          `yaml:"affiliates"`
	Former        Reach          `yaml:"former_affiliates"`

	Classes     []fingerprint.Class `yaml:"classes"`
	NotAssessed []string            `yaml:"not_assessed"`
	// Acquired is the instrument's test by date of purchase, if it has one.
	Acquired *AcquisitionTest `yaml:"acquired"`
	// Says is what the instrument says, in its own verb.
	Says Words `yaml:"says"`
	// Instruction is the department's own, where it gives one.
	Instruction Words    `yaml:"instruction"`
	Notes       []string `yaml:"notes"`
	ReviewedOn  string   `yaml:"reviewed_on"`
}

// Words is one text in both official languages, written {en: ..., fr: ...}, or
// in English alone. French laws and offices bear their official names; those
// without one are rendered, with the English name in brackets.
type Words struct{ EN, FR string }

// UnmarshalYAML implements yaml.Unmarshaler.
func (w *Words) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&w.EN)
	}
	var by map[string]string
	if err := n.Decode(&by); err != nil {
		return err
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; key.Value != "en" && key.Value != "fr" {
			return fmt.Errorf("yaml: line %d: field %s not found in type policy.Words", key.Line, key.Value)
		}
	}
	w.EN, w.FR = by["en"], by["fr"]
	return nil
}

// In returns the text in a language, English where there is no other.
func (w Words) In(lang string) string {
	if strings.HasPrefix(lang, "fr") && w.FR != "" {
		return w.FR
	}
	return w.EN
}

// Source is where a fact was read, and how near to the primary text.
type Source struct {
	Fact string `yaml:"fact"`
	Ref  string `yaml:"ref"`
	Mark string `yaml:"mark"` // V1 primary, V2 secondary, M memory
}

// Manufacturer is one maker the instrument names, by its canonical name.
type Manufacturer struct {
	Maker   string `yaml:"maker"`
	Verdict string `yaml:"verdict"`
	Measure string `yaml:"measure"`
	Note    string `yaml:"note"`
}

// Reach is what the instrument does with those tied to a named maker. An
// empty verdict means that it does not reach them.
type Reach struct {
	Verdict string   `yaml:"verdict"`
	Measure string   `yaml:"measure"`
	Makers  []string `yaml:"makers"` // those known; a rule's group adds to them
	Stated  string   `yaml:"stated"` // yes | no | unstated: does the instrument say so
	Note    string   `yaml:"note"`
}

// AcquisitionTest: the rule holds for what was acquired after a day; before
// it, or without a date, another verdict stands.
type AcquisitionTest struct {
	After   string `yaml:"after"`
	Before  Reach  `yaml:"before"`
	Undated Reach  `yaml:"undated"`
	after   time.Time
}

// Shipped lists the names of the policies in the binary, sorted.
func Shipped() []string {
	entries, _ := shipped.ReadDir("lists")
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".yml"))
	}
	sort.Strings(out)
	return out
}

// Load reads the named shipped policies and the user's files, in that order.
// Errors cite file and line.
func Load(names, files []string) ([]*Policy, error) {
	var out []*Policy
	var faults []error
	add := func(name string, text []byte) {
		p, errs := Parse(name, text)
		if faults = append(faults, errs...); len(errs) > 0 {
			return
		}
		if slices.ContainsFunc(out, func(o *Policy) bool { return o.Name == p.Name }) {
			faults = append(faults, fmt.Errorf("%s: policy %s is loaded twice", name, p.Name))
			return
		}
		out = append(out, p)
	}
	for _, name := range names {
		text, err := shipped.ReadFile("lists/" + name + ".yml")
		if err != nil {
			faults = append(faults, fmt.Errorf("policy: no list %q is shipped (there are %s)", name, strings.Join(Shipped(), ", ")))
			continue
		}
		add(name+".yml", text)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			faults = append(faults, fmt.Errorf("policy: %w", err))
			continue
		}
		add(file, text)
	}
	return out, errors.Join(faults...)
}

// Check tells everything that is wrong with the given policy files, one error
// per fault, each with file and line.
func Check(files ...string) []error {
	var faults []error
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			faults = append(faults, fmt.Errorf("policy: %w", err))
			continue
		}
		_, found := Parse(file, text)
		faults = append(faults, found...)
	}
	return faults
}

// Parse reads one policy and tells every fault in it, each with its line.
func Parse(name string, text []byte) (*Policy, []error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	p := &Policy{}
	if err := decoder.Decode(p); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, []error{fmt.Errorf("%s: the file is empty", name)}
		}
		return nil, yamlFaults(name, err)
	}
	var tree yaml.Node
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, yamlFaults(name, err)
	}
	c := checker{file: name, tree: &tree}
	c.policy(p)
	if len(c.faults) > 0 {
		return nil, c.faults
	}
	p.Title, p.Source = p.Titles.EN, p.Instrument.EN
	return p, nil
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

func yamlFaults(file string, err error) []error {
	texts := []string{err.Error()}
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		texts = typed.Errors
	}
	var out []error
	for _, text := range texts {
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			text = strings.NewReplacer("field ", "key ", " not found in type policy.", " is not known in ").Replace(m[2])
			out = append(out, fmt.Errorf("%s:%s: %s", file, m[1], text))
			continue
		}
		out = append(out, fmt.Errorf("%s: %s", file, strings.TrimPrefix(text, "yaml: ")))
	}
	return out
}

// Makers lists the canonical names of every manufacturer that the policy
// reaches, sorted.
func (p *Policy) Makers() []string {
	var out []string
	for _, m := range p.Manufacturers {
		out = append(out, m.Maker)
	}
	for _, r := range []Reach{p.Affiliates, p.Former} {
		if r.Verdict != "" && r.Verdict != Clear {
			out = append(out, r.Makers...)
		}
	}
	sort.Strings(out)
	return slices.Compact(out)
}
