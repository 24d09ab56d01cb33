package fingerprint

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// none stands for no maker.
const none = -1

// maker is one maker file, or several of the same name, compiled.
type maker struct {
	name        string
	legal       []string
	listed      bool
	of          int // the maker whose affiliate it is, or none
	former      bool
	makes       string
	mainly      Class // what a device of unknown kind is taken to be, "" when the firm makes many kinds
	registrants []string
	respell     []respelling
	// relabels tells whose devices it sells under its own name.
	relabels    []relabel
	own         []string // its own brands
	addressRule string   // how reasons cite its registered addresses
}

type respelling struct {
	pattern *regexp.Regexp
	replace string
}

// relabel is one row of a maker's brands that is another firm's label.
type relabel struct {
	maker  int // who makes the devices
	scope  string
	memory bool
	models *regexp.Regexp // nil: any
}

// rule is one compiled rule.
type rule struct {
	id       string
	maker    int // none when it names no maker
	brand    string
	ownBrand bool // the brand is the maker's own label
	class    Class
	model    string // templates
	firmware string
	serial   string
	channels string
	captures bool // a template holds $n
	grade    strength
	group    groupAt
	means    string
	label    bool  // rests only on a label that a seller sets: a brand, not a maker
	own      uint8 // the row of ownNames it stands for, from 1; 0: none
	all      uint16
	veto     uint16
	match    []*clause
	order    []*clause // match, those first that are the soonest to fail, vetoes last
	number   int32     // index into Ruleset.rules
}

// clause is one condition of one rule.
type clause struct {
	rule    *rule
	number  int32 // index into index.clauses
	bit     uint16
	fields  []string
	pattern *pattern
}

// strength is a Grade that compares.
type strength uint8

const (
	nothing strength = iota
	weak
	medium
	strong
)

var strengths = map[Grade]strength{Weak: weak, Medium: medium, Strong: strong}

func (s strength) name() Grade { return [...]Grade{"", Weak, Medium, Strong}[s] }

// groupAt is a Group as an index.
type groupAt uint8

const (
	signAddress groupAt = iota
	signNative
	signFirmware
	signCertificate
	signModel
	signTyped
	groupCount
)

var groupOf = [groupCount]Group{GroupAddress, GroupNative, GroupFirmware, GroupCertificate, GroupModel, GroupTyped}

func signOf(g Group) groupAt { return groupAt(slices.Index(groupOf[:], g)) }

// labelFields hold the maker's name as whoever sells the device set it.
var labelFields = map[string]bool{
	"wsd.scope.name": true, "wsd.scope.manufacturer": true, "onvif.manufacturer": true,
	"upnp.manufacturer": true, "upnp.manufacturer_url": true, "upnp.friendly_name": true,
	"upnp.model": true, "upnp.model_description": true, "upnp.model_number": true, "upnp.model_url": true,
	"dhip.vendor": true, "dhip.manufacturer": true, "sadp.oeminfo": true,
	"isapi.manufacturer": true, "http.title": true, "mdns.instance": true,
	"mdns.txt.vendor": true, "mdns.txt.manufacturer": true, "ssdp.usn": true,
	"dhcp.vendor_class": true, "dhcp.hostname": true, "tvt.brand": true,
	"onvif.model": true, "wsd.scope.hardware": true, "isapi.model": true, "sadp.model": true, "dhip.model": true,
}

type compiler struct {
	set    *Ruleset
	faults []error
	files  []*ruleFile
}

// compile joins the files to one set. It tells every fault between files; a
// fault within one was told when it was read.
func compile(files []*ruleFile) (*Ruleset, []error) {
	c := &compiler{
		set: &Ruleset{
			byName:      map[string]int{},
			brands:      map[string]string{},
			labels:      map[int][]string{},
			registrants: map[string]int{},
		},
		files: files,
	}
	c.makers()
	c.groups()
	c.brands()
	c.rules()
	c.ownNames()
	slices.SortStableFunc(c.set.rules, func(a, b *rule) int { return strings.Compare(a.id, b.id) })
	if len(c.faults) > 0 {
		return c.set, c.faults
	}
	c.set.index = newIndex(c.set.rules)
	return c.set, nil
}

func (c *compiler) fault(f *ruleFile, line int, format string, args ...any) {
	(&checker{file: f, faults: nil}).into(&c.faults, line, format, args...)
}

func (k *checker) into(faults *[]error, line int, format string, args ...any) {
	k.fault(line, format, args...)
	*faults = append(*faults, k.faults...)
}

// makers gives every maker its place; files are sorted so that a set is the
// same however it was read.
func (c *compiler) makers() {
	var names []string
	for _, f := range c.files {
		if f.Maker != "" && !slices.Contains(names, f.Maker) {
			names = append(names, f.Maker)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
	})
	for i, name := range names {
		c.set.byName[name] = i
		c.set.makers = append(c.set.makers, &maker{name: name, of: none, addressRule: slug(name) + "/address"})
		key := strings.ToLower(name)
		if other, twice := c.set.brands[key]; twice {
			c.faults = append(c.faults, fmt.Errorf("makers %q and %q differ in case only", other, name))
		}
		c.set.brands[key] = name
	}
	for _, f := range c.files {
		if f.Maker != "" {
			c.head(f, c.set.byName[f.Maker])
		}
	}
	for _, m := range c.set.makers {
		if m.makes == "" {
			m.makes = "mixed"
		}
		if m.mainly == "" && m.makes == "cameras" {
			m.mainly = ClassCamera
		}
	}
}

func (c *compiler) head(f *ruleFile, at int) {
	m := c.set.makers[at]
	m.legal = append(m.legal, f.Names...)
	m.listed = m.listed || f.Listed
	if f.Makes != "" {
		if m.makes != "" && m.makes != f.Makes {
			c.fault(f, f.lineOf("makes", ""), "makes is %q here and %q in another file of %s", f.Makes, m.makes, m.name)
		}
		m.makes = f.Makes
	}
	if f.Mainly != "" {
		m.mainly = f.Mainly
	}
	for _, registrant := range f.Registrants {
		if other, taken := c.set.registrants[registrant]; taken && other != at {
			c.fault(f, f.lineOf("registrants", registrant), "registrant %q belongs to %s already", registrant, c.set.makers[other].name)
			continue
		}
		c.set.registrants[registrant] = at
		m.registrants = append(m.registrants, registrant)
	}
	for _, r := range f.Model {
		if re, err := regexp.Compile("(?i)" + r.Pattern); err == nil {
			m.respell = append(m.respell, respelling{pattern: re, replace: r.Replace})
		}
	}
}

func (c *compiler) groups() {
	for _, f := range c.files {
		if f.Group.Of == "" || f.Maker == "" {
			continue
		}
		m := c.set.makers[c.set.byName[f.Maker]]
		of, known := c.set.byName[f.Group.Of]
		if !known {
			c.fault(f, f.Group.line, "group: no file has maker %q", f.Group.Of)
			continue
		}
		m.of, m.former = of, f.Group.Tie == "former"
	}
	for _, m := range c.set.makers {
		if m.of != none {
			m.listed = m.listed || (c.set.makers[m.of].listed && !m.former)
		}
	}
}

func (c *compiler) brands() {
	for _, f := range c.files {
		for _, row := range f.Brands {
			if key := strings.ToLower(row.Brand); c.set.brands[key] == "" {
				c.set.brands[key] = row.Brand
			}
		}
	}
	for _, f := range c.files {
		at, ok := c.set.byName[f.Maker]
		if !ok {
			continue
		}
		for _, row := range f.Brands {
			if row.Own {
				c.set.makers[at].own = append(c.set.makers[at].own, c.set.brands[strings.ToLower(row.Brand)])
			}
			seller, known := c.set.byName[c.set.brands[strings.ToLower(row.Brand)]]
			if row.Own || !known || seller == at {
				continue
			}
			r := relabel{maker: at, scope: row.Scope, memory: strings.HasPrefix(row.Confidence, "memory")}
			if row.Models != "" {
				r.models, _ = regexp.Compile("(?i)" + row.Models)
			}
			m := c.set.makers[seller]
			m.relabels = append(m.relabels, r)
		}
	}
	for at, m := range c.set.makers {
		head := c.set.head(at)
		c.set.labels[head] = append(append(c.set.labels[head], m.name), m.own...)
	}
}

func (c *compiler) rules() {
	ids := map[string]string{}
	for _, f := range c.files {
		for i := range f.Rules {
			entry := &f.Rules[i]
			r := c.rule(f, entry)
			if r == nil {
				continue
			}
			if other, twice := ids[r.id]; twice {
				c.fault(f, entry.line, "rule %s stands in %s already", r.id, other)
				continue
			}
			ids[r.id] = f.file
			c.set.rules = append(c.set.rules, r)
		}
	}
}

func (c *compiler) rule(f *ruleFile, entry *ruleEntry) *rule {
	r := &rule{
		id: stem(f.file) + "/" + entry.ID, maker: none,
		grade: strengths[entry.Grade], means: entry.Means,
		model: entry.Supports["model"], firmware: entry.Supports["firmware"],
		serial: entry.Supports["serial"], channels: entry.Supports["channels"],
		class: Class(entry.Supports["class"]),
	}
	if g := signOf(entry.Group); g < groupCount {
		r.group = g
	}
	name := entry.Supports["manufacturer"]
	if len(entry.Supports) == 0 {
		name = f.Maker
	}
	if name != "" {
		at, known := c.set.byName[name]
		if !known {
			c.fault(f, entry.line, "rule %s: no file has maker %q", entry.ID, name)
			return nil
		}
		r.maker = at
		if c.set.makers[at].listed && r.grade > weak && len(entry.Counter) == 0 {
			c.fault(f, entry.line, "rule %s: speaks for %s, which a list names: needs at least one counter", entry.ID, name)
		}
	}
	if !c.brandOf(f, entry, r) || !c.clauses(entry, r) {
		return nil
	}
	templates := r.model + r.firmware + r.serial + r.channels
	r.captures = strings.Contains(templates, "$")
	return r
}

// brandOf settles the rule's brand and holds a relabel known from memory to
// a hint.
func (c *compiler) brandOf(f *ruleFile, entry *ruleEntry, r *rule) bool {
	name := entry.Supports["brand"]
	if name == "" {
		return true
	}
	r.brand = c.set.brands[strings.ToLower(name)]
	if r.brand == "" {
		c.fault(f, entry.line, "rule %s: brand %q is in no file's brands and no maker", entry.ID, name)
		return false
	}
	if r.maker == none {
		return true
	}
	row, found := c.row(r.maker, r.brand)
	r.ownBrand = r.brand == c.set.makers[r.maker].name || (found && row.Own)
	if found && !row.Own && strings.HasPrefix(row.Confidence, "memory") && r.grade > weak {
		c.fault(f, entry.line, "rule %s: %s is known from memory only as a label of %s: weak at most",
			entry.ID, r.brand, c.set.makers[r.maker].name)
		return false
	}
	return true
}

func (c *compiler) row(at int, brand string) (best brandRow, found bool) {
	for _, f := range c.files {
		if f.Maker != c.set.makers[at].name {
			continue
		}
		for _, row := range f.Brands {
			if !strings.EqualFold(row.Brand, brand) {
				continue
			}
			if !found || strings.HasPrefix(best.Confidence, "memory") {
				best, found = row, true
			}
		}
	}
	return best, found
}

func (c *compiler) clauses(entry *ruleEntry, r *rule) bool {
	bit := uint16(1)
	r.label = true
	for i := range len(entry.Match) + len(entry.Unless) {
		cond := entry.condition(i)
		if cond.ready == nil {
			return false // told by the checker
		}
		k := &clause{rule: r, bit: bit, pattern: cond.ready}
		for _, field := range cond.Field {
			k.fields = append(k.fields, aliasField(field))
		}
		if i < len(entry.Match) {
			r.all |= bit
			for _, field := range k.fields {
				r.label = r.label && labelFields[field]
			}
		} else {
			r.veto |= bit
		}
		r.match = append(r.match, k)
		bit <<= 1
	}
	return len(entry.Match) > 0
}

// aliasField names a field as the index keeps it: https is http.
func aliasField(field string) string {
	if rest, ok := strings.CutPrefix(field, "https."); ok {
		return "http." + rest
	}
	return field
}

func aliasKind(kind string) string {
	if kind == "https" {
		return "http"
	}
	return kind
}

// slug is a name in lower case with dashes.
func slug(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
}
