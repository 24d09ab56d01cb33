// Package agent builds the loop from a configuration and runs it: sightings
// into the inventory, the next question to the host, its answer into the
// evidence, an identity and its verdicts out of it.
package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/exporter"
	"camcensus/fingerprint"
	"camcensus/fingerprint/probe"
	"camcensus/internal/config"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// Options are what an agent is built from.
type Options struct {
	Config      config.Config
	ConfigFile  string // read again on reload; "" = none
	StoragePath string // "" keeps the inventory in memory
	Version     string
	Revision    string // the commit it was built from
	Log         *zap.Logger
	Now         func() time.Time // nil = time.Now

	// Plan makes it a dry run: each packet is told, none is sent.
	Plan func(discovery.Packet)
	// Record is given every piece of evidence as it comes in, with its
	// device; Filing names that in the end. May be nil.
	Record func(device string, r discovery.Record)
}

// Agent is one site's agent.
type Agent struct {
	opts  Options
	log   *zap.Logger
	now   func() time.Time
	start time.Time

	settings    atomic.Pointer[settings]
	wire        *discovery.Wire
	inventory   *inventory.Inventory
	prober      *probe.Prober
	credentials *probe.Credentials // nil: no login, ever
	sources     atomic.Pointer[[]source]
	relisten    chan struct{} // the sources were built anew

	hosts    *hostQueue
	greeted  greetings   // by sweeps
	unjudged unjudged    // devices
	ports    switchPorts // of switches, by MAC
	crowds   crowds      // MACs that answer for many addresses
	own      ownAddresses
	coverage *coverageBook
	counts   *counters
	progress *progress
	pause    *pauseState
	stream   *broadcaster
	keeper   *keeper
	tidied   atomic.Uint64 // what was ever allocated when memory was last given back

	ready    atomic.Bool
	reload   reloadState
	rescan   chan struct{}
	cycleNum atomic.Int64
	relinks  relinks
	last     lastCycle
}

// settings are what a reload swaps.
type settings struct {
	config config.Config
	judge  *Judge
}

// lastCycle is when cycles ended and begin.
type lastCycle struct {
	mu        sync.Mutex
	begun     time.Time
	completed time.Time
	next      time.Time
	durations exporter.Durations
}

// ConfigError is a mistake in what the user wrote: the configuration, a rule
// file, a policy.
type ConfigError struct{ error }

// Unwrap gives the mistake itself.
func (e ConfigError) Unwrap() error { return e.error }

// New builds an agent: it reads rules, policies and the stored inventory, but
// sends nothing yet. ctx ends what New starts.
func New(ctx context.Context, o Options) (*Agent, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Agent{
		opts: o, log: o.Log, now: o.Now, start: o.Now(),
		coverage: newCoverageBook(), counts: newCounters(), progress: newProgress(),
		stream: newBroadcaster(), rescan: make(chan struct{}, 1), relisten: make(chan struct{}, 1), keeper: newKeeper(o.Record),
	}
	a.hosts = newHostQueue()
	opened := make(chan error, 1) // rules and devices are read at the same time
	go func() { opened <- a.openInventory(ctx) }()
	err, openErr := a.prepare(), <-opened
	if err != nil && openErr == nil {
		return nil, errors.Join(err, a.inventory.Close())
	}
	if err = cmp.Or(err, openErr); err != nil {
		return nil, err
	}
	a.pause = loadPause(o.StoragePath)
	a.progress.onChange(a.stream.progress)
	a.reload.succeeded(a.now())
	a.ready.Store(true)
	a.keepSmall() // reading the rules leaves more garbage than the agent will ever need
	return a, nil
}

// prepare reads rules and policies, and makes the scope and what works on it.
func (a *Agent) prepare() error {
	o := a.opts
	if err := a.load(o.Config); err != nil {
		return ConfigError{err}
	}
	scope, err := currentScope(o.Config)
	if err != nil {
		return ConfigError{err}
	}
	a.wire = discovery.NewWire(scope, discovery.WireOptions{
		Rate: o.Config.Discovery.Rate, ListenOnly: o.Config.Mode == config.ModeListen,
		Plan: o.Plan, Log: o.Log,
	})
	sources, err := buildSources(a.wire, o.Config, o.Log, o.Now, a.greet)
	if err != nil {
		return ConfigError{err}
	}
	a.sources.Store(&sources)
	if file := o.Config.Fingerprint.CredentialsFile; file != "" {
		if a.credentials, err = probe.LoadCredentials(file); err != nil {
			return ConfigError{err}
		}
	}
	a.prober = probe.New(probe.Options{
		Wire: a.wire, Timeout: o.Config.Fingerprint.Timeout.D(),
		UserAgent: userAgent(o.Version, o.Config.Site.Contact), Credentials: a.credentials, Log: o.Log, Now: o.Now,
	})
	return nil
}

// Close judges what no cycle came to judge, and lets go of the store: at the
// next start every device in it counts as judged.
func (a *Agent) Close() error {
	a.judgeRest()
	return a.inventory.Close()
}

func userAgent(version, contact string) string {
	if contact == "" {
		return "camcensus/" + version
	}
	return fmt.Sprintf("camcensus/%s (+%s)", version, discovery.CleanText([]byte(contact), 128))
}

// load makes a configuration the current one, or says why it cannot be.
func (a *Agent) load(c config.Config) error {
	registry, err := Registry(a.opts.StoragePath)
	if err != nil {
		return err
	}
	judge, err := NewJudge(JudgeOptions{
		Lists: c.Policy.Lists, PolicyFiles: c.Policy.Files, RuleFiles: c.Fingerprint.Rules, Registry: registry,
	})
	if err != nil {
		return err
	}
	for _, unused := range judge.Unused {
		a.log.Info(unused)
	}
	a.settings.Store(&settings{config: c, judge: judge})
	return nil
}

// sourceList is the sources at work.
func (a *Agent) sourceList() []source { return *a.sources.Load() }

func (a *Agent) config() config.Config { return a.settings.Load().config }
func (a *Agent) judge() *Judge         { return a.settings.Load().judge }

// follows are the inventory's options that a reload changes.
func follows(c config.Config) inventory.Options {
	keep := c.Inventory.Retention
	return inventory.Options{
		Site: c.Site.Name, MissingAfter: c.Inventory.MissingAfter, Hostnames: string(c.Inventory.Hostnames),
		Retention: inventory.Retention{Unclassified: keep.Unclassified.D(), NonCamera: keep.NonCamera.D(), RandomMAC: keep.RandomMAC.D(), Devices: keep.Devices.D()},
	}
}

func (a *Agent) openInventory(ctx context.Context) error {
	o := follows(a.opts.Config)
	o.Dir, o.Now, o.Log = a.opts.StoragePath, a.now, a.log
	if o.Dir != "" {
		o.DetailLimit = manyDevices
	}
	o.Uses = func(kind, field string) bool { return a.judge().rules.Uses(kind, field) }
	o.Judge = func(d inventory.Device, ev []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict) {
		return a.judge().AssessDevice(d, ev, a.now())
	}
	inv, err := inventory.Open(ctx, o)
	if err != nil {
		return err
	}
	a.inventory = inv
	return nil
}

// acquired is the device's date of acquisition, zero when nobody noted it.
func acquired(d inventory.Device) time.Time {
	t, err := time.Parse(time.DateOnly, d.Annotations.Acquired)
	if err != nil {
		return time.Time{}
	}
	return t
}

// currentScope reads the machine's interfaces and makes the scope of c.
func currentScope(c config.Config) (*discovery.Scope, error) {
	all, err := discovery.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("agent: read the interfaces: %w", err)
	}
	scope, err := discovery.NewScope(all, discovery.ScopeOptions{
		Interfaces: c.Interfaces, Networks: c.NetworkStrings(), Exclude: c.Exclusions(),
	})
	if err != nil && c.File != "" {
		return nil, fmt.Errorf("%s: %w", c.File, err)
	}
	return scope, err
}

// routed tells whether an address is reached through a router only.
func (a *Agent) routed(ip netip.Addr) bool {
	n, ok := a.wire.Scope().NetworkOf(ip)
	return ok && !n.Connected
}
