package agent

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"sync"

	"camcensus/discovery"
	"camcensus/internal/inventory"
)

// keeper hands the evidence to whoever collects it, each answer once.
type keeper struct {
	mu     sync.Mutex
	to     func(device string, r discovery.Record)
	passed map[[sha256.Size]byte]bool
}

func newKeeper(to func(string, discovery.Record)) *keeper {
	return &keeper{to: to, passed: map[[sha256.Size]byte]bool{}}
}

func (k *keeper) keep(device string, r discovery.Record) {
	if k.to == nil || device == "" {
		return
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00%s\x00%s\x00%d\x00%s\x00", device, r.MAC, r.Kind, r.Port, r.Path)
	sum.Write(r.Bytes())
	key := [sha256.Size]byte(sum.Sum(nil))
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.passed[key] {
		k.passed[key] = true
		k.to(device, r)
	}
}

// RecordHost names the device of a record as evidence files do: its IP, or
// IP#2 for a second device there; the MAC where no address is known. It knows
// the device by any id it had during the scan. A device to be left out
// has no name.
func (a *Agent) RecordHost(without map[string]bool) func(device string) string {
	names, taken := map[string]string{}, map[string]int{}
	for _, d := range a.inventory.Devices() {
		if without[d.ID] {
			continue
		}
		host := firstAddress(d)
		taken[host]++
		if n := taken[host]; n > 1 {
			host = fmt.Sprintf("%s#%d", host, n)
		}
		names[d.ID] = host
	}
	return func(device string) string {
		if d, ok := a.inventory.Device(device); ok {
			device = d.ID
		}
		return names[device]
	}
}

// firstAddress is the address by which a device is best known: an IPv4 one,
// any other, its MAC, its id.
func firstAddress(d inventory.Device) string {
	for _, s := range d.IPs {
		if ip, err := netip.ParseAddr(s); err == nil && ip.Is4() {
			return s
		}
	}
	switch {
	case len(d.IPs) > 0:
		return d.IPs[0]
	case len(d.MACs) > 0:
		return d.MACs[0]
	}
	return d.ID
}
