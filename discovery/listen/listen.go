// Package listen hears what hosts say by themselves on the links: ARP,
// neighbour discovery, DHCP and the announcements and answers of the discovery
// protocols, whoever they are meant for, with the MAC they come from. It
// never sends.
package listen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/bpf"

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
		return &Source{env: env, settings: *s, health: discovery.NewHealth(name, s.Auto()), drops: map[string]uint64{}, open: map[string]discovery.PacketConn{}}, nil
	},
	Fields: func(string, []byte) []discovery.Field { return nil },
}

// Source captures on every interface.
type Source struct {
	env      discovery.Env
	settings Settings
	health   *discovery.Health

	mu    sync.Mutex
	open  map[string]discovery.PacketConn
	drops map[string]uint64 // of sockets closed since
}

// Ask has nothing to ask.
func (s *Source) Ask(context.Context, discovery.Round, discovery.Sink) error { return nil }

// Status says where it hears.
func (s *Source) Status() []discovery.Status { return s.health.All() }

// Dropped counts the frames that were lost for want of buffer space, by
// interface, for camcensus_capture_packets_dropped_total.
func (s *Source) Dropped() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]uint64{}
	for iface, n := range s.drops {
		out[iface] = n
	}
	for iface, conn := range s.open {
		out[iface] += conn.Stats().Dropped
	}
	return out
}

var filter = mustFilter()

func mustFilter() []bpf.RawInstruction {
	f, err := packet.Filter(packet.Want{ARP: true, ICMPv6: true, UDPPorts: ports()})
	if err != nil {
		panic(err) // a constant program
	}
	return f
}

// Listen reports what is heard until ctx ends.
func (s *Source) Listen(ctx context.Context, sink discovery.Sink) error {
	scope := s.env.Wire.Scope()
	s.health.Keep(scope.Interfaces)
	var wg sync.WaitGroup
	for _, i := range scope.Interfaces {
		if i.Loopback {
			continue
		}
		conn, err := s.env.Wire.OpenPacket(ctx, i.Name, filter, s.settings.Promiscuous)
		if err != nil {
			s.health.Down(i.Name, err, "only what is sent to joined groups is heard, without MACs")
			continue
		}
		s.health.Up(i.Name)
		s.track(i.Name, conn)
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		wg.Go(func() {
			defer s.untrack(i.Name, conn)
			s.read(conn, i, sink)
		})
	}
	wg.Wait()
	return nil
}

func (s *Source) track(iface string, conn discovery.PacketConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[iface] = conn
}

func (s *Source) untrack(iface string, conn discovery.PacketConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, iface)
	s.drops[iface] += conn.Stats().Dropped
}

func (s *Source) read(conn discovery.PacketConn, i discovery.Interface, sink discovery.Sink) {
	decoder, buf, repeats := packet.NewDecoder(), make([]byte, 1<<16), newGate()
	var f packet.Frame
	for {
		n, ci, err := conn.ReadPacket(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.env.Log.Debug("capture interrupted", zap.String("interface", i.Name), zap.Error(err))
			time.Sleep(100 * time.Millisecond) // the link went down
			continue
		}
		if decoder.Decode(buf[:n], &f) != nil || bytes.Equal(f.Source[:], i.MAC) {
			continue
		}
		for _, w := range words(&f, ci) {
			w.place(s.env.Wire.Scope())
			if !i.Has(w.IP) && repeats.pass(&w) {
				sink(w.Sighting)
			}
		}
	}
}
