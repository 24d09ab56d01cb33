package inventory

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// ReportFacts is what the audit report tells beside the inventory.
type ReportFacts struct {
	Property, Organisation, Contact string
	Version                         string // of camcensus
	Policies                        []ReportPolicy
	Networks                        []ReportNetwork
	Sources                         []discovery.Status
	NotInScope                      []discovery.NotInScope
	Exclusions                      []discovery.Exclusion
	Notes                           []string
	RulesVersion, RulesDate         string // of the rule files, and of the newest rule
	Rules, Makers                   int    // that they hold
	RegistryVersion, RegistryDate   string // of the IEEE registry
	UnassessedChannels              int
	RecordersChannelsUnknown        int
}

// ReportPolicy is one active list.
type ReportPolicy struct {
	Name, Version, Verb, ReviewedOn           string
	Titles, Issuers, Instruments, Instruction policy.Words
	NotAssessed                               []string
	// Text words a verdict in a language (policy.Policy.Text); nil: the
	// report says only what would settle it.
	Text func(v policy.Verdict, id fingerprint.Identity, finding, lang string) string
}

// ReportNetwork is one network's coverage.
type ReportNetwork struct {
	Network                                string
	Tried, Answered, Excluded, Unreachable int
	LastSweep                              time.Time
	Up                                     bool
	Reason                                 string
}

// NoteWithoutAgent is a report's note where no agent could tell its coverage.
const NoteWithoutAgent = "Written without a running agent: what the last cycles covered is not known here."

//go:embed report.html
var reportPage string

// reportView is what the page shows.
type reportView struct {
	ReportFacts
	Lang, Site   string
	Period       string
	Written      time.Time
	Whole        bool // since the beginning
	Past         bool // the period ended before the report was written
	Totals       []reportTotal
	States       map[State]int
	Cameras      int
	Unclassified int
	Flagged      iter.Seq[*Device]
	FlaggedCount int
	Unknown      []reportUnknown // the first
	UnknownCount int
	Determined   []Device
	Excepted     []reportException
	Removed      []Device
	Diff         *Diff // the first changes of each list
	Sums         diffSums
	ChainLength  int64
	ChainHead    string
	Problem      string
	words        map[string]map[string]string
	Further      int
}

// reportTotal counts one policy's verdicts over present and missing devices.
type reportTotal struct {
	Policy string
	Count  map[string]int
	Sum    int
}

// Share is the percentage of the sum, with a point.
func (t reportTotal) Share(verdict string) string {
	if t.Sum == 0 {
		return "0"
	}
	return fmt.Sprintf("%.1f", 100*float64(t.Count[verdict])/float64(t.Sum))
}

type reportException struct {
	Device Device
	Exception
}

// reportUnknown is a row of the devices whose maker nobody knows.
type reportUnknown struct {
	ID, IP, MAC string
	Class       fingerprint.Class
	Location    string
	LastSeen    time.Time
}

// maxUnknownListed bounds the table of unknown devices; flagged ones are all
// listed.
const maxUnknownListed = 2000

// exportReport writes the audit report: one HTML file that needs nothing else.
func (i *Inventory) exportReport(ctx context.Context, w io.Writer, o *ExportOptions) error {
	v := &reportView{
		ReportFacts: o.Report, Lang: o.Lang, Site: i.site(), Whole: o.From.IsZero(), Written: i.now(),
		Past:   o.To.Before(i.now().Add(-time.Hour)),
		States: map[State]int{}, words: wordsOnce(),
	}
	if v.Lang != "fr" {
		v.Lang = "en"
	}
	var err error
	if v.Diff, v.Sums, err = i.diff(ctx, o.From, o.To, maxChangesListed); err != nil {
		return err
	}
	v.Period = v.span(o.From, o.To)
	i.tally(v, o)
	v.ChainLength, v.ChainHead = i.Chain()
	v.Problem = i.Health().Problem
	page, err := template.New("report").Funcs(v.functions()).Parse(reportPage)
	if err != nil {
		return err
	}
	return page.Execute(w, v)
}

// tally counts and sorts the devices of the period.
func (i *Inventory) tally(v *reportView, o *ExportOptions) {
	totals := map[string]*reportTotal{}
	for _, p := range o.Report.Policies {
		totals[p.Name] = &reportTotal{Policy: p.Name, Count: map[string]int{}}
	}
	var accused []accusedDevice
	for d := range i.All() {
		if !o.within(d) {
			continue
		}
		v.count(d, totals)
		switch {
		case flagged(d.Verdicts):
			accused = append(accused, accusedDevice{d.ID, worst(d.Verdicts), d.FirstSeen})
		case d.State != Removed && slices.ContainsFunc(d.Verdicts, func(o policy.Verdict) bool { return o.Verdict == policy.Unknown }):
			if v.UnknownCount++; v.UnknownCount <= maxUnknownListed {
				v.Unknown = append(v.Unknown, reportUnknown{d.ID, firstOf(d.IPs), firstOf(d.MACs), d.Class, d.Annotations.Location, d.LastSeen})
			} else {
				v.Further++
			}
		}
		v.collect(d)
	}
	for _, t := range totals {
		v.Totals = append(v.Totals, *t)
	}
	slices.SortFunc(v.Totals, func(a, b reportTotal) int { return strings.Compare(a.Policy, b.Policy) })
	slices.SortStableFunc(accused, func(a, b accusedDevice) int {
		return cmp.Or(cmp.Compare(a.worst, b.worst), a.first.Compare(b.first))
	})
	v.FlaggedCount, v.Flagged = len(accused), i.inFull(accused)
}

// accusedDevice is what orders the flagged devices; each is read in full when
// its turn comes to be written.
type accusedDevice struct {
	id    string
	worst int
	first time.Time
}

// inFull shows the devices with their reasons, one at a time.
func (i *Inventory) inFull(devices []accusedDevice) iter.Seq[*Device] {
	return func(yield func(*Device) bool) {
		for _, a := range devices {
			d, ok := i.Device(a.id)
			if !ok || d.ID != a.id {
				continue // expired or merged meanwhile
			}
			if !yield(&d) {
				return
			}
		}
	}
}

func (v *reportView) count(d *Device, totals map[string]*reportTotal) {
	v.States[d.State]++
	if d.State == Removed {
		return
	}
	if cameraLike(d.Class) {
		v.Cameras++
	}
	judged := false
	for _, one := range d.Verdicts {
		if one.Verdict == policy.Unclassified {
			continue
		}
		judged = true
		t := totals[one.Policy]
		if t == nil {
			t = &reportTotal{Policy: one.Policy, Count: map[string]int{}}
			totals[one.Policy] = t
		}
		t.Count[one.Verdict]++
		t.Sum++
	}
	if !judged {
		v.Unclassified++
	}
}

func (v *reportView) collect(d *Device) {
	for _, x := range d.Exceptions {
		if x.InForce(v.Written) {
			v.Excepted = append(v.Excepted, reportException{*d, x})
		}
	}
	if d.Determination != nil {
		v.Determined = append(v.Determined, *d)
	}
	if d.State == Removed {
		v.Removed = append(v.Removed, *d)
	}
}

// worst: banned before suspected before the rest.
func worst(verdicts []policy.Verdict) int {
	rank := 2
	for _, v := range verdicts {
		switch v.Verdict {
		case policy.Banned:
			return 0
		case policy.SuspectedV:
			rank = 1
		}
	}
	return rank
}

// firstOf returns the first, "" of none.
func firstOf(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

func (v *reportView) functions() template.FuncMap {
	return template.FuncMap{
		"t": v.word, "day": v.day, "time": moment, "verdict": v.verdict, "join": strings.Join, "meaning": v.meaning,
		"reason":        func(r fingerprint.Reason) string { r.Value = clip(r.Value, 120); return r.In(v.Lang) },
		"contradiction": func(text string) string { return fingerprint.Contradiction(text, v.Lang) },
		"in":            func(w policy.Words) string { return w.In(v.Lang) }, "flags": func(d *Device) []policy.Verdict {
			return slices.DeleteFunc(slices.Clone(d.Verdicts), func(o policy.Verdict) bool { return !o.Flagged() })
		},
		"verdicts": func() []string {
			return []string{policy.Unknown, policy.Banned, policy.SuspectedV, policy.Clear, policy.OutOfScope}
		},
		"first": firstOf,
		// A card of few lines is not parted between two pages.
		"short":   func(d *Device) bool { return len(d.Reasons)+4*len(d.Verdicts) <= 14 },
		"percent": v.percent, "phrase": v.phrase, "told": v.told,
		"states": func() []State { return []State{Present, Missing, Removed} },
		"colon":  func() string { return colons[v.Lang] },
		"part":   func(name string, c []Change, sum int) reportPart { return reportPart{name, c, sum - len(c)} },
		"down": func() []discovery.Status {
			return slices.DeleteFunc(slices.Clone(v.Sources), func(s discovery.Status) bool { return s.Up })
		},
	}
}

// reportPart is one list of changes.
type reportPart struct {
	Name    string
	Changes []Change
	Further int
}

// maxChangesListed bounds one list of changes; its sum tells them all.
const maxChangesListed = 200

// told says what happened to a device, each kind of event in one line, and of
// verdicts and exceptions each list: when last, how often, and to what.
func (v *reportView) told(c Change) []string {
	var out []string
	for n := range c.Events {
		e := &c.Events[n]
		if slices.ContainsFunc(c.Events[n+1:], e.alike) {
			continue // the latest tells
		}
		line := v.day(e.Time) + " " + EventWord(v.Lang, e.Event)
		if times := v.times(c, e); times != "" {
			line += " (" + times + ")"
		}
		if to := v.became(e); to != "" {
			line += colons[v.Lang] + " " + to
		}
		if e.By != "" {
			line += " (" + e.By + ")"
		}
		out = append(out, line)
	}
	return out
}

// alike are two events of one kind, of verdicts and exceptions under one list.
func (e *Event) alike(o Event) bool { return e.Event == o.Event && e.list() == o.list() }

// list is the one under which a verdict changed or an exception stood, "" for
// other events.
func (e *Event) list() string {
	switch e.Event {
	case "verdict_changed", "excepted", "exception_expired", "exception_withdrawn":
		name, _, _ := strings.Cut(cmp.Or(e.To, e.From), " ")
		return name
	}
	return ""
}

// times is how often it happened, "" for once: of more events than are shown
// nobody knows which list each was under.
func (v *reportView) times(c Change, e *Event) string {
	alike, kind := 0, 0
	for _, o := range c.Events {
		if o.Event == e.Event {
			kind++
		}
		if e.alike(o) {
			alike++
		}
	}
	switch all := c.Counts[e.Event]; {
	case e.list() == "":
		alike = all
	case kind < all:
		return fmt.Sprintf("%d× %s", all, v.word("in_all"))
	}
	if alike < 2 {
		return ""
	}
	return fmt.Sprintf("%d×", alike)
}

// became is what an event led to, in the report's language.
func (v *reportView) became(e *Event) string {
	switch e.Event {
	case "missing", "removed", "returned":
		return ""
	case "exception_expired", "exception_withdrawn":
		return e.From
	}
	return v.side(e.Event, e.To)
}

// side says what an event changed from or to.
func (v *reportView) side(event, text string) string {
	if text == "" {
		return ""
	}
	before, inner, bracketed := text, "", false
	if n := strings.LastIndex(text, " ("); n >= 0 {
		before, inner, bracketed = text[:n], strings.TrimSuffix(text[n+2:], ")"), true
	}
	switch event {
	case "missing", "removed", "returned":
		return v.word(text)
	case "verdict_changed":
		list, verdict, _ := strings.Cut(before, " ")
		if v.words["verdict."+verdict] != nil {
			verdict = "verdict." + verdict
		}
		before, inner = list+" "+v.word(verdict), "basis."+inner
	case "identified":
		parts := strings.Split(before, ", ")
		for n := range parts {
			parts[n] = v.phrase(parts[n])
		}
		before = strings.Join(parts, ", ")
		if v.words["class."+inner] != nil { // a word that means something else elsewhere
			inner = "class." + inner
		}
	case "determined":
	case "excepted":
		return strings.Replace(text, " until ", " "+v.word("until")+" ", 1)
	case "annotated":
		parts := strings.Split(text, "; ")
		for n := range parts {
			if name, value, ok := strings.Cut(parts[n], "="); ok && v.words[name] != nil {
				parts[n] = v.word(name) + "=" + value
			}
		}
		return strings.Join(parts, "; ")
	default:
		return text
	}
	if bracketed {
		before += " (" + v.word(inner) + ")"
	}
	return before
}

// verdict is the verdict in the instrument's own verb: a list that forbids
// nothing says "on the list".
func (v *reportView) verdict(o policy.Verdict) string {
	if o.Verdict == policy.Banned || o.Verdict == policy.SuspectedV {
		if w := v.words[o.Verdict+"."+o.Verb][v.Lang]; w != "" {
			return w
		}
	}
	return v.word("verdict." + o.Verdict)
}

// meaning is what a verdict means for the device and what would settle it;
// what was seen stands below, once for all lists.
func (v *reportView) meaning(d *Device, o policy.Verdict) string {
	if v.words[o.Text] != nil { // the inventory's own, where no list speaks
		return v.phrase(o.Text)
	}
	for _, p := range v.Policies {
		if p.Name != o.Policy || p.Text == nil {
			continue
		}
		finding := ""
		if d.Determination != nil {
			finding = d.Determination.Manufacturer
		}
		return p.Text(o, spokenOf(d, o), finding, v.Lang)
	}
	return v.word("settle." + o.Verdict)
}

// groupWords finds the group of an affiliate in the verdict's own text, since
// only its judge knew it; so it is with how firmly the maker stands.
var groupWords = regexp.MustCompile(`(?:a firm of|belonged to) the (.+?) group`)

// spokenOf is what a verdict's words need of the identity.
func spokenOf(d *Device, o policy.Verdict) fingerprint.Identity {
	id := fingerprint.Identity{Manufacturer: d.Manufacturer, Brand: d.Brand, Model: d.Model, Class: d.Class, Contradictions: d.Contradictions}
	group := ""
	if m := groupWords.FindStringSubmatch(o.Text); m != nil {
		group = m[1]
	}
	add := func(maker string, standing fingerprint.Standing) {
		id.Candidates = append(id.Candidates, fingerprint.Candidate{Maker: maker, Of: group, Standing: standing,
			Relabel: o.Basis == "relabel", Former: o.Basis == "former_affiliate"})
	}
	if d.Manufacturer != "" {
		standing := fingerprint.Suspected
		if o.Verdict == policy.Banned || o.Text != "" && !strings.Contains(strings.ToLower(o.Text), "the signs point to") {
			standing = fingerprint.Established
		}
		add(d.Manufacturer, standing)
		return id
	}
	for _, r := range d.Reasons {
		add(r.Supports, fingerprint.Suspected)
	}
	return id
}
