package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"camcensus/exporter"
)

// pages are the texts for people, by their path from the repository's root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..")
	out := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "deploy/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			rel, err := filepath.Rel(root, f)
			if err != nil {
				t.Fatal(err)
			}
			out[rel] = string(text)
		}
	}
	return out
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fence   = regexp.MustCompile("(?s)```[a-z]*\n(.*?)```")
)

func TestEveryRelativeLinkLeadsSomewhere(t *testing.T) {
	texts := pages(t)
	for page, text := range texts {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join("..", "..", target)); err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
			}
			if anchor != "" && !slices.Contains(anchors(texts[target]), anchor) {
				t.Errorf("%s: %s: %s has no such heading", page, m[1], target)
			}
		}
	}
}

// anchors are the names by which a page's headings are linked to.
func anchors(text string) []string {
	var out []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")
		out = append(out, strings.Map(func(r rune) rune {
			if r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, name))
	}
	return out
}

func TestEveryCommandShownParses(t *testing.T) {
	seen := 0
	for page, text := range pages(t) {
		for _, line := range commandLines(text) {
			seen++
			if err := parses(line); err != nil {
				t.Errorf("%s: camcensus %s: %v", page, strings.Join(line, " "), err)
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d command lines were found: does the search still work?", seen)
	}
}

var (
	program = regexp.MustCompile(`(?:^|[\s/;(])camcensus ([a-z-][^|;&>]*)`)
	inline  = regexp.MustCompile("`((?:sudo )?(?:bin/)?camcensus [^`\n]+)`")
)

// commandLines are the arguments of every camcensus command in a page: in
// fenced blocks after a prompt, and in backquotes. "..." and words in
// capitals stand for arguments.
func commandLines(text string) [][]string {
	var out [][]string
	add := func(line string) {
		line, _, _ = strings.Cut(line, " #")
		if strings.Contains(line, "docker ") || strings.Contains(line, "install ") {
			return
		}
		for _, m := range program.FindAllStringSubmatch(line, -1) {
			if args := words(m[1]); !slices.Contains(args, "...") {
				out = append(out, args)
			}
		}
		if strings.Contains(line, "./cmd/camcensus demo") {
			out = append(out, []string{"demo"})
		}
	}
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		for line := range strings.SplitSeq(block[1], "\n") {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				add(command)
			}
		}
	}
	for _, m := range inline.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		add(m[1])
	}
	return out
}

// words splits a command line at spaces outside double quotes.
func words(line string) []string {
	quoted := false
	fields := strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
	for i, f := range fields {
		fields[i] = strings.ReplaceAll(f, `"`, "")
	}
	return fields
}

// parses tells what is wrong with a command line; nothing is run. The name of
// a group of commands alone is right in a text.
func parses(args []string) error {
	app, commands := application(streams{strings.NewReader(""), io.Discard, io.Discard})
	name := strings.Join(args, " ")
	if commands[name] != nil || app.GetCommand(name) != nil {
		return nil
	}
	args = slices.Clone(args)
	for i, a := range args {
		if a == "N" || strings.HasSuffix(a, "=N") {
			args[i] = strings.TrimSuffix(a, "N") + "1"
		}
	}
	_, _, err := parse(app, args)
	return err
}

var metricName = regexp.MustCompile(`\bcamcensus_[a-z_]+[a-z]\b`)

func TestMetricsPageNamesEveryMetricAndNoOther(t *testing.T) {
	text := pages(t)[filepath.Join("docs", "metrics.md")]
	names := exporter.MetricNames()
	for _, n := range names {
		if !strings.Contains(text, "| `"+n+"` |") {
			t.Errorf("docs/metrics.md does not list %s", n)
		}
	}
	for _, n := range metricName.FindAllString(text, -1) {
		if !slices.Contains(names, n) {
			t.Errorf("docs/metrics.md names %s, which does not exist", n)
		}
	}
}

func TestAPIPageNamesEveryPath(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "exporter", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Paths map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(content, &spec); err != nil {
		t.Fatal(err)
	}
	text := pages(t)[filepath.Join("docs", "api.md")]
	names := strings.NewReplacer("{id}", "ID", "{exception}", "WHICH", "/api/v1/resume", "/resume", "/api/v1/rescan", "/rescan")
	for path := range spec.Paths {
		if !strings.HasPrefix(path, "/static/") && !strings.Contains(text, names.Replace(path)) {
			t.Errorf("docs/api.md does not name %s", path)
		}
	}
}

func TestRunbookHasASectionForEveryAlert(t *testing.T) {
	rules, err := os.ReadFile(filepath.Join("..", "..", "deploy", "prometheus", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	all := pages(t)
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if !strings.Contains(all[filepath.Join("deploy", "RUNBOOK.md")], "\n## "+m[1]+"\n") {
			t.Errorf("deploy/RUNBOOK.md has no section %s", m[1])
		}
		if !strings.Contains(all[filepath.Join("docs", "deploy.md")], m[1]) {
			t.Errorf("docs/deploy.md does not list %s", m[1])
		}
	}
}
