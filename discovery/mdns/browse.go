package mdns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/grandcat/zeroconf"

	"camcensus/discovery"
	"camcensus/discovery/exchange"
)

// Bounds of zeroconf. A window of this length sends its query exactly twice,
// since the next repeat comes after two seconds at the earliest; answers that
// come later go to the group, which is heard anyway. An interface's share of
// the cycle's group packets lets three windows open.
const (
	browseWindow  = 1900 * time.Millisecond
	browseQueries = 2
	browseTypes   = 3
	maxEntries    = 512
)

// telling are the types that zeroconf browses for, in turn and beside the meta
// query; every type is asked for in each cycle by the other way.
var telling = []string{"_axis-video._tcp", "_onvif._tcp", "_rtsp._tcp", "_http._tcp", "_psia._tcp", "_hap._tcp"}

// browse opens zeroconf's windows on every interface, unless another daemon
// holds port 5353: zeroconf would take its unicast away.
func (s *Source) browse(ctx context.Context, sink discovery.Sink) {
	types := s.browsed()
	if s.held(ctx) {
		return
	}
	var windows sync.WaitGroup
	for _, i := range s.env.Wire.Scope().Interfaces {
		if !exchange.Carries(i, false) || !i.Multicast {
			continue
		}
		for _, service := range types {
			windows.Go(func() {
				s.browseOn(ctx, i, service, func(e *zeroconf.ServiceEntry) { s.entry(i, service, e, sink) })
			})
		}
	}
	windows.Wait()
}

// browsed is the meta query and this cycle's share of the types.
func (s *Source) browsed() []string {
	all := append(slices.Clone(telling), s.foundTypes()...)
	s.mu.Lock()
	defer s.mu.Unlock()
	types := []string{metaQuery}
	for len(types) < browseTypes {
		types = append(types, all[s.turn%len(all)])
		s.turn++
	}
	return types
}

// held reports whether somebody else has port 5353.
func (s *Source) held(ctx context.Context) bool {
	for _, i := range s.env.Wire.Scope().Interfaces {
		if !exchange.Carries(i, false) {
			continue
		}
		conn, err := s.env.Wire.OpenUDP(ctx, discovery.UDPOptions{Interface: i.Name, LocalPort: group4.Port()})
		if err != nil {
			return errors.Is(err, syscall.EADDRINUSE)
		}
		conn.Close()
	}
	return false
}

// browseOn runs one window of zeroconf. A resolver and a channel serve one
// window only: shared ones lose answers and panic. The channel is read until
// zeroconf closes it, past every bound, else its goroutines would stay.
func (s *Source) browseOn(ctx context.Context, i discovery.Interface, service string, f func(*zeroconf.ServiceEntry)) {
	err := s.env.Wire.Charge(ctx, browseQueries, discovery.Packet{
		Interface: i.Name, Protocol: "udp", To: group4.String(), Note: "PTR " + service,
	})
	if err != nil || s.env.Wire.Planning() {
		return
	}
	device, err := net.InterfaceByIndex(i.Index)
	if err != nil {
		s.board.Fail(i.Name, exchange.Asking, err)
		return
	}
	resolver, err := zeroconf.NewResolver(zeroconf.SelectIPTraffic(zeroconf.IPv4), zeroconf.SelectIfaces([]net.Interface{*device}))
	if err != nil {
		s.board.Fail(i.Name, exchange.Asking, err)
		return
	}
	ctx, end := context.WithTimeout(ctx, browseWindow)
	defer end()
	entries := make(chan *zeroconf.ServiceEntry)
	var reader sync.WaitGroup
	reader.Go(func() {
		count := 0
		for e := range entries {
			if count++; count <= maxEntries {
				f(e)
			} else {
				end()
			}
		}
	})
	if err := resolver.Browse(ctx, service, domain, entries); err != nil {
		s.board.Fail(i.Name, exchange.Asking, err)
		end()
	}
	reader.Wait()
}

// entry reports what zeroconf found. It tells neither sender nor interface, so
// the host must have given an address in the interface's own network; others
// are dropped.
func (s *Source) entry(i discovery.Interface, service string, e *zeroconf.ServiceEntry, sink discovery.Sink) {
	if service == metaQuery {
		if t, ok := serviceType(e.Instance); ok {
			s.noteTypes([]string{t})
		}
		return
	}
	ip, ok := s.onLink(i, e.AddrIPv4)
	if !ok {
		return
	}
	found := Service{Instance: clean(e.Instance), Service: service, Host: hostName(e.HostName), Port: e.Port}
	for _, text := range e.Text[:min(len(e.Text), maxTXT)] {
		if text = clean(text); text != "" {
			found.TXT = append(found.TXT, text)
		}
	}
	if record := found.record(); record != nil {
		sink(discovery.Sighting{
			Time: s.env.Now(), Source: "mdns", Interface: i.Name, IP: ip, Port: group4.Port(), Kind: "mdns", Raw: record,
		})
	}
}

// onLink is the address that lies in a connected network of the interface and
// is not our own.
func (s *Source) onLink(i discovery.Interface, ips []net.IP) (netip.Addr, bool) {
	for _, ip := range ips {
		addr, _ := netip.AddrFromSlice(ip)
		addr = addr.Unmap()
		n, ok := s.env.Wire.Scope().NetworkOf(addr)
		if ok && n.Connected && n.Interface == i.Name && !i.Has(addr) {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

func lower(s string) string { return strings.ToLower(s) }

func contains(list []string, s string) bool {
	return slices.ContainsFunc(list, func(t string) bool { return strings.EqualFold(t, s) })
}
