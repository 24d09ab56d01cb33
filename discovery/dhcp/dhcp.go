// Package dhcp hears what hosts tell a DHCP server when they come up: name,
// vendor class, the options they ask for. It never sends.
package dhcp

import (
	"context"
	"fmt"

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
		return &Source{capture: discovery.Capture{
			Wire: env.Wire, Health: discovery.NewHealth(name, s.Auto()),
			Filter: packet.MustFilter(packet.Want{UDPPorts: []uint16{ServerPort}}),
			Remedy: "names given by DHCP stay unknown",
		}}, nil
	},
	Kinds:  []string{name},
	Fields: Fields,
}

// Source captures DHCP on every interface.
type Source struct{ capture discovery.Capture }

// Ask has nothing to ask.
func (s *Source) Ask(context.Context, discovery.Round, discovery.Sink) error { return nil }

// Status says where it hears.
func (s *Source) Status() []discovery.Status { return s.capture.Health.All() }

// Listen reports the clients until ctx ends.
func (s *Source) Listen(ctx context.Context, sink discovery.Sink) error {
	s.capture.Listen(ctx, func(discovery.Interface) func(*packet.Frame, discovery.CaptureInfo) {
		return func(f *packet.Frame, ci discovery.CaptureInfo) {
			if sighting, ok := Sighting(f, ci); ok {
				sighting.Source = name
				sink(sighting)
			}
		}
	})
	return nil
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
