package fingerprint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"camcensus/fingerprint"
)

// TestRulesPage loads the file that docs/rules.md shows as an example.
func TestRulesPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "rules.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/rules.md shows no rule file")
	}
	file := filepath.Join(t.TempDir(), "mymaker.yml")
	if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := range fingerprint.Check(file) {
		t.Error(err)
	}
}
