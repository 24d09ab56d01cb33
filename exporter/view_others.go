package exporter

import (
	"net/http"
	"strings"
	"time"

	"camcensus/internal/inventory"
	"camcensus/internal/policy"

	"go.uber.org/zap"
)

type deviceView struct {
	frame
	Row        deviceRow
	D          *inventory.Device
	Seen       []seenRow
	Meanings   []meaningRow
	Settle     []string
	Events     []eventRow
	Bases      []choice
	Tomorrow   string
	Exceptions []exceptionRow
}

type seenRow struct {
	Text, Source, Field, Value, Group, Grade, GradeWord, Rule string
	Port                                                      int
	At                                                        *Clock
}

type meaningRow struct {
	Cell  verdictCell
	Title string
	Text  []string
}

type eventRow struct {
	inventory.Event
	At   *Clock
	Word string
	Name string // what the device is called, "" when it is gone
	// Ground is what the event rests on, and Short its beginning where it is too
	// long to stand unfolded.
	Ground, Short string
}

type exceptionRow struct {
	inventory.Exception
	Expired bool
}

const eventsOfDevice = 50

func (x *Exporter) devicePage(w http.ResponseWriter, r *http.Request) {
	d, ok := x.agent.Device(r.PathValue("id"))
	if !ok {
		fail(w, http.StatusNotFound, "not_found", "no device has the id "+printable(r.PathValue("id"), 64))
		return
	}
	d = *shown(&d)
	v := deviceView{frame: x.frame(w, r, "device"), D: &d}
	v.Row = v.row(&d)
	v.Title = v.Row.Title
	for i := range d.Reasons {
		s := &d.Reasons[i]
		v.Seen = append(v.Seen, seenRow{v.seen(s), v.sourceWord(s.Source), s.Field, shortened(s.Value, 200), v.groupWord(s.Group),
			string(s.Grade), v.gradeWord(s.Grade), s.Rule, s.Port, v.Clock(s.Seen)})
	}
	for i := range d.Verdicts {
		p := v.policyNamed(d.Verdicts[i].Policy)
		v.Meanings = append(v.Meanings, meaningRow{v.Row.Verdicts[i], v.TitleOf(*p), v.meaning(&d, &d.Verdicts[i], p)})
	}
	if len(d.Verdicts) == 0 {
		v.Meanings = []meaningRow{{verdictCell{Kind: policy.Unclassified, Word: v.verdictWord(policy.Unclassified)}, "", v.meaning(&d, &policy.Verdict{}, &Policy{})}}
	}
	v.Settle = v.settle(&d)
	v.Events = x.eventRows(r, &v.frame, EventQuery{Device: d.ID, Limit: eventsOfDevice})
	for _, basis := range bases {
		v.Bases = append(v.Bases, choice{Value: basis, Word: v.basisOfFinding(basis)})
	}
	v.Tomorrow = x.now().AddDate(0, 0, 1).Format(time.DateOnly)
	for _, e := range d.Exceptions {
		v.Exceptions = append(v.Exceptions, exceptionRow{e, !e.Expires.After(x.now())})
	}
	x.show(w, "device", &v)
}

func (f *frame) policyNamed(name string) *Policy {
	for i := range f.S.Policies {
		if f.S.Policies[i].Name == name {
			return &f.S.Policies[i]
		}
	}
	return &Policy{}
}

func (t tongue) basisOfFinding(basis string) string {
	switch basis {
	case "label":
		return t.T("label on the device or its box")
	case "document":
		return t.T("purchase or other document")
	case "maker_letter":
		return t.T("letter from the maker")
	}
	return t.T("inspection of the device")
}

// BasisOfFinding and the words below let templates speak.
func (t tongue) BasisOfFinding(basis string) string { return t.basisOfFinding(basis) }

// SourceWord names a source as people know it.
func (t tongue) SourceWord(source string) string { return t.sourceWord(source) }

func (x *Exporter) eventRows(r *http.Request, f *frame, q EventQuery) []eventRow {
	events, _, err := x.agent.Events(r.Context(), q)
	if err != nil {
		x.log.Warn("page: read events", zap.Error(err))
		f.Notices = append(f.Notices, notice{"bad", f.T("The events could not be read: %s", err)})
	}
	return f.eventRows(x, events)
}

func (f *frame) eventRows(x *Exporter, events []inventory.Event) []eventRow {
	rows := make([]eventRow, 0, len(events))
	for _, e := range events {
		for _, text := range []*string{&e.From, &e.To, &e.By} {
			*text = shortened(*text, maxShown)
		}
		e.From, e.To = inventory.Told(f.Lang, &e)
		row := eventRow{Event: e, At: f.Clock(e.Time), Word: f.eventWord(e.Event), Ground: shortened(f.ground(&e), maxGround)}
		if short := shortened(row.Ground, maxUnfolded); short != row.Ground {
			row.Short = short
		}
		if d, ok := x.agent.Device(e.Device); ok {
			row.Name = f.deviceTitle(&d)
		}
		rows = append(rows, row)
	}
	return rows
}

type coverageView struct {
	frame
	C     CoverageReport
	Blind []string
	Up    []sourceRow
}

type sourceRow struct {
	SourceReport
	Word         string
	Sightings    uint64
	Sent         uint64
	LastSighting *Clock
}

func (x *Exporter) coveragePage(w http.ResponseWriter, r *http.Request) {
	v := coverageView{frame: x.frame(w, r, "coverage")}
	v.Title = v.T("Coverage")
	v.C = v.S.Coverage()
	v.C.NotAssessed = nil
	for _, p := range v.S.Policies {
		var fields []string
		for _, what := range p.NotAssessed {
			fields = append(fields, v.Field(what))
		}
		if len(fields) > 0 {
			v.C.NotAssessed = append(v.C.NotAssessed, p.Name+v.Colon()+" "+strings.Join(fields, ", "))
		}
	}
	v.Blind = v.blindSpots()
	for i, report := range v.C.Sources {
		src := &v.S.Sources[i]
		v.Up = append(v.Up, sourceRow{report, v.sourceWord(report.Source), src.Sightings, src.Sent, v.Clock(src.LastSighting)})
	}
	x.show(w, "coverage", &v)
}

type eventsView struct {
	frame
	Events []eventRow
	Names  []choice
	Query  EventQuery
	Next   string
}

func (x *Exporter) eventsPage(w http.ResponseWriter, r *http.Request) {
	q, err := parseEventQuery(r)
	if err != nil {
		fail(w, http.StatusBadRequest, "invalid", err.Error())
		return
	}
	v := eventsView{frame: x.frame(w, r, "events"), Query: q}
	v.Title = v.T("Events")
	events, next, err := x.agent.Events(r.Context(), q)
	if err != nil {
		failWith(w, err)
		return
	}
	v.Events, v.Next = v.eventRows(x, events), next
	for _, name := range inventory.EventNames {
		v.Names = append(v.Names, choice{name, v.eventWord(name), name == q.Event})
	}
	x.show(w, "events", &v)
}
