package discovery

import (
	"errors"
	"slices"
	"strings"
	"sync"
)

// Health keeps what a source says of itself, per interface. Its zero value is
// not ready; NewHealth makes one.
type Health struct {
	source string
	auto   bool

	mu   sync.Mutex
	last map[string]Status
}

// NewHealth returns the health of a source; auto as the settings say.
func NewHealth(source string, auto bool) *Health {
	return &Health{source: source, auto: auto, last: map[string]Status{}}
}

// Up says that the source works on an interface.
func (h *Health) Up(iface string) { h.set(Status{Interface: iface, Up: true}) }

// Down says why it does not. The remedy stands behind the reason where the
// source knows one.
func (h *Health) Down(iface string, err error, remedy string) {
	s := Status{Interface: iface, Reason: err.Error(), Auto: h.auto && errors.Is(err, ErrNoCapability)}
	if remedy != "" {
		s.Reason += ": " + remedy
	}
	h.set(s)
}

func (h *Health) set(s Status) {
	s.Source = h.source
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last[s.Interface] = s
}

// Keep forgets interfaces that are no longer used.
func (h *Health) Keep(ifaces []Interface) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name := range h.last {
		if name != "" && !slices.ContainsFunc(ifaces, func(i Interface) bool { return i.Name == name }) {
			delete(h.last, name)
		}
	}
}

// All returns the last word on every interface, in their order.
func (h *Health) All() []Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Status, 0, len(h.last))
	for _, s := range h.last {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.Interface, b.Interface) })
	return out
}
