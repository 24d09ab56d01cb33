package exporter

import (
	"maps"
	"strconv"
	"time"

	"camcensus/internal/inventory"

	"github.com/prometheus/client_golang/prometheus"
)

// The closed lists that are exported from zero.
var (
	probeNames    = []string{"http", "tls", "rtsp", "onvif", "isapi", "upnp"}
	probeFailures = []string{"refused", "timeout", "reset", "tls", "malformed", "budget", "scope", "cancelled"}
)

func (e *emitter) identity(s *Snapshot) {
	e.gauge(nameBuildInfo, 1, s.Version.Version, s.Version.Revision, s.Version.Branch, s.Version.GoVersion)
	e.gauge(nameSiteInfo, 1, s.Site.Name)
	for _, p := range s.Policies {
		e.gauge(namePolicyInfo, 1, p.Name, p.Version)
	}
	if day, err := time.Parse(time.DateOnly, s.Data.OUIDate); err == nil {
		e.time(nameRegistryDate, day)
	}
	e.gauge(nameUnassessedChannels, float64(s.Unassessed))
	e.gauge(nameRecorderChannelsUnknown, float64(s.ChannelsUnknown))
}

func (e *emitter) coverage(s *Snapshot) {
	for _, n := range s.Networks {
		for result, count := range map[string]int{
			"tried": n.Tried, "answered": n.Answered, "excluded": n.Excluded, "unreachable": n.Unreachable, "bogus": n.Bogus,
		} {
			e.gauge(nameNetworkAddresses, float64(count), n.Network, result)
		}
		e.gauge(nameNetworkUp, bit(n.Up), n.Network)
		last := 0.0
		if !n.LastSweep.IsZero() {
			last = seconds(n.LastSweep)
		}
		e.gauge(nameNetworkLastSweep, last, n.Network)
	}
	for _, i := range s.Interfaces {
		e.gauge(nameInterfaceUp, bit(i.Up), i.Name)
		e.counter(nameCaptureDropped, i.CaptureDropped, i.Name)
	}
}

func (e *emitter) sources(s *Snapshot) {
	for i := range s.Sources {
		src := &s.Sources[i]
		at := func() []string { return []string{src.Status.Source, src.Interface} }
		// A source left to itself that stands down for want of a capability
		// is shown on the page; as a metric it would only ring.
		if src.Up || !src.Auto {
			e.gauge(nameSourceUp, bit(src.Up), at()...)
		}
		e.time(nameSourceLastSighting, src.LastSighting, at()...)
		e.counter(nameSourceSightings, src.Sightings, at()...)
		e.counter(nameSourceSent, src.Sent, at()...)
		for reason, n := range src.Rejected {
			e.counter(nameSourceRejected, n, append(at(), reason)...)
		}
	}
}

func (e *emitter) work(s *Snapshot) {
	probes := make(map[string]Probe, len(probeNames))
	for _, name := range probeNames {
		probes[name] = Probe{Probe: name}
	}
	for _, p := range s.Probes {
		name := p.Probe
		if name == "https" || name == "favicon" {
			name = "http" // a question of the same kind
		}
		sum := probes[name]
		sum.Probe, sum.Asked = name, sum.Asked+p.Asked
		sum.Failures = maps.Clone(sum.Failures)
		for reason, n := range p.Failures {
			if sum.Failures == nil {
				sum.Failures = make(map[string]uint64)
			}
			sum.Failures[reason] += n
		}
		probes[name] = sum
	}
	for name, p := range probes {
		e.counter(nameProbes, p.Asked, name)
		failures := make(map[string]uint64, len(probeFailures))
		for _, reason := range probeFailures {
			failures[reason] = 0
		}
		maps.Copy(failures, p.Failures)
		for reason, n := range failures {
			e.counter(nameProbeFailures, n, name, reason)
		}
	}
	e.cycle(s.Cycle)
	e.gauge(namePaused, bit(s.Pause.Operator), "operator")
	e.gauge(namePaused, bit(s.Pause.QuietHours), "quiet_hours")
	e.gauge(namePaused, bit(s.Pause.Mode), "mode")
	for _, name := range inventory.EventNames {
		e.counter(nameEvents, s.Events[name], name)
	}
}

func (e *emitter) cycle(c Cycle) {
	buckets := make(map[float64]uint64, len(CycleBuckets))
	for i, bound := range CycleBuckets {
		buckets[bound] = c.Durations.Counts[i]
	}
	desc := e.descs[nameCycleDuration]
	m, err := prometheus.NewConstHistogram(desc, c.Durations.Count, c.Durations.Sum, buckets)
	if err != nil {
		m = prometheus.NewInvalidMetric(desc, err)
	}
	e.out(m)
	e.time(nameCycleLastCompletion, c.LastCompletion)
	e.time(nameCycleNextStart, c.NextStart)
}

func (e *emitter) upkeep(s *Snapshot) {
	e.time(nameInventoryCreated, s.Storage.Created)
	e.gauge(nameAuditChainEvents, float64(s.Storage.ChainLength))
	e.gauge(nameAuditChainHead, chainHead(s.Storage.ChainHead))
	e.counter(nameStorageErrors, s.Storage.Errors)
	e.time(nameStorageLastCommit, s.Storage.LastCommit)
	e.gauge(nameConfigReloadOK, bit(s.Config.LastReloadSuccessful))
	e.time(nameConfigReloadTime, s.Config.LastReloadSuccess)
}

// chainHead is as much of the head as a metric's value holds exactly: 48 bits.
func chainHead(hex string) float64 {
	n, err := strconv.ParseUint(hex[:min(12, len(hex))], 16, 64)
	if err != nil {
		return 0
	}
	return float64(n)
}
