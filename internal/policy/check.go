package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"camcensus/fingerprint"
	"go.yaml.in/yaml/v3"
)

// checker collects the faults of one policy file.
type checker struct {
	file   string
	tree   *yaml.Node
	faults []error
}

// fault cites the line of the value at a path of keys and indexes.
func (c *checker) fault(at []string, format string, args ...any) {
	where := c.file
	if line := lineOf(c.tree, at); line > 0 {
		where = fmt.Sprintf("%s:%d", c.file, line)
	}
	c.faults = append(c.faults, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
}

// lineOf follows a path through the tree; where a key is missing the line of
// its mapping serves.
func lineOf(n *yaml.Node, at []string) int {
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		return lineOf(n.Content[0], at)
	}
	if len(at) == 0 {
		return n.Line
	}
	if n.Kind == yaml.SequenceNode {
		var i int
		if _, err := fmt.Sscan(at[0], &i); err == nil && i < len(n.Content) {
			return lineOf(n.Content[i], at[1:])
		}
		return n.Line
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == at[0] {
			return lineOf(n.Content[i+1], at[1:])
		}
	}
	return n.Line
}

var (
	policyID      = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	verdictWords  = []string{Banned, SuspectedV, Clear}
	measureWords  = []string{"prohibited", "assess", "ask", "no_use_ban"}
	statedWords   = []string{"", "yes", "no", "unstated"}
	verbWords     = []string{"buy", "use", "install", "authorise", "import", "connect", "contract", "deploy"}
	classWords    = []fingerprint.Class{fingerprint.ClassCamera, fingerprint.ClassRecorder, fingerprint.ClassDoorbell, fingerprint.ClassIntercom, fingerprint.ClassAccessControl, fingerprint.ClassEncoder, fingerprint.ClassNetwork, fingerprint.ClassOther}
	markWords     = []string{"V1", "V2", "T", "M"}
	requiredWords = "id, version, instrument, issuer, verb, manufacturers, classes, says, reviewed_on"
)

func (c *checker) policy(p *Policy) {
	if !policyID.MatchString(p.Name) {
		c.fault([]string{"id"}, "id %q: lower-case letters, digits and dashes only", p.Name)
	}
	for key, value := range map[string]string{"instrument": p.Instrument.EN, "issuer": p.Issuer.EN, "says": p.Says.EN} {
		if value == "" {
			c.fault([]string{key}, "%s is missing (needed: %s)", key, requiredWords)
		}
	}
	c.dates(p)
	for _, verb := range append([]string{p.Verb}, p.Verbs...) {
		if !slices.Contains(verbWords, verb) {
			c.fault([]string{"verb"}, "verb %q is not one of %s", verb, strings.Join(verbWords, ", "))
		}
	}
	if len(p.Manufacturers) == 0 {
		c.fault([]string{"manufacturers"}, "manufacturers is missing (needed: %s)", requiredWords)
	}
	for i, m := range p.Manufacturers {
		c.manufacturer(m, i)
	}
	c.reach("relabels", p.Relabels)
	c.reach("affiliates", p.Affiliates)
	c.reach("former_affiliates", p.Former)
	if len(p.Classes) == 0 {
		c.fault([]string{"classes"}, "classes is missing (needed: %s)", requiredWords)
	}
	for i, class := range p.Classes {
		if !slices.Contains(classWords, class) {
			c.fault([]string{"classes", fmt.Sprint(i)}, "class %q is not known", class)
		}
	}
	for i, s := range p.Sources {
		if !slices.Contains(markWords, s.Mark) {
			c.fault([]string{"sources", fmt.Sprint(i), "mark"}, "mark %q is not one of %s", s.Mark, strings.Join(markWords, ", "))
		}
	}
}

func (c *checker) dates(p *Policy) {
	for key, value := range map[string]string{"version": p.Version, "reviewed_on": p.ReviewedOn} {
		if _, err := time.Parse(time.DateOnly, value); err != nil {
			c.fault([]string{key}, "%s %q is not a date (YYYY-MM-DD)", key, value)
		}
	}
	for key, value := range map[string]string{"announced": p.Announced, "effective": p.Effective, "ended": p.Ended} {
		if _, err := time.Parse(time.DateOnly, value); value != "" && err != nil {
			c.fault([]string{key}, "%s %q is not a date (YYYY-MM-DD)", key, value)
		}
	}
	if p.Acquired == nil {
		return
	}
	after, err := time.Parse(time.DateOnly, p.Acquired.After)
	if err != nil {
		c.fault([]string{"acquired", "after"}, "acquired.after %q is not a date (YYYY-MM-DD)", p.Acquired.After)
	}
	p.Acquired.after = after
	c.reach("acquired", p.Acquired.Before)
	c.reach("acquired", p.Acquired.Undated)
}

func (c *checker) manufacturer(m Manufacturer, i int) {
	at := []string{"manufacturers", fmt.Sprint(i)}
	switch {
	case m.Maker == "":
		c.fault(at, "a manufacturer needs maker")
	case !slices.Contains(verdictWords, m.Verdict):
		c.fault(append(at, "verdict"), "%s: verdict %q is not one of %s", m.Maker, m.Verdict, strings.Join(verdictWords, ", "))
	case !slices.Contains(measureWords, m.Measure):
		c.fault(append(at, "measure"), "%s: measure %q is not one of %s", m.Maker, m.Measure, strings.Join(measureWords, ", "))
	}
}

func (c *checker) reach(key string, r Reach) {
	at := []string{key}
	if r.Verdict != "" && !slices.Contains(verdictWords, r.Verdict) {
		c.fault(append(at, "verdict"), "%s: verdict %q is not one of %s", key, r.Verdict, strings.Join(verdictWords, ", "))
	}
	if r.Verdict != "" && !slices.Contains(measureWords, r.Measure) {
		c.fault(append(at, "measure"), "%s: measure %q is not one of %s", key, r.Measure, strings.Join(measureWords, ", "))
	}
	if !slices.Contains(statedWords, r.Stated) {
		c.fault(append(at, "stated"), "%s: stated %q is not one of yes, no, unstated", key, r.Stated)
	}
}
