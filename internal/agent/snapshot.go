package agent

import (
	"context"
	"net/netip"
	"runtime"
	"sort"
	"time"

	"camcensus/discovery"
	"camcensus/exporter"
)

// Ready tells that the stored inventory is loaded.
func (a *Agent) Ready() bool { return a.ready.Load() }

// Subscribe delivers changes until ctx ends.
func (a *Agent) Subscribe(ctx context.Context) <-chan exporter.StreamEvent {
	return a.stream.subscribe(ctx)
}

// manyDevices is where a slice of all devices would cost too much memory.
const manyDevices = 1000

// Snapshot returns the present state; it never changes afterwards.
func (a *Agent) Snapshot() *exporter.Snapshot {
	c, j, scope, now := a.config(), a.judge(), a.wire.Scope(), a.now()
	s := &exporter.Snapshot{
		Taken: now, Started: a.start,
		Version: exporter.Version{Version: a.opts.Version, Revision: a.opts.Revision, GoVersion: runtime.Version()},
		Site: exporter.Site{
			Name: c.Site.Name, Property: c.Site.Property, Organisation: c.Site.Organisation, Contact: c.Site.Contact,
		},
		Mode:     string(c.Mode),
		Policies: j.policySummaries(), Makers: j.rules.Makers(), Brands: j.rules.Brands(),
		Networks: a.networks(scope, now), Interfaces: a.interfaces(scope), Sources: a.sourceStates(),
		Probes: a.counts.probeCounts(), NotInScope: scope.NotInScope, Notes: a.notes(scope),
		Cycle: a.last.state(int(a.cycleNum.Load()), c.Discovery.Interval.D()), Progress: a.progress.state(),
		Pause: a.pauseReasons(), Events: a.inventory.EventCounts(),
		Storage: a.storage(), Config: a.reload.state(),
		Data: exporter.DataVersions{
			OUIVersion: j.registry.Version(), OUIDate: j.registry.Date(),
			RulesVersion: a.opts.Version, Rules: j.rules.Rules(), Makers: len(j.rules.Makers()),
		},
		Settings: exporter.Settings{
			DeviceSeries: string(c.Metrics.DeviceSeries), MaxDeviceSeries: c.Metrics.MaxDeviceSeries,
			Language: string(c.Web.Language), Editors: c.Web.Editors,
		},
	}
	for _, e := range scope.Exclusions {
		s.Exclusions = append(s.Exclusions, exporter.Exclusion{Match: e.Match, Reason: e.Reason, By: e.By})
	}
	if a.opts.StoragePath != "" && a.inventory.Len() > manyDevices {
		s.Many = a.inventory
	} else {
		s.Devices = a.inventory.Devices()
	}
	s.Unassessed, s.ChannelsUnknown = a.inventory.Channels()
	return s
}

func (j *Judge) policySummaries() []exporter.Policy {
	out := make([]exporter.Policy, 0, len(j.policies))
	for _, p := range j.policies {
		out = append(out, exporter.Policy{
			Name: p.Name, Version: p.Version, Titles: p.Titles, Verb: p.Verb,
			Says: p.Says, Instruction: p.Instruction, Makers: p.Makers(), NotAssessed: p.NotAssessed,
		})
	}
	return out
}

func (a *Agent) networks(scope *discovery.Scope, now time.Time) []exporter.Network {
	iface := map[netip.Prefix]string{}
	for _, n := range scope.Networks {
		iface[n.Prefix] = n.Interface
	}
	var out []exporter.Network
	for _, n := range a.coverage.all(scope, now) {
		out = append(out, exporter.Network{
			Network: n.Network.String(), Interface: iface[n.Network],
			Tried: n.Tried, Answered: n.Answered, Excluded: n.Excluded, Unreachable: n.Unreachable, Bogus: n.Bogus,
			LastSweep: n.Finished, Up: n.Why == "", Reason: n.Why,
		})
	}
	sort.Slice(out, func(i, k int) bool { return out[i].Network < out[k].Network })
	return out
}

func (a *Agent) interfaces(scope *discovery.Scope) []exporter.Interface {
	dropped := map[string]uint64{}
	for _, s := range a.sourceList() {
		if c, ok := s.Source.(interface{ Dropped() map[string]uint64 }); ok {
			for name, n := range c.Dropped() {
				dropped[name] += n
			}
		}
	}
	var out []exporter.Interface
	for _, i := range scope.Interfaces {
		out = append(out, exporter.Interface{Name: i.Name, Up: i.Up && i.Running, CaptureDropped: dropped[i.Name]})
	}
	return out
}

// sourceStates joins each source's health with what was counted under its
// name, per interface.
func (a *Agent) sourceStates() []exporter.Source {
	byKey := map[[2]string]*exporter.Source{}
	for _, s := range a.sourceList() {
		for _, st := range s.Status() {
			byKey[[2]string{st.Source, st.Interface}] = &exporter.Source{Status: st, Rejected: map[string]uint64{}}
		}
	}
	for _, c := range a.wire.Counts() {
		if s := byKey[[2]string{c.Source, c.Interface}]; s != nil {
			s.Sent = c.Sent
			for reason, n := range c.Rejected {
				s.Rejected[reason] = n
			}
		}
	}
	out := make([]exporter.Source, 0, len(byKey))
	for k, s := range byKey {
		s.Sightings, s.LastSighting = a.counts.of(k[0], k[1])
		out = append(out, *s)
	}
	sort.Slice(out, func(i, k int) bool {
		if out[i].Source != out[k].Source {
			return out[i].Source < out[k].Source
		}
		return out[i].Interface < out[k].Interface
	})
	return out
}

// notes are blind spots that no number shows.
func (a *Agent) notes(scope *discovery.Scope) []string {
	notes := append(exclusionNotes(scope), scope.Notes...)
	notes = append(notes, a.crowds.notes()...)
	notes = append(notes, a.coverage.notes()...)
	notes = append(notes, conflictNotes(scope, a.wire.Conflicts())...)
	notes = append(notes, gatewayNotes(a.wire)...)
	notes = append(notes, leftOutNotes(a.wire.LeftOut())...)
	if len(scope.Networks) == 0 {
		notes = append(notes, "No network is in scope: nothing can be seen.")
	}
	return notes
}

func (a *Agent) storage() exporter.Storage {
	h := a.inventory.Health()
	length, head := a.inventory.Chain()
	return exporter.Storage{
		Created: a.inventory.Created(), LastCommit: h.LastCommit, Errors: h.Errors, Problem: h.Problem,
		ChainLength: length, ChainHead: head,
	}
}

func (r *reloadState) state() exporter.Config {
	ok, success, problem := r.get()
	return exporter.Config{LastReloadSuccessful: ok, LastReloadSuccess: success, Error: problem}
}

func (l *lastCycle) finished(begun, ended time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun, l.completed = begun, ended
	l.durations.Observe(ended.Sub(begun))
}

func (l *lastCycle) state(number int, interval time.Duration) exporter.Cycle {
	l.mu.Lock()
	defer l.mu.Unlock()
	return exporter.Cycle{
		Number: number, LastStart: l.begun, LastCompletion: l.completed, NextStart: l.next,
		Interval: interval, Durations: l.durations,
	}
}
