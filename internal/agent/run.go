package agent

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"camcensus/discovery"
)

// Run discovers on schedule until ctx ends.
func (a *Agent) Run(ctx context.Context) error {
	a.logScope()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.listen(ctx) })
	g.Go(func() error { a.work(ctx); return nil })
	g.Go(func() error {
		if sleep(ctx, passiveFirst) {
			return a.cycles(ctx)
		}
		return nil
	})
	g.Go(func() error { a.dailyHead(ctx); return nil })
	g.Go(func() error {
		<-ctx.Done()
		a.inventory.EndJudging() // of a reload, which knows no ctx
		return nil
	})
	g.Go(func() error {
		a.keepSmall() // loading left much behind,
		a.inventory.AwaitCheck(ctx)
		a.keepSmall() // so did the check,
		a.inventory.RejudgeUnless(ctx, a.judgedBy())
		a.keepSmall() // as judging does
		return nil
	})
	g.Go(func() error { a.expireExceptions(ctx); return nil })
	g.Go(func() error {
		for sleep(ctx, crowdPatience/2) {
			a.releaseCrowds(false)
		}
		return nil
	})
	return g.Wait()
}

// passiveFirst is how long the agent only listens before its first question.
const passiveFirst = time.Second

// sleep waits and tells whether ctx still runs.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// listen keeps every source listening. When the machine's interfaces change,
// the scope is made anew and the sources start over on what is there.
func (a *Agent) listen(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	var watch sync.WaitGroup
	watch.Go(func() {
		discovery.WatchInterfaces(ctx, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	})
	defer watch.Wait()
	for ctx.Err() == nil {
		round, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		for _, s := range a.sourceList() {
			wg.Go(func() { a.keepListening(round, s) })
		}
		a.awaitChange(ctx, changed)
		cancel()
		wg.Wait()
	}
	return nil
}

// keepListening starts a source's Listen again when it fails.
func (a *Agent) keepListening(ctx context.Context, s source) {
	const pause = 10 * time.Second
	for ctx.Err() == nil {
		err := s.Listen(ctx, a.observe)
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			a.log.Warn("source cannot listen; trying again", zap.String("source", s.name), zap.Error(err), zap.Duration("in", pause))
			sleep(ctx, pause)
		}
	}
}

// awaitChange returns when the sources were built anew, or when the interfaces
// of the machine are others than the scope was made of, after making the scope
// anew.
func (a *Agent) awaitChange(ctx context.Context, changed <-chan struct{}) {
	tick := time.NewTicker(interfaceCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.relisten:
			return
		case <-changed:
			if !sleep(ctx, interfaceSettle) {
				return
			}
		case <-tick.C:
		}
		scope, err := currentScope(a.config())
		if err != nil {
			a.log.Warn("cannot read the interfaces", zap.Error(err))
			continue
		}
		old := a.wire.Scope()
		if sameNetworks(old, scope) {
			continue
		}
		a.wire.SetScope(scope)
		a.relinks.note(old.Interfaces, scope.Interfaces, a.now())
		a.log.Info("the interfaces changed", zap.Strings("networks", networkNames(scope)))
		a.knowNetworks()
		a.tellNetworks()
		a.stream.status()
		return
	}
}

// relinks keeps when each interface last got or lost its link, its MAC or an
// IPv4 address: what a sweep needs.
type relinks struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (r *relinks) note(before, after []discovery.Interface, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := map[string]discovery.Interface{}
	for _, i := range before {
		was[i.Name] = i
	}
	if r.at == nil {
		r.at = map[string]time.Time{}
	}
	for _, i := range after {
		if old := was[i.Name]; old.Running != i.Running || !bytes.Equal(old.MAC, i.MAC) || !slices.Equal(ipv4(old.Prefixes), ipv4(i.Prefixes)) {
			r.at[i.Name] = now
		}
	}
}

func ipv4(all []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(all), func(p netip.Prefix) bool { return !p.Addr().Is4() })
}

// since tells whether the interface changed at that time or later.
func (r *relinks) since(iface string, t time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.at[iface]
	return ok && !at.Before(t)
}

// The kernel tells when an interface changes, and seldom a single change: they
// are read a moment later. Now and then they are read anyway; that costs one
// netlink dump, and no packet.
const (
	interfaceSettle = 100 * time.Millisecond
	interfaceCheck  = 30 * time.Second
)

func sameNetworks(a, b *discovery.Scope) bool {
	return reflect.DeepEqual(a.Networks, b.Networks) && reflect.DeepEqual(a.Interfaces, b.Interfaces)
}

func networkNames(s *discovery.Scope) []string {
	out := make([]string, 0, len(s.Networks))
	for _, n := range s.Networks {
		name := n.Prefix.String()
		if n.Interface != "" {
			name += "%" + n.Interface
		}
		out = append(out, name)
	}
	return out
}

// logScope says, before the first packet, whom they may go to.
func (a *Agent) logScope() {
	s := a.wire.Scope()
	a.log.Info("scope", zap.String("mode", string(a.config().Mode)), zap.Strings("networks", networkNames(s)),
		zap.Int("exclusions", len(s.Exclusions)), zap.Float64("packets_per_second", a.config().Discovery.Rate))
	for _, n := range s.NotInScope {
		a.log.Info("not in scope", zap.String("network", n.Network), zap.String("reason", n.Reason))
	}
	for _, s := range a.sourceList() {
		for _, st := range s.Status() {
			if !st.Up {
				a.log.Warn("source cannot work", zap.String("source", s.name), zap.String("interface", st.Interface), zap.String("reason", st.Reason))
			}
		}
	}
	if len(s.Networks) == 0 {
		a.log.Warn("no network is in scope: name one under networks, or an interface under interfaces")
	}
}

// dailyHead writes the event chain's head to the log, so that a later copy of
// the log can prove that the chain was not cut or rebuilt.
func (a *Agent) dailyHead(ctx context.Context) {
	for {
		length, head := a.inventory.Chain()
		a.log.Info("event chain", zap.Int64("events", length), zap.String("head", head))
		if !sleep(ctx, 24*time.Hour) {
			return
		}
	}
}

// expireExceptions ends exceptions on time, between cycles too.
func (a *Agent) expireExceptions(ctx context.Context) {
	for sleep(ctx, time.Minute) {
		a.inventory.Expire()
	}
}

// Outcome is what one scan did.
type Outcome struct {
	Interrupted bool
	Blind       string // why nothing could be seen; "" when something could
}

// Scan runs one cycle and returns. Ctrl-C (ctx) keeps what was found so far.
func (a *Agent) Scan(ctx context.Context) (Outcome, error) {
	round, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for _, s := range a.sourceList() {
		wg.Go(func() {
			if err := s.Listen(round, a.observe); err != nil && round.Err() == nil {
				a.log.Warn("source cannot listen", zap.String("source", s.name), zap.Error(err))
			}
		})
	}
	wg.Go(func() { a.work(round) })
	a.cycle(round)
	out := Outcome{Interrupted: ctx.Err() != nil, Blind: a.blind()}
	cancel()
	wg.Wait()
	// What was heard while the last hosts were asked counts as well.
	a.inventory.Rejudge()
	return out, nil
}

// blind says why the scan could see nothing, or that a source it was told to
// use was down; "" when neither holds.
func (a *Agent) blind() string {
	if len(a.wire.Scope().Networks) == 0 {
		return "no network is in scope"
	}
	up := 0
	for _, s := range a.sourceList() {
		for _, st := range s.Status() {
			switch {
			case st.Up:
				up++
			case s.required:
				return fmt.Sprintf("source %s is enabled but cannot work: %s", s.name, st.Reason)
			}
		}
	}
	if up == 0 {
		return "no source could work"
	}
	return a.uncovered()
}

// uncovered says why a scan covered no network; "" when it covered one. A
// connected network is covered by a finished sweep while its link is up, since
// there silence says that nobody is there. Behind a router silence may as well
// be a firewall or a way that leads nowhere: somebody must have answered.
func (a *Agent) uncovered() string {
	swept := a.coverage.covered()
	var silent []string
	for _, n := range a.wire.Scope().Networks {
		dark := linkless(a.wire.Scope(), n.Prefix, n.Interface)
		for _, c := range swept {
			if c.Network == n.Prefix && (c.Answered > 0 || n.Connected && !dark) {
				return ""
			}
		}
		if a.presentIn(n.Prefix) > 0 {
			return ""
		}
		name := n.Prefix.String()
		if dark {
			name += " (no link on " + n.Interface + ")"
		}
		silent = append(silent, name)
	}
	return "nobody answered in " + strings.Join(silent, ", ") + ": is there a route, and does a firewall let these connections pass?"
}
