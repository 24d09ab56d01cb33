// Package dhcp hears what hosts tell a DHCP server when they come up: name,
// vendor class, the options they ask for. It never sends.
package dhcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/net/bpf"

	"camcensus/discovery"
	"camcensus/internal/packet"
)

const name = "dhcp"

// ServerPort is where clients send to.
const ServerPort = 67

// Settings of discovery.sources.dhcp.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
}

// Protocol describes the source.
var Protocol = discovery.Protocol{
	Name:     name,
	Summary:  "hears the names and vendor classes that hosts give when they ask for an address",
	Settings: func() any { return &Settings{Enabled: discovery.Enabled{Enabled: "auto"}} },
	New: func(env discovery.Env, settings any) (discovery.Source, error) {
		s, ok := settings.(*Settings)
		if !ok {
			return nil, fmt.Errorf("dhcp: settings are %T", settings)
		}
		return &Source{env: env, health: discovery.NewHealth(name, s.Auto())}, nil
	},
	Kinds:  []string{name},
	Fields: Fields,
}

// Source captures DHCP on every interface.
type Source struct {
	env    discovery.Env
	health *discovery.Health
}

// Ask has nothing to ask.
func (s *Source) Ask(context.Context, discovery.Round, discovery.Sink) error { return nil }

// Status says where it hears.
func (s *Source) Status() []discovery.Status { return s.health.All() }

var filter = mustFilter()

func mustFilter() []bpf.RawInstruction {
	f, err := packet.Filter(packet.Want{UDPPorts: []uint16{ServerPort}})
	if err != nil {
		panic(err) // a constant program
	}
	return f
}

// Listen reports the clients until ctx ends.
func (s *Source) Listen(ctx context.Context, sink discovery.Sink) error {
	scope := s.env.Wire.Scope()
	s.health.Keep(scope.Interfaces)
	var wg sync.WaitGroup
	for _, i := range scope.Interfaces {
		if i.Loopback {
			continue
		}
		conn, err := s.env.Wire.OpenPacket(ctx, i.Name, filter, false)
		if err != nil {
			s.health.Down(i.Name, err, "names given by DHCP stay unknown")
			continue
		}
		s.health.Up(i.Name)
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		wg.Go(func() { read(conn, i, sink) })
	}
	wg.Wait()
	return nil
}

func read(conn discovery.PacketConn, i discovery.Interface, sink discovery.Sink) {
	decoder, buf := packet.NewDecoder(), make([]byte, 4096)
	var f packet.Frame
	for {
		n, ci, err := conn.ReadPacket(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // the link went down
			continue
		}
		if decoder.Decode(buf[:n], &f) != nil || bytes.Equal(f.Source[:], i.MAC) {
			continue
		}
		if sighting, ok := Sighting(&f, ci); ok {
			sighting.Source = name
			sink(sighting)
		}
	}
}

// Sighting reads a client's message off a frame. A relayed one is no sighting
// on this link, and one whose frame bears another MAC than it claims is not
// believed.
func Sighting(f *packet.Frame, ci discovery.CaptureInfo) (discovery.Sighting, bool) {
	if f.Protocol != packet.UDP || f.ToPort != ServerPort {
		return discovery.Sighting{}, false
	}
	m, err := Parse(f.Payload)
	if err != nil || m.Relayed || [6]byte(m.MAC) != f.Source || f.Source[0]&1 != 0 {
		return discovery.Sighting{}, false
	}
	s := discovery.Sighting{
		Time: ci.Time, Interface: ci.Interface, VLAN: max(ci.VLAN, f.VLAN), MAC: m.MAC,
		Kind: name, Raw: m.Record(),
	}
	switch m.Type {
	case typeDiscover:
		// The address it may wish for is not its own yet.
	case typeRequest, typeInform:
		s.IP, s.Announced = m.IP, m.IP.IsValid()
	case typeRelease:
		s.IP, s.Departed = m.IP, m.IP.IsValid()
	case typeDecline:
		return discovery.Sighting{}, false
	default:
		return discovery.Sighting{}, false
	}
	return s, true
}
