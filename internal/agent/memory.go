package agent

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Where devices are many, what they need is most of the heap, and a collection
// of it is cheaper than the room it would grow into.
const (
	largeSite      = 5000 // devices
	largeGCPercent = 20
	hugeSite       = 50000
	hugeGCPercent  = 10
)

// What pages and lists leave behind is given back after a while.
const (
	tidyEvery = time.Minute
	tidyAbove = 32 << 20 // bytes allocated since the last time
)

// keepSmall bounds what the heap may grow by, and gives back memory that was
// used for a while.
func (a *Agent) keepSmall() {
	switch n := a.inventory.Len(); {
	case a.opts.StoragePath == "":
	case n >= hugeSite:
		debug.SetGCPercent(hugeGCPercent)
	case n >= largeSite:
		debug.SetGCPercent(largeGCPercent)
	}
	debug.FreeOSMemory()
	a.tidied.Store(allocated())
}

// tidy gives memory back where much was used since it last was.
func (a *Agent) tidy() {
	if allocated() > a.tidied.Load()+tidyAbove {
		a.keepSmall()
	}
}

// allocated is how many bytes were ever put on the heap.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
