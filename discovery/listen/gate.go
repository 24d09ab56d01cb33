package listen

import (
	"hash/maphash"
	"time"
)

// The same word of the same host is passed on once in a while only, however
// often it is said. MACs that come and go, as a flood of made-up ones does, are
// bounded: past the bounds nothing new is passed on before the next period.
const (
	repeatAfter = 10 * time.Second
	gateEntries = 1 << 15
	gatePerMAC  = 64   // words per MAC and period
	gateNewMACs = 4096 // MACs per period that the last one did not have
)

type gate struct {
	seed  maphash.Seed
	last  map[uint64]struct{}
	of    map[[6]byte]int
	known map[[6]byte]int // of, in the period before
	fresh int             // MACs of this period that are not in known
	from  time.Time
}

func newGate() *gate {
	return &gate{seed: maphash.MakeSeed(), last: map[uint64]struct{}{}, of: map[[6]byte]int{}}
}

func (g *gate) pass(w *word) bool {
	if w.Time.Sub(g.from) > repeatAfter || w.Time.Before(g.from) {
		// A new period: what was said in the last one may be said again.
		clear(g.last)
		g.known, g.of, g.fresh = g.of, map[[6]byte]int{}, 0
		g.from = w.Time
	}
	key := g.key(w)
	if _, said := g.last[key]; said || len(g.last) >= gateEntries {
		return false
	}
	var mac [6]byte // a host without a MAC counts among its likes
	if len(w.MAC) == len(mac) {
		mac = [6]byte(w.MAC)
		if g.of[mac] >= gatePerMAC || g.of[mac] == 0 && !g.admits(mac) {
			return false
		}
		g.of[mac]++
	}
	g.last[key] = struct{}{}
	return true
}

// admits counts the MACs that are new in this period.
func (g *gate) admits(mac [6]byte) bool {
	if g.known[mac] > 0 {
		return true
	}
	g.fresh++
	return g.fresh <= gateNewMACs
}

func (g *gate) key(w *word) uint64 {
	var h maphash.Hash
	h.SetSeed(g.seed)
	h.WriteString(w.Kind)
	h.Write(w.MAC)
	if w.IP.IsValid() {
		ip := w.IP.As16()
		h.Write(ip[:])
	}
	if w.Departed {
		h.WriteByte(1)
	}
	h.WriteByte(0)
	if w.key != "" {
		h.WriteString(w.key)
	} else {
		h.Write(w.Raw)
	}
	return h.Sum64()
}
