// Package neighbor reads the kernel's neighbour table: hosts that this
// machine spoke with lately and their MACs, without a packet or a privilege.
package neighbor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
)

const name = "neighbor"

// freshFor is how long ago a host may have proved itself and still count as
// seen: the kernel keeps entries of hosts long gone.
const freshFor = 2 * time.Minute

// sameProof is how far apart two readings may date one proof.
const sameProof = time.Second

// Settings of discovery.sources.neighbor.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
	// Tables are files that are read in every cycle: the ARP table of a
	// router or the leases of a DHCP server, as CSV with the columns address,
	// MAC and, optionally, hostname, or as dnsmasq and ISC's dhcpd write them.
	Tables []string `yaml:"tables"`
}

// Protocol describes the source.
var Protocol = discovery.Protocol{
	Name:     name,
	Summary:  "reads the kernel's neighbour table, and files of ARP tables and DHCP leases; sends nothing",
	Settings: func() any { return &Settings{Enabled: discovery.Enabled{Enabled: "auto"}} },
	New: func(env discovery.Env, settings any) (discovery.Source, error) {
		s, ok := settings.(*Settings)
		if !ok {
			return nil, fmt.Errorf("neighbor: settings are %T", settings)
		}
		return &Source{env: env, settings: *s, health: discovery.NewHealth(name, s.Auto())}, nil
	},
	Kinds:  []string{name},
	Fields: Fields,
}

// Fields of a neighbour record: none, its MAC is the evidence.
func Fields(string, []byte) []discovery.Field { return nil }

// Source reads the table once a cycle and hears of its changes in between.
type Source struct {
	env      discovery.Env
	settings Settings
	health   *discovery.Health
	proofs   map[place]proof // as the table showed them last
}

// place is where an entry stands in the table, and proof when its host last
// proved itself.
type (
	place struct {
		index int
		ip    netip.Addr
	}
	proof struct {
		mac string
		at  time.Time
	}
)

// entry is one line of the table.
type entry struct {
	index     int
	ip        netip.Addr
	mac       net.HardwareAddr
	confirmed time.Duration // how long ago the host last proved itself
}

// Ask reports the hosts that the kernel has heard of lately, each time they
// proved themselves once, and those that the files name.
func (s *Source) Ask(_ context.Context, _ discovery.Round, sink discovery.Sink) error {
	entries, err := table()
	if err != nil {
		s.health.Down("", err, "")
		return nil
	}
	now, proofs := s.env.Now(), make(map[place]proof, len(entries))
	for _, e := range entries {
		at, p := place{e.index, e.ip}, proof{string(e.mac), now.Add(-e.confirmed)}
		if old, ok := s.proofs[at]; ok && old.mac == p.mac && p.at.Sub(old.at) < sameProof {
			proofs[at] = old
			continue
		}
		proofs[at] = p
		s.report(e, sink)
	}
	s.proofs = proofs
	if failed := errors.Join(s.readTables(sink)...); failed != nil {
		s.env.Log.Warn("tables that cannot be read", zap.Error(failed))
		s.health.Down("", failed, "")
		return nil
	}
	s.health.Up("")
	return nil
}

// Listen reports entries as the kernel confirms them.
func (s *Source) Listen(ctx context.Context, sink discovery.Sink) error {
	return watch(ctx, s.env.Log, func(e entry) { s.report(e, sink) })
}

// Status says whether the table can be read.
func (s *Source) Status() []discovery.Status { return s.health.All() }

func (s *Source) report(e entry, sink discovery.Sink) {
	if e.confirmed > freshFor || !unicastMAC(e.mac) || e.ip.IsMulticast() || e.ip.IsUnspecified() {
		return
	}
	for _, i := range s.env.Wire.Scope().Interfaces {
		if i.Index != e.index || i.Loopback {
			continue
		}
		sink(discovery.Sighting{
			Time: s.env.Now().Add(-e.confirmed), Source: name, Interface: i.Name,
			IP: e.ip, MAC: e.mac, Kind: name,
		})
		return
	}
}

func unicastMAC(mac net.HardwareAddr) bool {
	return len(mac) == 6 && mac[0]&1 == 0 && [6]byte(mac) != [6]byte{}
}
