package exporter

import (
	"fmt"
	"net/http"
	"time"

	"camcensus/internal/inventory"
)

const (
	defaultEvents = 100
	maxEvents     = 1000
)

type eventList struct {
	Events []inventory.Event `json:"events"`
	Next   string            `json:"next"`
}

func (x *Exporter) listEvents(w http.ResponseWriter, r *http.Request) {
	q, err := parseEventQuery(r)
	if err != nil {
		fail(w, http.StatusBadRequest, "invalid", err.Error())
		return
	}
	events, next, err := x.agent.Events(r.Context(), q)
	if err != nil {
		failWith(w, err)
		return
	}
	if events == nil {
		events = []inventory.Event{}
	}
	answer(w, http.StatusOK, eventList{events, next})
}

func parseEventQuery(r *http.Request) (EventQuery, error) {
	query := r.URL.Query()
	q := EventQuery{Device: query.Get("device"), Event: query.Get("event"), Cursor: query.Get("cursor")}
	var err error
	if q.Limit, err = parseLimit(query.Get("limit"), defaultEvents, maxEvents); err != nil {
		return q, err
	}
	if q.Event != "" {
		if err = among("event", []string{q.Event}, inventory.EventNames); err != nil {
			return q, err
		}
	}
	if q.Since, err = parseTime("since", query.Get("since"), false); err != nil {
		return q, err
	}
	q.Until, err = parseTime("until", query.Get("until"), true)
	return q, err
}

// parseTime takes RFC 3339 or a date; a date that ends a span means the end of
// that day.
func parseTime(name, text string, end bool) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s %q: a date (2026-01-31) or a time (2026-01-31T08:00:00Z) is needed", name, printable(text, 40))
	}
	if end {
		t = t.AddDate(0, 0, 1).Add(-time.Second)
	}
	return t, nil
}

// CoverageReport is what /api/v1/coverage answers, and what scan prints beside
// its devices.
type CoverageReport struct {
	Networks   []NetworkReport    `json:"networks"`
	Sources    []SourceReport     `json:"sources"`
	NotInScope []NotInScopeReport `json:"not_in_scope"`
	Exclusions []Exclusion        `json:"exclusions"`
	Notes      []string           `json:"notes"`
	// Channels that recorders declare less those matched to a device, and
	// recorders that do not say how many they have.
	UnassessedChannels       int `json:"unassessed_channels"`
	RecordersChannelsUnknown int `json:"recorders_channels_unknown"`
	// NotAssessed is what the active policies cover and a census cannot see.
	NotAssessed []string `json:"not_assessed"`
}

// NetworkReport is one network of a CoverageReport.
type NetworkReport struct {
	Network     string     `json:"network"`
	Interface   string     `json:"interface,omitempty"`
	Tried       int        `json:"tried"`
	Answered    int        `json:"answered"`
	Excluded    int        `json:"excluded"`
	Unreachable int        `json:"unreachable"`
	Bogus       int        `json:"bogus"`
	LastSweep   *time.Time `json:"last_sweep"` // null: never
	Up          bool       `json:"up"`
	Reason      string     `json:"reason,omitempty"`
}

// SourceReport is one source of a CoverageReport.
type SourceReport struct {
	Source    string `json:"source"`
	Interface string `json:"interface"`
	Up        bool   `json:"up"`
	Auto      bool   `json:"auto,omitempty"`
	Reason    string `json:"reason"`
}

// NotInScopeReport is one prefix that is not looked at, and why.
type NotInScopeReport struct {
	Network string `json:"network"`
	Reason  string `json:"reason"`
}

// Coverage says what the agent looked at and what it could not see.
func (s *Snapshot) Coverage() CoverageReport {
	c := CoverageReport{
		Networks: []NetworkReport{}, Sources: []SourceReport{}, NotInScope: []NotInScopeReport{},
		Exclusions: append([]Exclusion{}, s.Exclusions...), Notes: append([]string{}, s.Notes...), NotAssessed: []string{},
		UnassessedChannels: s.Unassessed, RecordersChannelsUnknown: s.ChannelsUnknown,
	}
	for _, n := range s.Networks {
		report := NetworkReport{Network: n.Network, Interface: n.Interface, Tried: n.Tried, Answered: n.Answered,
			Excluded: n.Excluded, Unreachable: n.Unreachable, Bogus: n.Bogus, Up: n.Up, Reason: n.Reason}
		if !n.LastSweep.IsZero() {
			last := n.LastSweep.UTC()
			report.LastSweep = &last
		}
		c.Networks = append(c.Networks, report)
	}
	for i := range s.Sources {
		status := s.Sources[i].Status
		c.Sources = append(c.Sources, SourceReport{status.Source, status.Interface, status.Up, status.Auto, status.Reason})
	}
	for _, n := range s.NotInScope {
		c.NotInScope = append(c.NotInScope, NotInScopeReport{n.Network, n.Reason})
	}
	for _, p := range s.Policies {
		for _, what := range p.NotAssessed {
			c.NotAssessed = append(c.NotAssessed, p.Name+": "+what)
		}
	}
	return c
}

func (x *Exporter) showCoverage(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, x.agent.Snapshot().Coverage())
}
