package agent

import (
	"sort"
	"sync"
	"time"

	"camcensus/exporter"
)

// counters is what the agent counts for the metrics.
type counters struct {
	mu        sync.Mutex
	sightings map[[2]string]*sightingCount // source, interface
	probes    map[string]*exporter.Probe
}

type sightingCount struct {
	n    uint64
	last time.Time
}

func newCounters() *counters {
	return &counters{sightings: map[[2]string]*sightingCount{}, probes: map[string]*exporter.Probe{}}
}

func (c *counters) sighting(source, iface string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := [2]string{source, iface}
	s := c.sightings[k]
	if s == nil {
		s = &sightingCount{}
		c.sightings[k] = s
	}
	s.n++
	s.last = at
}

// of returns the count and the time of the last sighting.
func (c *counters) of(source, iface string) (uint64, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.sightings[[2]string{source, iface}]; s != nil {
		return s.n, s.last
	}
	return 0, time.Time{}
}

// probe counts a question and, unless failure is empty, why it failed.
func (c *counters) probe(kind, failure string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.probes[kind]
	if p == nil {
		p = &exporter.Probe{Probe: kind, Failures: map[string]uint64{}}
		c.probes[kind] = p
	}
	p.Asked++
	if failure != "" {
		p.Failures[failure]++
	}
}

func (c *counters) probeCounts() []exporter.Probe {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]exporter.Probe, 0, len(probeKinds))
	for kind := range probeKinds {
		p := exporter.Probe{Probe: kind, Failures: map[string]uint64{}}
		if have := c.probes[kind]; have != nil {
			p.Asked = have.Asked
			for reason, n := range have.Failures {
				p.Failures[reason] = n
			}
		}
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Probe < out[j].Probe })
	return out
}
