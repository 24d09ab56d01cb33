package fingerprint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ruleFile is one YAML file as read, with the lines that errors cite.
type ruleFile struct {
	file        string
	text        []byte
	Maker       string      `yaml:"maker"`
	Names       []string    `yaml:"names"`
	Listed      bool        `yaml:"listed"`
	Group       groupEntry  `yaml:"group"`
	Makes       string      `yaml:"makes"`
	Mainly      Class       `yaml:"mainly"`
	Common      bool        `yaml:"common"`
	Registrants []string    `yaml:"registrants"`
	Brands      []brandRow  `yaml:"brands"`
	Model       []respell   `yaml:"model"`
	Rules       []ruleEntry `yaml:"rules"`
}

type groupEntry struct {
	line   int
	Of     string `yaml:"of"`
	Tie    string `yaml:"tie"`
	From   string `yaml:"from"`
	Until  string `yaml:"until"`
	Source string `yaml:"source"`
}

type brandRow struct {
	line       int
	Brand      string `yaml:"brand"`
	Own        bool   `yaml:"own"`
	Scope      string `yaml:"scope"`
	Models     string `yaml:"models"`
	Confidence string `yaml:"confidence"`
	Source     string `yaml:"source"`
	Note       string `yaml:"note"`
}

type respell struct {
	line    int
	Pattern string `yaml:"pattern"`
	Replace string `yaml:"replace"`
}

type ruleEntry struct {
	line     int
	ID       string            `yaml:"id"`
	Match    []condition       `yaml:"match"`
	Unless   []condition       `yaml:"unless"`
	Supports map[string]string `yaml:"supports"`
	Grade    Grade             `yaml:"grade"`
	Group    Group             `yaml:"group"`
	Means    string            `yaml:"means"`
	Source   string            `yaml:"source"`
	Date     string            `yaml:"date"`
	Examples []example         `yaml:"examples"`
	Counter  []example         `yaml:"counter"`
}

type condition struct {
	line    int
	ready   *pattern  // compiled by the checker
	Field   fieldList `yaml:"field"`
	Pattern string    `yaml:"pattern"`
}

// fieldList is one field or a list of them.
type fieldList []string

// example is a text for the rule's only field, or texts by field.
type example struct {
	line   int
	text   string
	fields map[string][]string
}

func (l *fieldList) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = fieldList{n.Value}
		return nil
	}
	var many []string
	if err := n.Decode(&many); err != nil {
		return err
	}
	*l = many
	return nil
}

func (e *example) UnmarshalYAML(n *yaml.Node) error {
	e.line = n.Line
	if n.Kind == yaml.ScalarNode {
		e.text = n.Value
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return lineError(n, "an example is a text, or field: text")
	}
	e.fields = make(map[string][]string, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		var many fieldList
		if err := many.UnmarshalYAML(n.Content[i+1]); err != nil {
			return err
		}
		e.fields[n.Content[i].Value] = many
	}
	return nil
}

func (g *groupEntry) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*g = groupEntry{line: n.Line, Of: n.Value, Tie: "affiliate"}
		return nil
	}
	type plain groupEntry
	if err := strict(n, (*plain)(g), "of", "tie", "from", "until", "source"); err != nil {
		return err
	}
	g.line = n.Line
	return nil
}

func (b *brandRow) UnmarshalYAML(n *yaml.Node) error {
	type plain brandRow
	err := strict(n, (*plain)(b), "brand", "own", "scope", "models", "confidence", "source", "note")
	b.line = n.Line
	return err
}

func (s *respell) UnmarshalYAML(n *yaml.Node) error {
	type plain respell
	err := strict(n, (*plain)(s), "pattern", "replace")
	s.line = n.Line
	return err
}

func (c *condition) UnmarshalYAML(n *yaml.Node) error {
	type plain condition
	err := strict(n, (*plain)(c), "field", "pattern")
	c.line = n.Line
	return err
}

func (r *ruleEntry) UnmarshalYAML(n *yaml.Node) error {
	type plain ruleEntry
	err := strict(n, (*plain)(r), "id", "match", "unless", "supports", "grade", "group",
		"means", "source", "date", "examples", "counter")
	r.line = n.Line
	return err
}

// strict decodes a mapping and refuses keys that are not known or stand twice.
func strict(n *yaml.Node, into any, known ...string) error {
	if n.Kind != yaml.MappingNode {
		return lineError(n, "expected keys and values ("+strings.Join(known, ", ")+")")
	}
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if !slices.Contains(known, key.Value) {
			return lineError(key, fmt.Sprintf("unknown key %q (known: %s)", key.Value, strings.Join(known, ", ")))
		}
		if seen[key.Value] {
			return lineError(key, fmt.Sprintf("key %q stands twice", key.Value))
		}
		seen[key.Value] = true
	}
	return n.Decode(into)
}

func lineError(n *yaml.Node, what string) error {
	return fmt.Errorf("line %d: %s", n.Line, what)
}

// parseRuleFile reads one file and tells every fault of form in it.
func parseRuleFile(s source) (*ruleFile, []error) {
	decoder := yaml.NewDecoder(bytes.NewReader(s.text))
	decoder.KnownFields(true)
	f := &ruleFile{file: s.name, text: s.text}
	if err := decoder.Decode(f); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, []error{fmt.Errorf("%s: the file is empty", s.name)}
		}
		return nil, yamlFaults(s, err)
	}
	var extra yaml.Node
	if err := decoder.Decode(&extra); err == nil {
		return nil, []error{fmt.Errorf("%s:%d: a second YAML document: one file holds one maker", s.name, extra.Line)}
	}
	c := checker{file: f}
	c.head()
	ids := map[string]bool{}
	for i := range f.Rules {
		c.rule(&f.Rules[i], ids)
	}
	return f, c.faults
}

// lineOf is the line of a key at the head of the file, or, with a value, of
// that value in its list; 0 when it is not there. It reads the file again, as
// only a fault asks for it.
func (f *ruleFile) lineOf(key, value string) int {
	var document yaml.Node
	if yaml.Unmarshal(f.text, &document) != nil || len(document.Content) == 0 {
		return 0
	}
	head := document.Content[0].Content
	for i := 0; i+1 < len(head); i += 2 {
		if head[i].Value != key {
			continue
		}
		for _, item := range head[i+1].Content {
			if item.Value == value {
				return item.Line
			}
		}
		return head[i].Line
	}
	return 0
}

var (
	yamlLine    = regexp.MustCompile(`line (\d+): (.*)`)
	yamlUnknown = regexp.MustCompile(`^field (.*) not found in type .*$`)
	yamlKind    = regexp.MustCompile("^cannot unmarshal !!\\w+(?: `(.*)`)? into (.*)$")
)

// yamlFaults rewrites the YAML reader's own errors as file:line: what.
func yamlFaults(s source, err error) []error {
	texts := []string{err.Error()}
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		texts = typed.Errors
	}
	var out []error
	for _, text := range texts {
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			out = append(out, fmt.Errorf("%s:%s: %s%s", s.name, m[1], plainYAML(m[2]), tabbed(s.text, m[1])))
			continue
		}
		out = append(out, fmt.Errorf("%s: %s", s.name, strings.TrimPrefix(text, "yaml: ")))
	}
	return out
}

// plainYAML says what the YAML reader says without the names of Go's types.
func plainYAML(text string) string {
	if m := yamlUnknown.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("unknown key %q (known: maker, names, listed, group, makes, mainly, common, registrants, brands, model, rules)", m[1])
	}
	m := yamlKind.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	want := "a text"
	switch {
	case strings.HasPrefix(m[2], "[]"):
		want = "a list"
	case strings.HasPrefix(m[2], "map["):
		want = "keys and values"
	case m[2] == "bool":
		want = "true or false"
	}
	if m[1] == "" {
		return "expected " + want
	}
	return fmt.Sprintf("%q stands where %s is expected", m[1], want)
}

// tabbed adds the remedy where a line is indented with a tab.
func tabbed(text []byte, line string) string {
	n, _ := strconv.Atoi(line)
	lines := bytes.SplitN(text, []byte("\n"), n+1)
	if n < 1 || n > len(lines) {
		return ""
	}
	indent := lines[n-1][:len(lines[n-1])-len(bytes.TrimLeft(lines[n-1], " \t"))]
	if !bytes.Contains(indent, []byte("\t")) {
		return ""
	}
	return " (indented with a tab: YAML takes blanks only)"
}
