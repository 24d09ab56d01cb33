// Package snmp reads routers' and switches' own tables: which MAC has which
// address in networks that are not ours, and at which switch port a MAC hangs.
// It asks only the devices that the user names, with the user's own read-only
// credentials, and only reads.
package snmp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
)

const name = "snmp"

// sightedWait is how long the first answer of the link's own sources is
// awaited in a cycle.
const sightedWait = 30 * time.Second

// Settings of discovery.sources.snmp.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
	// Routers are the devices asked, switches among them: each gives the
	// tables that it has.
	Routers []Router      `yaml:"routers"`
	Timeout time.Duration `yaml:"timeout"` // of one request; it is sent once more
}

// Router is one device to ask.
type Router struct {
	Address         string `yaml:"address"`
	Port            uint16 `yaml:"port"`             // 161 when 0
	Version         string `yaml:"version"`          // "2c" or "3"
	CredentialsFile string `yaml:"credentials_file"` // readable by its owner alone
}

// Protocol describes the source. Its messages are built by the library out of
// the columns: GETBULK requests and, for version 3, the discovery of the
// engine.
var Protocol = discovery.Protocol{
	Name:    name,
	Summary: "reads address and forwarding tables from the routers and switches that it is told of (SNMP, UDP 161)",
	Settings: func() any {
		return &Settings{Enabled: discovery.Enabled{Enabled: "false"}, Timeout: 2 * time.Second}
	},
	New:    open,
	Kinds:  []string{name},
	Fields: Fields,
}

// router is a Router with its credentials.
type router struct {
	Router
	ip      netip.Addr
	secrets credentials
}

// Source asks the routers once a cycle.
type Source struct {
	env      discovery.Env
	settings Settings
	routers  []router
	health   *discovery.Health
}

func open(env discovery.Env, settings any) (discovery.Source, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("snmp: settings are %T", settings)
	}
	out := &Source{env: env, settings: *s, health: discovery.NewHealth(name, s.Auto())}
	if s.Timeout <= 0 || s.Timeout > time.Minute {
		return nil, fmt.Errorf("snmp: timeout %v (needs up to 1m)", s.Timeout)
	}
	if len(s.Routers) == 0 {
		return nil, errors.New("snmp: no routers (needs at least one {address, version, credentials_file})")
	}
	for n, r := range s.Routers {
		one, err := r.open()
		if err != nil {
			return nil, fmt.Errorf("snmp: routers, entry %d: %w", n+1, err)
		}
		out.routers = append(out.routers, one)
	}
	return out, nil
}

func (r Router) open() (router, error) {
	ip, err := netip.ParseAddr(r.Address)
	if err != nil {
		return router{}, fmt.Errorf("address %q is no IP address", r.Address)
	}
	if r.Version != "2c" && r.Version != "3" {
		return router{}, fmt.Errorf("version %q (needs \"2c\" or \"3\")", r.Version)
	}
	if r.Port == 0 {
		r.Port = 161
	}
	secrets, err := load(r.CredentialsFile)
	if err != nil {
		return router{}, fmt.Errorf("credentials_file: %w", err)
	}
	out := router{Router: r, ip: ip.Unmap(), secrets: secrets}
	if err := secrets.check(r.Version); err != nil {
		return router{}, fmt.Errorf("credentials_file: %s: %w", r.CredentialsFile, err)
	}
	return out, nil
}

// Listen has nothing to hear.
func (s *Source) Listen(context.Context, discovery.Sink) error { return nil }

// Status says which routers answer.
func (s *Source) Status() []discovery.Status { return s.health.All() }

// Ask walks every router and switch, all at the same time, and then says where
// each MAC hangs.
func (s *Source) Ask(ctx context.Context, round discovery.Round, sink discovery.Sink) error {
	var mu sync.Mutex
	var places []map[[6]byte]place
	var failed []error
	done := 0
	var wg sync.WaitGroup
	for _, r := range s.routers {
		wg.Go(func() {
			t, err := s.ask(ctx, r)
			mu.Lock()
			defer mu.Unlock()
			if done++; round.Progress != nil {
				round.Progress(done, len(s.routers))
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", r.ip, err))
				return
			}
			s.report(t, sink)
			places = append(places, t.ports(t.name(r.ip)))
		})
	}
	wg.Wait()
	if ctx.Err() != nil || s.env.Wire.Planning() || s.env.Wire.ListenOnly() {
		return ctx.Err()
	}
	s.judge(failed)
	at := nearest(places)
	for _, mac := range sorted(at) {
		sink(discovery.Sighting{Time: s.env.Now(), Source: name, MAC: net.HardwareAddr(mac[:]), SwitchPort: at[mac]})
	}
	return nil
}

// ask waits for the router to be there and walks it; in a dry run it says that
// it would.
func (s *Source) ask(ctx context.Context, r router) (tables, error) {
	if err := s.await(ctx, r.ip); err != nil {
		return nil, err
	}
	if s.env.Wire.Planning() {
		return tables{}, s.charge(ctx, r)
	}
	return s.walk(ctx, r)
}

func (s *Source) judge(failed []error) {
	if len(failed) == 0 {
		s.health.Up("")
		return
	}
	err := errors.Join(failed...)
	s.env.Log.Warn("routers that do not answer", zap.Error(err))
	s.health.Down("", err, "")
}

// report passes on the addresses of routed networks in scope.
func (s *Source) report(t tables, sink discovery.Sink) {
	scope := s.env.Wire.Scope()
	for _, b := range t.bindings() {
		if n, ok := scope.NetworkOf(b.ip); !ok || n.Connected {
			continue // on its own links this machine sees for itself
		}
		sink(discovery.Sighting{
			Time: s.env.Now(), Source: name, IP: b.ip, MAC: net.HardwareAddr(b.mac[:]), Kind: name, Hearsay: true,
		})
	}
}
