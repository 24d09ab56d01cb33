package agent

import (
	"sync"
	"time"

	"camcensus/exporter"
)

// progress is how far the running cycle is. Sources work side by side, so the
// slowest one is what is shown.
type progress struct {
	mu      sync.Mutex
	now     exporter.Progress
	sources map[string][2]int
	seen    map[string]bool // devices sighted in this cycle
	watch   func(exporter.Progress)
}

func newProgress() *progress {
	return &progress{sources: map[string][2]int{}, seen: map[string]bool{}}
}

// OnProgress has f called as a cycle goes on, one call at a time.
func (a *Agent) OnProgress(f func(exporter.Progress)) { a.progress.onChange(f) }

// onChange has f called at every change, one call at a time.
func (p *progress) onChange(f func(exporter.Progress)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch = f
}

func (p *progress) changed() {
	if p.watch != nil {
		p.watch(p.now)
	}
}

func (p *progress) begin(cycle int, at time.Time, _ int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.sources)
	clear(p.seen)
	p.now = exporter.Progress{Running: true, Cycle: cycle, Phase: "discover", Started: at}
	p.changed()
}

// source notes how much of its work a source has done, and shows the one that
// is furthest from its end.
func (p *progress) source(name string, done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sources[name] = [2]int{done, total}
	slowest, least := name, 2.0
	for n, s := range p.sources {
		if s[1] > 1 && float64(s[0])/float64(s[1]) < least {
			slowest, least = n, float64(s[0])/float64(s[1])
		}
	}
	s := p.sources[slowest]
	p.now.Phase, p.now.Done, p.now.Total = slowest, s[0], s[1]
	p.changed()
}

func (p *progress) phase(name string, done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Phase, p.now.Done, p.now.Total = name, done, total
	p.changed()
}

// sighted counts a device of this cycle.
func (p *progress) sighted(device string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if device != "" {
		p.seen[device] = true
		p.now.Found = len(p.seen)
	}
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Running, p.now.Phase = false, ""
	p.changed()
}

func (p *progress) state() exporter.Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *progress) started() time.Time { return p.state().Started }
