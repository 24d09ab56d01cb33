package exporter

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"

	"go.uber.org/zap"

	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

const (
	rowsPerPage = 100
	maxPage     = 1 << 20 // further than any inventory reaches
	// Up to so many devices a list is ordered by address within a verdict;
	// beyond, by id, which costs nothing.
	sortByAddressUpTo = 5000
)

type overview struct {
	frame
	Tiles     []tile
	Judged    int // devices that the tiles share out
	Policies  []policyRow
	Blind     []string
	Networks  []NetworkReport
	Rows      []deviceRow
	Total     int
	First     int
	Last      int
	Previous  string
	Next      string
	Filter    filterForm
	Makers    []string
	Verdicts  []choice
	States    []choice
	Classes   []choice
	ExportURL string
}

// tile is one count of the first screen.
type tile struct {
	Kind, Word, Count, Share, Note, Href string
}

type policyRow struct {
	Policy
	Counts  []string // unknown, banned, suspected, clear, out of scope
	Verdict string   // how this instrument calls its banned
}

type filterForm struct {
	Q, Verdict, State, Class, Manufacturer, Policy string
	Any                                            bool
}

type choice struct {
	Value, Word string
	Chosen      bool
}

type deviceRow struct {
	D        *inventory.Device
	Title    string
	Worst    string // css class and word of the gravest verdict
	Word     string
	Verdicts []verdictCell
	Class    string
	State    string
	Made     string
	SoldAs   string
	Why      string
}

type verdictCell struct {
	Kind, Word, Policy string
	Excepted           bool
}

func (x *Exporter) overviewPage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	f, err := parseFilter(query)
	if err != nil {
		fail(w, http.StatusBadRequest, "invalid", err.Error())
		return
	}
	v := overview{frame: x.frame(w, r, "devices")}
	v.Title = v.T("Devices")
	v.Filter = filterOf(query)
	search := v.search(&f, query)
	t := x.cache.of(v.S)
	v.tiles(t)
	v.policies(t)
	v.blind()
	v.form(t)
	many, err := search()
	if err == nil {
		err = v.list(t, &f, query, many)
	}
	if err != nil {
		x.log.Error("page: list the devices", zap.String("query", printable(r.URL.RawQuery, maxQuery)), zap.Error(err))
		fail(w, http.StatusInternalServerError, "internal", "the devices could not be listed: the log says why")
		return
	}
	x.show(w, "overview", &v)
}

// tiles share out all devices by their gravest verdict, the unknown first.
func (v *overview) tiles(t *sums) {
	for _, verdict := range allVerdicts {
		if verdict != policy.Unclassified {
			v.Judged += t.worst[verdict]
		}
	}
	for _, verdict := range []string{policy.Unknown, policy.Banned, policy.SuspectedV, policy.Clear, policy.OutOfScope} {
		word := v.verdictWord(verdict)
		if verdict == policy.Banned {
			word = v.T("Banned or on a list")
		}
		n := t.worst[verdict]
		v.Tiles = append(v.Tiles, tile{Kind: verdict, Word: word, Count: v.Number(n), Share: v.Percent(n, v.Judged), Href: v.Prefix + "/?verdict=" + verdict + "#list"})
	}
	down := 0
	for _, n := range v.S.Networks {
		if !n.Up {
			down++
		}
	}
	notAssessed := down + v.S.Unassessed + v.S.ChannelsUnknown
	v.Tiles = append(v.Tiles,
		tile{Kind: "not_assessed", Word: v.T("Not assessed"), Count: v.Number(notAssessed), Href: v.Prefix + "/coverage",
			Note: v.T("networks: %s · channels of recorders: %s · recorders that do not say: %s", v.Number(down), v.Number(v.S.Unassessed), v.Number(v.S.ChannelsUnknown))},
		tile{Kind: policy.Unclassified, Word: v.T("Unclassified hosts"), Count: v.Number(t.unclassified), Note: v.T("in no total"), Href: v.Prefix + "/?verdict=unclassified#list"})
}

func (v *overview) policies(t *sums) {
	for _, p := range v.S.Policies {
		counts := make(map[string]int)
		for k, n := range t.verdicts {
			if k.policy == p.Name {
				counts[k.verdict] += n
			}
		}
		row := policyRow{Policy: p, Verdict: v.verdictIn(&policy.Verdict{Verdict: policy.Banned, Verb: p.Verb})}
		for _, verdict := range []string{policy.Unknown, policy.Banned, policy.SuspectedV, policy.Clear, policy.OutOfScope} {
			row.Counts = append(row.Counts, v.Number(counts[verdict]))
		}
		v.Policies = append(v.Policies, row)
	}
}

func (v *overview) blind() {
	v.Networks = v.S.Coverage().Networks
	v.Blind = v.blindSpots()
}

func filterOf(query url.Values) filterForm {
	get := func(name string) string { return printable(query.Get(name), maxQuery) }
	f := filterForm{Q: get("q"), Verdict: get("verdict"), State: get("state"), Class: get("class"), Manufacturer: get("manufacturer"), Policy: get("policy")}
	f.Any = f != filterForm{}
	return f
}

func (v *overview) form(t *sums) {
	for _, verdict := range []string{policy.Unknown, policy.Banned, policy.SuspectedV, policy.Clear, policy.OutOfScope, policy.Unclassified} {
		v.Verdicts = append(v.Verdicts, choice{verdict, v.verdictWord(verdict), verdict == v.Filter.Verdict})
	}
	for _, state := range allStates {
		v.States = append(v.States, choice{state, v.stateWord(inventory.State(state)), state == v.Filter.State})
	}
	for _, class := range classes {
		v.Classes = append(v.Classes, choice{string(class), v.classWord(class), string(class) == v.Filter.Class})
	}
	seen := make(map[string]bool)
	for k := range t.devices {
		if !seen[k.manufacturer] && k.manufacturer != makerOther && k.manufacturer != makerUnknown {
			seen[k.manufacturer] = true
			v.Makers = append(v.Makers, k.manufacturer)
		}
	}
	slices.Sort(v.Makers)
}

// pageNumber is the page that was asked for; anything but a number is the first.
func pageNumber(query url.Values) int {
	number, _ := strconv.Atoi(query.Get("page"))
	return max(1, min(number, maxPage))
}

// search begins to look through very many devices and returns what waits for the
// outcome; nil of few, which list looks through. What it panics with it returns:
// in a goroutine of its own it would end the agent.
func (v *overview) search(f *filter, query url.Values) (wait func() (*ranks, error)) {
	many, unasked, end := v.S.Many, !v.Filter.Any, pageNumber(query)*rowsPerPage
	if many == nil {
		return func() (*ranks, error) { return nil, nil }
	}
	var found *ranks
	var failed error
	var looking sync.WaitGroup
	looking.Go(func() {
		defer func() {
			if why := recover(); why != nil {
				failed = fmt.Errorf("panic: %v\n%s", why, debug.Stack())
			}
		}()
		found = rank(many, f, unasked, end)
	})
	return func() (*ranks, error) {
		looking.Wait()
		return found, failed
	}
}

// list fills one page of rows: the gravest verdicts first, then by address.
// Without a filter it leaves out what was removed and what nothing suggests
// to be a camera.
func (v *overview) list(t *sums, f *filter, query url.Values, many *ranks) error {
	unasked := !v.Filter.Any
	var found []*inventory.Device
	for _, d := range t.byID {
		if f.matches(d) && !(unasked && hidden(d, severity(worstVerdict(d)))) {
			found = append(found, d)
		}
	}
	sortForReaders(found)
	v.Total = len(found)
	if many != nil {
		v.Total = many.total
	}
	number := max(1, min(pageNumber(query), (v.Total+rowsPerPage-1)/rowsPerPage))
	start := min((number-1)*rowsPerPage, v.Total)
	end := min(start+rowsPerPage, v.Total)
	if many != nil {
		err := v.S.Many.Details(many.part(v.S.Many, start, end), func(d *inventory.Device) error {
			row := v.row(d)
			row.D.Reasons = nil // they are there for the call only
			v.Rows = append(v.Rows, row)
			return nil
		})
		if err != nil {
			return err
		}
	} else {
		for _, d := range found[start:end] {
			v.Rows = append(v.Rows, v.row(d))
		}
	}
	v.First, v.Last = start+1, end
	link := func(n int) string {
		q := make(url.Values)
		for _, name := range []string{"q", "verdict", "state", "class", "manufacturer", "policy"} {
			if query.Get(name) != "" {
				q[name] = query[name]
			}
		}
		q.Set("page", strconv.Itoa(n))
		return v.Prefix + "/?" + q.Encode() + "#list"
	}
	if number > 1 {
		v.Previous = link(number - 1)
	}
	if end < v.Total {
		v.Next = link(number + 1)
	}
	return nil
}

// hidden tells what the list leaves out unless it is asked for.
func hidden(d *inventory.Device, worst int) bool {
	return d.State == inventory.Removed || tallyVerdicts[worst] == policy.Unclassified
}

func sortForReaders(devices []*inventory.Device) {
	rank := make(map[*inventory.Device]int, len(devices))
	for _, d := range devices {
		rank[d] = severity(worstVerdict(d))
	}
	if len(devices) > sortByAddressUpTo {
		slices.SortStableFunc(devices, func(a, b *inventory.Device) int { return cmp.Compare(rank[a], rank[b]) })
		return
	}
	address := make(map[*inventory.Device]netip.Addr, len(devices))
	for _, d := range devices {
		if len(d.IPs) > 0 {
			address[d], _ = netip.ParseAddr(d.IPs[0]) // none: sorts first
		}
	}
	slices.SortStableFunc(devices, func(a, b *inventory.Device) int {
		return cmp.Or(cmp.Compare(rank[a], rank[b]), address[a].Compare(address[b]))
	})
}

func (f *frame) row(d *inventory.Device) deviceRow {
	d = shown(d)
	worst := worstVerdict(d)
	row := deviceRow{D: d, Title: f.deviceTitle(d), Worst: worst, Word: f.verdictWord(worst),
		Class: f.classWord(d.Class), State: f.stateWord(d.State), Made: d.Manufacturer, SoldAs: d.Brand}
	for i := range d.Verdicts {
		row.Verdicts = append(row.Verdicts, verdictCell{d.Verdicts[i].Verdict, f.verdictIn(&d.Verdicts[i]), d.Verdicts[i].Policy, d.Verdicts[i].Excepted})
	}
	switch {
	case d.Determination != nil:
		row.Why = f.T("Determined by %s.", d.Determination.By)
	case len(d.Reasons) > 0:
		row.Why = f.seen(&d.Reasons[0])
	}
	return row
}

// maxShown bounds one text of a device on the page, in characters.
const maxShown = 300

// shown is the device as the page may print it: without control characters
// and without those that turn the direction of the text around them.
func shown(d *inventory.Device) *inventory.Device {
	c := *d
	for _, text := range []*string{&c.Manufacturer, &c.BySigns, &c.Brand, &c.Model, &c.Firmware, &c.Serial, &c.SwitchPort, &c.Interface,
		&c.Annotations.Location, &c.Annotations.Owner, &c.Annotations.Note} {
		*text = shortened(*text, maxShown)
	}
	for _, texts := range []*[]string{&c.IPs, &c.MACs, &c.Hostnames, &c.Contradictions} {
		clean := make([]string, 0, len(*texts))
		for _, text := range *texts {
			clean = append(clean, shortened(text, maxShown))
		}
		*texts = clean
	}
	return &c
}

// deviceTitle is the shortest thing that a person would call it.
func (f *frame) deviceTitle(d *inventory.Device) string {
	label := d.Brand
	if label == "" || d.Determination != nil && label == d.BySigns {
		label = d.Manufacturer
	}
	label, model := shortened(label, maxShown), shortened(d.Model, maxShown)
	switch {
	case label != "" && model != "":
		return label + " " + model
	case model != "":
		return model
	case label != "":
		return label + " " + f.classWord(d.Class)
	case len(d.IPs) > 0:
		return d.IPs[0]
	case len(d.MACs) > 0:
		return d.MACs[0]
	}
	return d.ID
}

// blindSpots are the sentences that a total never comes without.
func (f *frame) blindSpots() []string {
	s := f.S
	var said []string
	for _, n := range s.Networks {
		if !n.Up {
			said = append(said, f.T("%s was not swept lately: %s", n.Network, orReason(f.tongue, n.Reason)))
		}
	}
	for i := range s.Sources {
		if src := &s.Sources[i]; !src.Up {
			said = append(said, f.T("%s on %s is down: %s", f.sourceWord(src.Status.Source), orAll(f.tongue, src.Interface), orReason(f.tongue, src.Reason)))
		}
	}
	if s.Unassessed > 0 {
		said = append(said, f.T("Cameras behind recorders that were not seen, at most (a recorder does not say which of its channels are cameras found elsewhere): %s", f.Number(s.Unassessed)))
	}
	if s.ChannelsUnknown > 0 {
		said = append(said, f.T("Recorders that do not say how many channels they have: %s", f.Number(s.ChannelsUnknown)))
	}
	if len(s.NotInScope) > 0 {
		said = append(said, f.T("Networks of this machine that are not in scope: %s", f.Number(len(s.NotInScope))))
	}
	if len(s.Exclusions) > 0 {
		said = append(said, f.T("Exclusions, whose devices are never asked: %s", f.Number(len(s.Exclusions))))
	}
	for _, note := range s.Notes {
		said = append(said, f.Phrase(note))
	}
	return said
}

func orReason(t tongue, reason string) string {
	if reason == "" {
		return t.T("no reason is known")
	}
	return t.Phrase(reason)
}

func orAll(t tongue, name string) string {
	if name == "" {
		return t.T("all interfaces")
	}
	return name
}
