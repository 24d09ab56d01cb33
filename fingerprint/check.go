package fingerprint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// checker collects the faults of one file.
type checker struct {
	file   *ruleFile
	faults []error
}

func (c *checker) fault(line int, format string, args ...any) {
	where := c.file.file
	if line > 0 {
		where = fmt.Sprintf("%s:%d", where, line)
	}
	c.faults = append(c.faults, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
}

var (
	makesWords      = []string{"cameras", "mixed", "other"}
	scopeWords      = []string{"all", "some", "former"}
	tieWords        = []string{"affiliate", "former"}
	confidenceWords = []string{"self", "verified-primary", "verified-secondary", "technical",
		"memory-high", "memory-med", "memory-low"}
	gradeWords   = []Grade{Weak, Medium, Strong}
	groupWords   = []Group{GroupAddress, GroupNative, GroupFirmware, GroupCertificate, GroupModel, GroupTyped}
	supportWords = []string{"manufacturer", "brand", "model", "firmware", "serial", "class", "channels"}
	classWords   = []Class{ClassCamera, ClassRecorder, ClassDoorbell, ClassIntercom,
		ClassAccessControl, ClassEncoder, ClassNetwork, ClassOther}
)

func (c *checker) head() {
	f := c.file
	if f.Maker == "" {
		for _, owned := range []struct {
			key   string
			given bool
		}{{"names", len(f.Names) > 0}, {"registrants", len(f.Registrants) > 0}, {"brands", len(f.Brands) > 0}} {
			if owned.given {
				c.fault(f.lineOf(owned.key, ""), "%s needs a maker", owned.key)
			}
		}
		return
	}
	if !slices.Contains(makesWords, f.Makes) && f.Makes != "" {
		c.fault(f.lineOf("makes", ""), "makes is %q, not one of %s", f.Makes, strings.Join(makesWords, ", "))
	}
	if f.Mainly != "" && !slices.Contains(classWords, f.Mainly) {
		c.fault(f.lineOf("mainly", ""), "mainly is %q, not one of %v", f.Mainly, classWords)
	}
	if f.Group.Of != "" && !slices.Contains(tieWords, f.Group.Tie) {
		c.fault(f.Group.line, "group.tie is %q, not one of %s", f.Group.Tie, strings.Join(tieWords, ", "))
	}
	for _, b := range f.Brands {
		c.brand(b)
	}
	for _, m := range f.Model {
		if _, err := regexp.Compile("(?i)" + m.Pattern); err != nil {
			c.fault(m.line, "model pattern: %v", err)
		}
	}
}

func (c *checker) brand(b brandRow) {
	switch {
	case b.Brand == "":
		c.fault(b.line, "a brand row needs brand")
	case !slices.Contains(scopeWords, b.Scope):
		c.fault(b.line, "brand %s: scope is %q, not one of %s", b.Brand, b.Scope, strings.Join(scopeWords, ", "))
	case !slices.Contains(confidenceWords, b.Confidence):
		c.fault(b.line, "brand %s: confidence is %q, not one of %s", b.Brand, b.Confidence, strings.Join(confidenceWords, ", "))
	case b.Source == "":
		c.fault(b.line, "brand %s: needs source", b.Brand)
	}
	if _, err := regexp.Compile("(?i)" + b.Models); err != nil {
		c.fault(b.line, "brand %s: models: %v", b.Brand, err)
	}
}

var (
	ruleID    = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)
	fieldName = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_-]+)+$`)
	capture   = regexp.MustCompile(`\$[1-9]`)
)

func (c *checker) rule(r *ruleEntry, ids map[string]bool) {
	if !ruleID.MatchString(r.ID) {
		c.fault(r.line, "rule id %q: lower-case letters, digits, dots and dashes only", r.ID)
	}
	if ids[r.ID] {
		c.fault(r.line, "rule %s stands twice in this file", r.ID)
	}
	ids[r.ID] = true
	if !slices.Contains(gradeWords, r.Grade) {
		c.fault(r.line, "rule %s: grade is %q, not one of weak, medium, strong", r.ID, r.Grade)
	}
	if !slices.Contains(groupWords, r.Group) {
		c.fault(r.line, "rule %s: group is %q, not one of ADDRESS, NATIVE, FIRMWARE, CERTIFICATE, MODEL, TYPED", r.ID, r.Group)
	}
	for _, need := range []struct{ key, value string }{{"means", r.Means}, {"source", r.Source}} {
		if need.value == "" {
			c.fault(r.line, "rule %s: needs %s", r.ID, need.key)
		}
	}
	if _, err := time.Parse(time.DateOnly, r.Date); err != nil {
		c.fault(r.line, "rule %s: date %q is not a date (YYYY-MM-DD)", r.ID, r.Date)
	}
	c.conditions(r)
	c.supports(r)
	c.restraint(r)
	if len(r.Examples) == 0 {
		c.fault(r.line, "rule %s: needs at least one example that matches", r.ID)
	}
}

func (c *checker) conditions(r *ruleEntry) {
	if len(r.Match) == 0 {
		c.fault(r.line, "rule %s: needs match", r.ID)
	}
	if len(r.Match)+len(r.Unless) > 8 {
		c.fault(r.line, "rule %s: more than 8 conditions", r.ID)
	}
	captures := 0
	for i := range len(r.Match) + len(r.Unless) {
		cond := r.condition(i)
		if len(cond.Field) == 0 {
			c.fault(cond.line, "rule %s: a condition needs field", r.ID)
		}
		for _, f := range cond.Field {
			if fault := unknownField(f); fault != "" {
				c.fault(cond.line, "rule %s: field %q %s", r.ID, f, fault)
			}
		}
		if cond.Pattern == "" {
			c.fault(cond.line, "rule %s: a condition needs pattern", r.ID)
			continue
		}
		p, err := compilePattern(cond.Pattern)
		if err != nil {
			c.fault(cond.line, "rule %s: pattern: %v", r.ID, err)
			continue
		}
		cond.ready = p
		if i < len(r.Match) {
			captures += p.captures
		}
	}
	for what, text := range r.Supports {
		for _, m := range capture.FindAllString(text, -1) {
			if int(m[1]-'0') > captures {
				c.fault(r.line, "rule %s: supports.%s uses %s, the patterns capture %d", r.ID, what, m, captures)
			}
		}
	}
}

// condition is the i-th of match and unless.
func (r *ruleEntry) condition(i int) *condition {
	if i < len(r.Match) {
		return &r.Match[i]
	}
	return &r.Unless[i-len(r.Match)]
}

func (c *checker) supports(r *ruleEntry) {
	if len(r.Supports) == 0 && c.file.Maker == "" {
		c.fault(r.line, "rule %s: needs supports, as the file names no maker", r.ID)
	}
	for what, text := range r.Supports {
		switch {
		case !slices.Contains(supportWords, what):
			c.fault(r.line, "rule %s: supports %q, not one of %s", r.ID, what, strings.Join(supportWords, ", "))
		case text == "":
			c.fault(r.line, "rule %s: supports.%s is empty", r.ID, what)
		case what == "class" && !slices.Contains(classWords, Class(text)):
			c.fault(r.line, "rule %s: class %q is not known", r.ID, text)
		case (what == "manufacturer" || what == "brand") && strings.Contains(text, "$"):
			c.fault(r.line, "rule %s: supports.%s must be a name, not a capture", r.ID, what)
		}
	}
}

// restraint holds a rule to what its evidence is worth (DESIGN section 3).
func (c *checker) restraint(r *ruleEntry) {
	if len(r.Match) == 0 {
		return // told already
	}
	typed, favicon := true, true
	for _, cond := range r.Match {
		typed = typed && slices.ContainsFunc(cond.Field, func(f string) bool { return typedFields[f] })
		favicon = favicon && slices.ContainsFunc(cond.Field, func(f string) bool { return strings.HasPrefix(f, "favicon.") })
	}
	if typed && r.Group != GroupTyped {
		c.fault(r.line, "rule %s: rests only on what an owner can type: its group is TYPED", r.ID)
	}
	if r.Grade == Weak {
		return
	}
	if typed || r.Group == GroupTyped {
		c.fault(r.line, "rule %s: a typed field is weak at most", r.ID)
	}
	if favicon {
		c.fault(r.line, "rule %s: a favicon is weak at most", r.ID)
	}
}

// typedFields are those whose text the owner can set: a brand at most, never
// more than a hint.
var typedFields = map[string]bool{
	"wsd.scope.name": true, "wsd.scope.location": true, "onvif.hostname": true,
	"mdns.instance": true, "mdns.host": true, "dhcp.hostname": true,
	"http.title": true, "https.title": true, "upnp.friendly_name": true,
	"dhip.name": true, "isapi.device_name": true, "hostname.name": true,
}
