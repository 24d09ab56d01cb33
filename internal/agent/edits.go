package agent

import (
	"context"
	"errors"
	"io"

	"camcensus/exporter"
	"camcensus/internal/inventory"
)

// The reads and edits of the API: each is one call of the inventory and, for
// an edit, a new judgement and a change on the live stream.

// Device finds one device by its id or an alias.
func (a *Agent) Device(id string) (inventory.Device, bool) { return a.inventory.Device(id) }

// Events returns events, newest first.
func (a *Agent) Events(ctx context.Context, q exporter.EventQuery) ([]inventory.Event, string, error) {
	events, next, err := a.inventory.Events(ctx, inventory.EventQuery{
		Device: q.Device, Event: q.Event, Since: q.Since, Until: q.Until, Limit: q.Limit, Cursor: q.Cursor,
	})
	return events, next, explained(err)
}

// Except stores an exception and returns it with its id.
func (a *Agent) Except(device string, e inventory.Exception) (inventory.Exception, error) {
	e, err := a.inventory.Except(device, e)
	return e, a.edited(device, err)
}

// Unexcept withdraws an exception.
func (a *Agent) Unexcept(device, exception, by string) error {
	return a.edited(device, a.inventory.Unexcept(device, exception, by))
}

// Remove notes that a device was taken away.
func (a *Agent) Remove(device, reason, by string) error {
	return a.edited(device, a.inventory.Remove(device, reason, by))
}

// Merge makes one device of two and returns the id that lives on.
func (a *Agent) Merge(device, other, reason, by string) (string, error) {
	kept, err := a.inventory.Merge(device, other, reason, by)
	return kept, a.edited(kept, err)
}

// Split undoes a merge; both devices are judged anew.
func (a *Agent) Split(device, reason, by string) error {
	was, _ := a.inventory.Device(device)
	err := a.edited(device, a.inventory.Split(device, reason, by))
	if err == nil {
		err = a.edited(was.ID, nil)
	}
	return err
}

// Determine records a person's finding; nil withdraws it.
func (a *Agent) Determine(device string, d *inventory.Determination, by string) error {
	if d != nil {
		maker, err := a.judge().Finding(d.Manufacturer)
		if err != nil {
			return a.edited(device, err)
		}
		written := *d
		written.Manufacturer, d = maker, &written
	}
	return a.edited(device, a.inventory.Determine(device, d, by))
}

// Annotate sets the annotations that the patch names.
func (a *Agent) Annotate(device string, p exporter.AnnotationPatch, by string) error {
	return a.edited(device, a.inventory.Annotate(device, inventory.AnnotationPatch(p), by))
}

// edited judges the device anew, since a finding or a date may have changed,
// and shows it. The new verdict is on disk before the edit is answered: who
// reads the store next sees it.
func (a *Agent) edited(device string, err error) error {
	if err != nil && !errors.Is(err, inventory.ErrDeferred) {
		return explained(err)
	}
	a.assess(device)
	if err == nil {
		err = a.inventory.Flush(device)
	}
	if d, ok := a.inventory.Device(device); ok {
		a.stream.device(d)
	}
	return explained(err)
}

// explained turns the inventory's errors into those the API knows.
func explained(err error) error {
	var cursor *inventory.CursorError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, inventory.ErrNoDevice):
		return told{err, exporter.ErrNotFound}
	case errors.Is(err, inventory.ErrInvalid), errors.As(err, &cursor):
		return told{err, exporter.ErrInvalid}
	case errors.Is(err, inventory.ErrReadOnly), errors.Is(err, inventory.ErrDeferred):
		return told{err, exporter.ErrUnable}
	}
	return err
}

// Export writes the inventory or the audit report.
func (a *Agent) Export(ctx context.Context, w io.Writer, o exporter.ExportOptions) error {
	return explained(a.inventory.Export(ctx, w, inventory.ExportOptions{
		Format: o.Format, From: o.From, To: o.To, Lang: o.Lang, Report: a.reportFacts(),
	}))
}

// reportFacts are what the audit report says beside the devices.
func (a *Agent) reportFacts() inventory.ReportFacts {
	s := a.Snapshot()
	f := a.judge().ReportFacts(s.Version.Version)
	f.Property, f.Organisation, f.Contact = s.Site.Property, s.Site.Organisation, s.Site.Contact
	f.NotInScope, f.Exclusions, f.Notes = s.NotInScope, a.wire.Scope().Exclusions, s.Notes
	f.UnassessedChannels, f.RecordersChannelsUnknown = s.Unassessed, s.ChannelsUnknown
	for _, n := range s.Networks {
		f.Networks = append(f.Networks, inventory.ReportNetwork{
			Network: n.Network, Tried: n.Tried, Answered: n.Answered, Excluded: n.Excluded, Unreachable: n.Unreachable,
			LastSweep: n.LastSweep, Up: n.Up, Reason: n.Reason,
		})
	}
	for _, src := range s.Sources {
		f.Sources = append(f.Sources, src.Status)
	}
	return f
}

// ReportFacts are what the audit report says of the policies, the rules and
// the registry; all else is left to who knows it.
func (j *Judge) ReportFacts(version string) inventory.ReportFacts {
	f := inventory.ReportFacts{
		Version:         version,
		RulesVersion:    version,
		RulesDate:       j.rules.Date(),
		Rules:           j.rules.Rules(),
		Makers:          len(j.rules.Makers()),
		RegistryVersion: j.registry.Version(),
		RegistryDate:    j.registry.Date(),
	}
	for _, p := range j.policies {
		f.Policies = append(f.Policies, inventory.ReportPolicy{
			Name: p.Name, Titles: p.Titles, Version: p.Version, Issuers: p.Issuer, Verb: p.Verb, Instruments: p.Instrument,
			ReviewedOn: p.ReviewedOn, Instruction: p.Instruction, NotAssessed: p.NotAssessed, Text: p.Text,
		})
	}
	return f
}

// told is an error of the inventory that also is one of the exporter's, and
// says what it says once.
type told struct {
	error
	kind error
}

func (t told) Is(target error) bool { return target == t.kind }

func (t told) Unwrap() error { return t.error }
