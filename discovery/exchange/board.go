package exchange

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"camcensus/discovery"
)

// Part is one of the things that a source does on an interface.
type Part int

// The parts. A source is up where none of them failed.
const (
	Asking     Part = iota // sending over IPv4, from ephemeral ports
	Asking6                // and over IPv6
	Listening              // the IPv4 groups
	Listening6             // the IPv6 groups
	Answering              // the fixed port that answers come to
	parts
)

// of is the part over IPv4 or IPv6.
func (p Part) of(v6 bool) Part {
	if v6 {
		return p + 1
	}
	return p
}

// Board keeps the health of one source on every interface.
type Board struct {
	source string
	auto   bool

	mu     sync.Mutex
	states map[string]*state
}

type state struct {
	proven [parts]bool // worked in this round: that it failed once is no news
	reason [parts]string
}

// NewBoard returns a board on which nothing is known yet.
func NewBoard(source string, auto bool) *Board {
	return &Board{source: source, auto: auto, states: map[string]*state{}}
}

// Begin starts a new round of a part on an interface.
func (b *Board) Begin(iface string, part Part) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.at(iface)
	s.proven[part], s.reason[part] = false, ""
}

// Work notes that a part works.
func (b *Board) Work(iface string, part Part) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.at(iface)
	s.proven[part], s.reason[part] = true, ""
}

// Fail notes why a part does not, unless it was seen to work.
func (b *Board) Fail(iface string, part Part, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.at(iface); !s.proven[part] {
		s.reason[part] = err.Error()
	}
}

func (b *Board) at(iface string) *state {
	s := b.states[iface]
	if s == nil {
		s = &state{}
		b.states[iface] = s
	}
	return s
}

// Status returns every interface's state, by name.
func (b *Board) Status() []discovery.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []discovery.Status
	for iface, s := range b.states {
		var reasons []string
		for _, reason := range s.reason {
			if reason != "" {
				reasons = append(reasons, reason)
			}
		}
		list = append(list, discovery.Status{
			Source: b.source, Interface: iface, Auto: b.auto,
			Up: len(reasons) == 0, Reason: strings.Join(reasons, "; "),
		})
	}
	slices.SortFunc(list, func(x, y discovery.Status) int { return cmp.Compare(x.Interface, y.Interface) })
	return list
}
