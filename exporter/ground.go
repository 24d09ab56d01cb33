package exporter

import (
	"regexp"
	"strings"

	"camcensus/internal/inventory"
)

// What an event rests on is shown up to so many characters, and unfolded up to
// that many.
const (
	maxGround   = 1200
	maxUnfolded = 160
)

// grounds are what the inventory itself writes as an event's evidence. What a
// device or a person said, and the names of rules, stand as they are.
var grounds = []struct {
	written *regexp.Regexp
	say     func(t tongue, x []string) string
}{
	{regexp.MustCompile(`^first seen (\S+)$`), func(t tongue, x []string) string { return t.T("first seen %s", x[0]) }},
	{regexp.MustCompile(`^last sign (\S+)$`), func(t tongue, x []string) string { return t.T("last sign %s", x[0]) }},
	{regexp.MustCompile(`^as event (\d+): determination taken back by (.*)$`), func(t tongue, x []string) string {
		return t.T("as event %s: determination withdrawn by %s", x[0], x[1])
	}},
	{regexp.MustCompile(`^as event (\d+): determined by (.*?): (.*)$`), func(t tongue, x []string) string {
		return t.T("as event %s: determined by %s: %s", x[0], x[1], t.finding(x[2]))
	}},
	{regexp.MustCompile(`^as event (\d+)$`), func(t tongue, x []string) string { return t.T("as event %s", x[0]) }},
	{regexp.MustCompile(`^determined by (.*) on (\d{4}-\d\d-\d\d): (.*)$`), func(t tongue, x []string) string {
		return t.T("determined by %s on %s: %s", x[0], x[1], t.finding(x[2]))
	}},
	{regexp.MustCompile(`^owner (.*), expired (\S+)$`), func(t tongue, x []string) string { return t.T("owner %s, expired %s", x[0], x[1]) }},
	{regexp.MustCompile(`^same words from (\S+)$`), func(t tongue, x []string) string { return t.T("same words from %s", x[0]) }},
	{regexp.MustCompile(`^seen as (\S+)$`), func(t tongue, x []string) string { return t.T("seen as %s", x[0]) }},
	{regexp.MustCompile(`^records (.* sha256:.*)$`), func(t tongue, x []string) string { return t.T("records %s", x[0]) }},
	{regexp.MustCompile(`^same maker and serial$`), func(t tongue, _ []string) string { return t.T("same maker and serial") }},
	{regexp.MustCompile(`^same certificate$`), func(t tongue, _ []string) string { return t.T("same certificate") }},
	{regexp.MustCompile(`^more devices bear its serial than a recorder has interfaces$`), func(t tongue, _ []string) string {
		return t.T("more devices bear its serial than a recorder has interfaces")
	}},
	{regexp.MustCompile(`^its MAC stands for many addresses: a gateway's$`), func(t tongue, _ []string) string {
		return t.T("its MAC stands for many addresses: a gateway's")
	}},
}

// owned is the evidence of an exception: what follows the owner are a person's
// words.
var owned = regexp.MustCompile(`(?s)^owner (.*?): (.*)$`)

// ground says in words what an event rests on, in one line.
func (t tongue) ground(e *inventory.Event) string {
	text := strings.Join(strings.Fields(e.Evidence), " ")
	switch e.Event {
	case "excepted":
		if m := owned.FindStringSubmatch(text); m != nil {
			return t.T("owner %s: %s", m[1], m[2])
		}
		return text
	case "removed", "determined", "annotated": // a person's words
		return text
	case "merged", "split":
		if e.By != "" {
			return text
		}
	case "network_lost", "network_back":
		return t.Phrase(text)
	}
	parts := strings.Split(text, "; ")
	for n, part := range parts {
		for _, g := range grounds {
			if m := g.written.FindStringSubmatch(part); m != nil {
				parts[n] = g.say(t, m[1:])
				break
			}
		}
	}
	return strings.Join(parts, "; ")
}

// finding says a determination, "Axis (label)", with its basis in words.
func (t tongue) finding(line string) string {
	for _, basis := range bases {
		if maker, is := strings.CutSuffix(line, " ("+basis+")"); is {
			return maker + " (" + t.basisOfFinding(basis) + ")"
		}
	}
	return line
}
