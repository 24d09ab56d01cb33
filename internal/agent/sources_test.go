package agent

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// section is what a page says under a heading.
func section(page, heading string) string {
	_, rest, ok := strings.Cut(page, "\n## "+heading+"\n")
	if !ok {
		return ""
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

func TestThePageOfSourcesSaysWhatEachOneIs(t *testing.T) {
	b, err := os.ReadFile("../../docs/sources.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, p := range Protocols {
		text := section(page, p.Name)
		if text == "" {
			t.Errorf("docs/sources.md has no section %q", p.Name)
			continue
		}
		settings, err := yaml.Marshal(p.Settings())
		if err != nil {
			t.Fatal(err)
		}
		var indented strings.Builder
		for line := range strings.Lines(string(settings)) {
			indented.WriteString("  " + line)
		}
		want := []string{p.Summary, "```yaml\n" + p.Name + ":\n" + indented.String() + "```", "Needs: ", "Sends:"}
		for _, r := range p.Requests {
			want = append(want, "- "+r.Name+" to "+r.To+"\n")
		}
		for _, w := range want {
			if !strings.Contains(text+"\n", w) {
				t.Errorf("docs/sources.md, %s: lacks %q", p.Name, w)
			}
		}
	}
	if n := strings.Count(page, "\n## "); n != len(Protocols) {
		t.Errorf("docs/sources.md has %d sections, there are %d sources", n, len(Protocols))
	}
}
