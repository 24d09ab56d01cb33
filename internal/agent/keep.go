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
	split  map[heldBy]string // to which device
}

// heldBy is an address that was taken for a device's.
type heldBy struct {
	device string
	ip     netip.Addr
}

func newKeeper(to func(string, discovery.Record)) *keeper {
	return &keeper{to: to, passed: map[[sha256.Size]byte]bool{}, split: map[heldBy]string{}}
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

// divide notes that what was kept of one device is of several.
func (k *keeper) divide(split []inventory.SplitOff) {
	if k.to == nil || len(split) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range split {
		k.split[heldBy{s.From, s.IP}] = s.To
	}
}

// Filing returns how the records of a scan are filed: under which device, by
// any id that it had meanwhile, and with which host. That is named as evidence
// files do: by its IP, or IP#2 for a second device there; by the MAC where no
// address is known. A device to be left out has no host. A MAC that proved to be
// a gateway's, so that no device has it, is left out.
func (a *Agent) Filing(without map[string]bool) func(device string, r discovery.Record) (string, discovery.Record) {
	names, taken, borne := map[string]string{}, map[string]int{}, map[string]bool{}
	for _, d := range a.inventory.Devices() {
		for _, mac := range d.MACs {
			borne[mac] = true
		}
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
	return func(device string, r discovery.Record) (string, discovery.Record) {
		device = a.keeper.holder(a.inventory, device, r)
		r.Host = names[device]
		if !borne[r.MAC] {
			r.MAC = ""
		}
		return device, r
	}
}

// holder is whose record it is, as is known in the end.
func (k *keeper) holder(all *inventory.Inventory, device string, r discovery.Record) string {
	if d, ok := all.Plain(device); ok {
		device = d.ID
	}
	ip, err := netip.ParseAddr(r.IP)
	if err != nil {
		return device
	}
	k.mu.Lock()
	to, divided := k.split[heldBy{device, ip}]
	k.mu.Unlock()
	if d, ok := all.Plain(to); ok && divided {
		return d.ID
	}
	return device
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
