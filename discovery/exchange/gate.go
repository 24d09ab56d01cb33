package exchange

import (
	"crypto/rand"
	"fmt"
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Bounds of what is passed on. A segment may be flooded with forged answers;
// honest hosts stay far below.
const (
	repeatAfter = 30 * time.Second // the same words of the same host count once in this time
	slice       = 10 * time.Second
	perHost     = 64     // datagrams of one host in a slice
	perSource   = 20_000 // of all hosts
	remembered  = 32_768 // repeats kept in mind
)

// gate drops repeats and floods.
type gate struct {
	seed maphash.Seed

	mu    sync.Mutex
	began time.Time
	total int
	hosts map[netip.Addr]int
	last  map[uint64]time.Time
}

func newGate() *gate {
	return &gate{seed: maphash.MakeSeed(), hosts: map[netip.Addr]int{}, last: map[uint64]time.Time{}}
}

// reset forgets the repeats: a new cycle wants a sighting of every host.
func (g *gate) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.last)
}

// open reports whether one more datagram of a host is looked at.
func (g *gate) open(from netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.began) > slice || now.Before(g.began) {
		g.began, g.total = now, 0
		clear(g.hosts)
	}
	g.total++
	g.hosts[from]++
	return g.total <= perSource && g.hosts[from] <= perHost
}

// fresh reports whether a host's words are no repeat. An answer that proves
// itself is no repeat of one that does not.
func (g *gate) fresh(from netip.Addr, key string, solicited bool, now time.Time) bool {
	var h maphash.Hash
	h.SetSeed(g.seed)
	b := from.As16()
	h.Write(b[:])
	if solicited {
		h.WriteByte(1)
	}
	h.WriteString(key)
	sum := h.Sum64()
	g.mu.Lock()
	defer g.mu.Unlock()
	if last, seen := g.last[sum]; seen && now.Sub(last) < repeatAfter && !now.Before(last) {
		return false
	}
	if len(g.last) >= remembered {
		clear(g.last)
	}
	g.last[sum] = now
	return true
}

// asked keeps which token was put to which host. The nil value repeats none.
type asked struct {
	mu     sync.Mutex
	tokens map[netip.Addr][]string
}

func (a *asked) add(ip netip.Addr, token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens[ip] = append(a.tokens[ip], token)
}

// repeats reports whether a host gave back a token that it was asked with.
func (a *asked) repeats(from netip.Addr, token string) bool {
	if a == nil || token == "" {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.tokens[from] {
		if strings.EqualFold(t, token) {
			return true
		}
	}
	return false
}

// NewToken returns a random UUID (RFC 9562 section 5.4).
func NewToken() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
