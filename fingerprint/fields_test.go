package fingerprint_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documentedFields reads docs/fields.md: the fields of each kind.
func documentedFields(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "fields.md"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	kind := ""
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "## "); ok {
			kind = strings.TrimSpace(name)
		}
		if field, ok := strings.CutPrefix(line, "| `"); ok {
			field, _, _ = strings.Cut(field, "`")
			out[kind] = append(out[kind], field)
		}
	}
	for _, kind := range []string{"arp", "ndp", "neighbor", "snmp"} {
		out[kind] = []string{"mac"}
	}
	out["https"] = out["http"]
	return out
}

var openFields = regexp.MustCompile(`^(header|txt|json|meta|path|cgi)\.`)

// written is the kind and the name under which the page has a field: that of a
// document in a web answer stands with its own kind.
func written(kind, field string) (string, string) {
	if head, name, ok := strings.Cut(field, "."); ok && slices.Contains([]string{"http", "isapi", "onvif", "upnp", "dhip", "wsd"}, head) {
		return head, name
	}
	return kind, field
}

func documented(fields []string, name string) bool {
	if slices.Contains(fields, name) || name == "mac" {
		return true
	}
	family := openFields.FindString(name)
	return family != "" && slices.ContainsFunc(fields, func(f string) bool {
		return f == family+"NAME" || f == family+"KEY"
	})
}

// TestFieldsPage holds docs/fields.md against what the parsers read off the
// corpus and the judging set, against every shipped rule, and against the
// parsers' own words.
func TestFieldsPage(t *testing.T) {
	page := documentedFields(t)
	list := map[string][]string{}
	text, err := os.ReadFile("fields.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		kind, names, _ := strings.Cut(line, ":")
		list[kind] = strings.Fields(names)
	}
	for kind, fields := range page {
		if list[kind] == nil && kind != "https" && !slices.Equal(fields, []string{"mac"}) || list[kind] != nil && !slices.Equal(list[kind], fields) {
			t.Errorf("fields.txt has %s: %q, the page %q", kind, list[kind], fields)
		}
		delete(list, kind)
	}
	if len(list) > 0 {
		t.Errorf("fields.txt has kinds that the page has not: %v", list)
	}
	read := map[string]bool{}
	for _, c := range append(corpus(t), readCases(t, filepath.Join("testdata", "judging.jsonl"))...) {
		for _, e := range evidenceOf(c.Records) {
			read[e.Source+"."+e.Field] = true
			if kind, field := written(e.Source, e.Field); !documented(page[kind], field) {
				t.Errorf("%s.%s is read off %s and not on the page", e.Source, e.Field, c.Case)
			}
		}
	}
	for _, field := range ruleFields(t) {
		kind, name, _ := strings.Cut(field, ".")
		if !documented(page[kind], name) {
			t.Errorf("%s stands in a rule and not on the page", field)
		}
	}
	words := parserWords(t)
	for kind, fields := range page {
		for _, field := range fields {
			literal := strings.TrimSuffix(strings.TrimSuffix(field, "NAME"), "KEY")
			if !read[kind+"."+field] && !strings.Contains(words, `"`+literal+`"`) && !strings.Contains(words, literal) {
				t.Errorf("%s.%s is on the page, and no parser knows it", kind, field)
			}
		}
	}
}

var fieldKey = regexp.MustCompile(`field: (?:\[([^\]]*)\]|([a-z0-9_.-]+))`)

// ruleFields are the fields that the shipped rules match on.
func ruleFields(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("rules", "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fieldKey.FindAllStringSubmatch(string(text), -1) {
			for _, field := range strings.Split(m[1]+m[2], ",") {
				out = append(out, strings.TrimSpace(field))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// parserWords is the text of every parser.
func parserWords(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for _, root := range []string{filepath.Join("..", "discovery"), "probe"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			text.Write(source)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}
