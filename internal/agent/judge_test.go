package agent

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAFolderOfOnesOwnFilesMayBeEmpty: a configuration names rules.d and
// policy.d before there is anything in them; a file that it names must be there.
func TestAFolderOfOnesOwnFilesMayBeEmpty(t *testing.T) {
	dir := t.TempDir()
	rules, lists := filepath.Join(dir, "rules.d", "*.yml"), filepath.Join(dir, "policy.d", "*.yml")
	j, err := NewJudge(JudgeOptions{Lists: []string{"ca-hikvision-2025"}, RuleFiles: []string{rules}, PolicyFiles: []string{lists}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"rules: no file matches " + rules, "policy: no file matches " + lists}; !slices.Equal(j.Unused, want) {
		t.Errorf("%q, want %q", j.Unused, want)
	}
	for _, o := range []JudgeOptions{{RuleFiles: []string{filepath.Join(dir, "own.yml")}}, {PolicyFiles: []string{filepath.Join(dir, "own.yml")}}} {
		o.Lists = []string{"ca-hikvision-2025"}
		if _, err := NewJudge(o); err == nil || !strings.Contains(err.Error(), "own.yml: no such file") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
