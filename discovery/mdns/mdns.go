// Package mdns finds what announces services by multicast DNS and DNS-SD. It
// hears port 5353 through sockets bound to the group, which leave unicast to a
// daemon that has the port, asks from an ephemeral port, and lets zeroconf
// browse where nobody else holds the port.
package mdns

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"camcensus/discovery"
	"camcensus/discovery/exchange"
)

var (
	group4 = netip.MustParseAddrPort("224.0.0.251:5353")
	group6 = netip.MustParseAddrPort("[ff02::fb]:5353")
)

// window is how long answers are awaited; what comes later is heard all the
// same.
const window = 5 * time.Second

// Settings are the source's own.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
}

// Protocol describes the source.
var Protocol = discovery.Protocol{
	Name:     "mdns",
	Summary:  "cameras, and everything else that announces services by mDNS (UDP 5353)",
	Settings: func() any { return &Settings{Enabled: discovery.Enabled{Enabled: "true"}} },
	New:      open,
	Kinds:    []string{"mdns"},
	Fields:   Fields,
	Requests: requests(),
}

// Source asks and listens by exchange and browses by zeroconf.
type Source struct {
	*exchange.Source
	env   discovery.Env
	board *exchange.Board

	mu    sync.Mutex
	found []string // types that the segment named, the ones asked for anyway left out
	turn  int
}

func open(env discovery.Env, settings any) (discovery.Source, error) {
	opts, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("mdns: settings are %T", settings)
	}
	s := &Source{env: env, board: exchange.NewBoard("mdns", opts.Auto())}
	s.Source = exchange.New(env, s.board, s.conversation())
	return s, nil
}

// The sockets of conversation.
const (
	socket4 = iota
	socket6
)

func (s *Source) conversation() exchange.Conversation {
	message := func(string) []byte {
		return questions(append(cameraServices[:len(cameraServices):len(cameraServices)], s.foundTypes()...))
	}
	return exchange.Conversation{
		Sockets: []exchange.Socket{socket4: {TTL: 255}, socket6: {V6: true, TTL: 255}},
		Questions: []exchange.Question{
			{Socket: socket4, To: group4, At: exchange.At(100*time.Millisecond, 1100*time.Millisecond), Message: message},
			{Socket: socket6, To: group6, At: exchange.At(100 * time.Millisecond), Message: message},
		},
		Window: window,
		Groups: []netip.AddrPort{group4, group6},
		Read:   s.read,
	}
}

// Ask browses beside the questions of exchange.
func (s *Source) Ask(ctx context.Context, round discovery.Round, sink discovery.Sink) error {
	var browsing sync.WaitGroup
	browsing.Go(func() { s.browse(ctx, sink) })
	defer browsing.Wait()
	return s.Source.Ask(ctx, round, sink)
}

// read notes the types that a packet names, beside what Hear finds in it.
func (s *Source) read(raw []byte) []exchange.Heard {
	a, ok := parse(raw)
	if !ok {
		return nil
	}
	s.noteTypes(a.types)
	return a.heard(!s.Asking())
}

// Hear turns one packet into a piece of evidence for every service in it.
func Hear(raw []byte) []exchange.Heard {
	a, ok := parse(raw)
	if !ok {
		return nil
	}
	return a.heard(true)
}

func (a answer) heard(announced bool) []exchange.Heard {
	if a.query {
		return []exchange.Heard{{Key: "question"}}
	}
	var list []exchange.Heard
	for _, service := range a.services {
		if record := service.record(); record != nil {
			list = append(list, exchange.Heard{
				Kind: "mdns", Raw: record, Announced: announced, Hosts: a.hosts[lower(service.Host)],
			})
		}
	}
	switch {
	case a.goodbye:
		list = append(list, exchange.Heard{Key: "goodbye", Departed: true})
	case len(list) == 0:
		list = append(list, a.hostsOnly(announced)...)
	}
	return list
}

// hostsOnly is the evidence of a packet that gives addresses and no service.
func (a answer) hostsOnly(announced bool) []exchange.Heard {
	list := []exchange.Heard{{Key: "answer"}}
	for host, addrs := range a.hosts {
		record := Service{Host: host}.record()
		list = append(list, exchange.Heard{Kind: "mdns", Raw: record, Announced: announced, Hosts: addrs})
	}
	return list
}

// noteTypes keeps the types that the segment offers for the next cycle.
func (s *Source) noteTypes(types []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range types {
		if len(s.found) < maxFound && !isFixed(t) && !contains(s.found, t) {
			s.found = append(s.found, t)
		}
	}
}

func (s *Source) foundTypes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.found...)
}
