package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"camcensus/exporter"
	"camcensus/internal/config"
)

// pauseState is an operator's pause; it stands in a file beside the store, so
// that it survives a restart.
type pauseState struct {
	mu    sync.Mutex
	path  string    // "" = not kept
	By    string    `json:"by"`
	Since time.Time `json:"since"`
}

func loadPause(dir string) *pauseState {
	p := &pauseState{}
	if dir == "" {
		return p
	}
	p.path = filepath.Join(dir, "pause.json")
	b, err := os.ReadFile(p.path)
	if err != nil {
		return p
	}
	if err := json.Unmarshal(b, p); err != nil || p.Since.IsZero() {
		// An unreadable pause is still a pause: sending is what needs a reason.
		p.By, p.Since = "unknown", time.Unix(0, 0).UTC()
	}
	return p
}

func (p *pauseState) set(by string, since time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.By, p.Since = by, since
	if p.path == "" {
		return nil
	}
	if since.IsZero() {
		if err := os.Remove(p.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("resume: %w", err)
		}
		return nil
	}
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	if err := os.WriteFile(p.path, b, 0o640); err != nil {
		return fmt.Errorf("pause: it holds, but a restart would end it: %w", err)
	}
	return nil
}

func (p *pauseState) get() (by string, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.By, p.Since
}

// Pause stops sending; listening goes on.
func (a *Agent) Pause(by string) error {
	err := a.pause.set(by, a.now())
	a.followSilence()
	a.stream.status()
	a.log.Info("paused", zap.String("by", by))
	return err
}

// Resume starts sending again.
func (a *Agent) Resume(by string) error {
	err := a.pause.set("", time.Time{})
	a.followSilence()
	a.stream.status()
	a.log.Info("resumed", zap.String("by", by))
	return err
}

// Rescan starts a cycle now, or right after the running one.
func (a *Agent) Rescan(by string) error {
	if a.silent() {
		return fmt.Errorf("%w: the agent sends nothing now (paused, quiet hours or mode: listen)", exporter.ErrUnable)
	}
	select {
	case a.rescan <- struct{}{}:
	default:
	}
	a.log.Info("rescan", zap.String("by", by))
	return nil
}

// pauseReasons is why nothing is sent now; all false when it is.
func (a *Agent) pauseReasons() exporter.Pause {
	by, since := a.pause.get()
	p := exporter.Pause{Operator: !since.IsZero(), By: by, Since: since, Mode: a.config().Mode == config.ModeListen}
	for _, q := range a.config().Discovery.QuietHours {
		if q.Contains(a.now().Local()) {
			p.QuietHours = true
		}
	}
	return p
}

// silent tells whether nothing may be sent now.
func (a *Agent) silent() bool {
	p := a.pauseReasons()
	return p.Operator || p.QuietHours || p.Mode
}

// followSilence holds Wire to what silent says.
func (a *Agent) followSilence() { a.wire.SetListenOnly(a.silent()) }
