// Package listen hears what hosts say by themselves on the links: ARP,
// neighbour discovery, DHCP and the announcements and answers of the discovery
// protocols, whoever they are meant for, with the MAC they come from. It
// never sends.
package listen

import (
	"context"
	"fmt"

	"camcensus/discovery"
	"camcensus/internal/packet"
)

const name = "listen"

// Settings of discovery.sources.listen.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
	// Promiscuous also shows what others say to each other, where a switch
	// mirrors it.
	Promiscuous bool `yaml:"promiscuous"`
}

// Protocol describes the source. The records it writes bear the kinds of the
// protocols that they belong to, whose own Fields read them.
var Protocol = discovery.Protocol{
	Name:     name,
	Summary:  "captures ARP, neighbour discovery, DHCP and announcements; sends nothing",
	Settings: func() any { return &Settings{Enabled: discovery.Enabled{Enabled: "auto"}} },
	New: func(env discovery.Env, settings any) (discovery.Source, error) {
		s, ok := settings.(*Settings)
		if !ok {
			return nil, fmt.Errorf("listen: settings are %T", settings)
		}
		return &Source{capture: discovery.Capture{
			Wire: env.Wire, Health: discovery.NewHealth(name, s.Auto()), Promiscuous: s.Promiscuous,
			Filter: packet.MustFilter(packet.Want{ARP: true, ICMPv6: true, UDPPorts: ports()}),
			Remedy: "only what is sent to joined groups is heard, without MACs",
		}}, nil
	},
	Fields: func(string, []byte) []discovery.Field { return nil },
}

// Source captures on every interface.
type Source struct{ capture discovery.Capture }

// Ask has nothing to ask.
func (s *Source) Ask(context.Context, discovery.Round, discovery.Sink) error { return nil }

// Status says where it hears.
func (s *Source) Status() []discovery.Status { return s.capture.Health.All() }

// Dropped counts the frames that were lost for want of buffer space, by
// interface, for camcensus_capture_packets_dropped_total.
func (s *Source) Dropped() map[string]uint64 { return s.capture.Dropped() }

// Listen reports what is heard until ctx ends.
func (s *Source) Listen(ctx context.Context, sink discovery.Sink) error {
	s.capture.Listen(ctx, func(i discovery.Interface) func(*packet.Frame, discovery.CaptureInfo) {
		repeats := newGate()
		return func(f *packet.Frame, ci discovery.CaptureInfo) {
			for _, w := range words(f, ci) {
				w.place(s.capture.Wire.Scope())
				if !i.Has(w.IP) && repeats.pass(&w) {
					sink(w.Sighting)
				}
			}
		}
	})
	return nil
}
