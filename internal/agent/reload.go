package agent

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"camcensus/internal/config"
)

// reloadState is how the last reload went.
type reloadState struct {
	mu      sync.Mutex
	ok      bool
	success time.Time
	problem string
}

func (r *reloadState) succeeded(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ok, r.success, r.problem = true, at, ""
}

func (r *reloadState) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ok, r.problem = false, err.Error()
}

func (r *reloadState) get() (ok bool, success time.Time, problem string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ok, r.success, r.problem
}

// Reload reads the config file, the rules and the policies again. Where
// anything is wrong the old ones stay. Known devices are judged anew without
// a packet.
func (a *Agent) Reload() error {
	err := a.reloadConfig()
	if err != nil {
		a.reload.failed(err)
		a.log.Error("reload failed; the old configuration stays", zap.Error(err))
	} else {
		a.reload.succeeded(a.now())
		a.log.Info("reloaded")
	}
	a.stream.status()
	return err
}

func (a *Agent) reloadConfig() error {
	c := a.opts.Config
	if a.opts.ConfigFile != "" {
		read, err := config.Load(a.opts.ConfigFile)
		if err != nil {
			return err
		}
		c = read
	}
	scope, err := currentScope(c)
	if err != nil {
		return err
	}
	sources, err := buildSources(a.wire, c, a.log, a.now, a.greet)
	if err != nil {
		return err
	}
	if err := a.load(c); err != nil {
		return err
	}
	a.sources.Store(&sources)
	select {
	case a.relisten <- struct{}{}:
	default:
	}
	a.wire.SetScope(scope)
	a.wire.SetRate(c.Discovery.Rate)
	a.followSilence()
	a.knowNetworks()
	a.inventory.Follow(follows(c))
	a.inventory.Rejudge()
	return nil
}
