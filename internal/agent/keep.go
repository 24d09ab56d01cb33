package agent

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"camcensus/discovery"
)

// recordNames gives each record of a scan the name of its device: the IP, or
// IP#2 for a second device at one address; and lets each answer through once.
type recordNames struct {
	mu     sync.Mutex
	byIP   map[string][]string // IP (or MAC) -> devices in order of appearance
	passed map[[sha256.Size]byte]bool
}

func newRecordNames() *recordNames {
	return &recordNames{byIP: map[string][]string{}, passed: map[[sha256.Size]byte]bool{}}
}

// keep hands a record to whoever collects the evidence.
func (a *Agent) keep(device string, r discovery.Record) {
	if a.opts.Record == nil {
		return
	}
	if r, ok := a.names.name(device, r); ok {
		a.opts.Record(r)
	}
}

func (n *recordNames) name(device string, r discovery.Record) (discovery.Record, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00%s\x00%s\x00%d\x00%s\x00", device, r.MAC, r.Kind, r.Port, r.Path)
	sum.Write(r.Bytes())
	key := [sha256.Size]byte(sum.Sum(nil))
	if n.passed[key] {
		return r, false
	}
	n.passed[key] = true
	devices := n.byIP[r.Host]
	for i, d := range devices {
		if d == device {
			return named(r, i), true
		}
	}
	n.byIP[r.Host] = append(devices, device)
	return named(r, len(devices)), true
}

func named(r discovery.Record, nth int) discovery.Record {
	if nth > 0 {
		r.Host = fmt.Sprintf("%s#%d", r.Host, nth+1)
	}
	return r
}
