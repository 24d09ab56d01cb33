package agent

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/internal/inventory"
)

// keeper hands the evidence to whoever collects it, each answer once.
type keeper struct {
	mu     sync.Mutex
	to     func(device string, r discovery.Record)
	passed map[[sha256.Size]byte]bool
	split  map[heldBy]string // to which device
	named  map[heldBy]string // to which device that goes which names it
}

// heldBy is an address that was taken for a device's.
type heldBy struct {
	device string
	ip     netip.Addr
}

func newKeeper(to func(string, discovery.Record)) *keeper {
	return &keeper{to: to, passed: map[[sha256.Size]byte]bool{}, split: map[heldBy]string{}, named: map[heldBy]string{}}
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

// late takes note of what had waited.
func (a *Agent) late(list []inventory.Late) {
	for _, l := range list {
		a.unjudged.add(l.Device)
		a.keeper.keep(l.Device, l.Record)
	}
}

// divide has those judged anew that lost evidence to others, and notes for the
// records that what was kept of one device is of several.
func (a *Agent) divide(split []inventory.SplitOff) {
	for _, s := range split {
		if s.Named {
			a.unjudged.add(s.From)
		}
	}
	a.keeper.divide(split)
}

func (k *keeper) divide(split []inventory.SplitOff) {
	if k.to == nil || len(split) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range split {
		to := k.split
		if s.Named {
			to = k.named
		}
		to[heldBy{s.From, s.IP}] = s.To
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
		device = a.holder(device, r)
		r.Host = names[device]
		if !borne[r.MAC] {
			r.MAC = ""
		}
		return device, r
	}
}

// holder is whose record it is, as is known in the end.
func (a *Agent) holder(device string, r discovery.Record) string {
	if d, ok := a.inventory.Plain(device); ok {
		device = d.ID
	}
	ip, err := netip.ParseAddr(r.IP)
	if err != nil {
		return device
	}
	split, named := a.keeper.heirs(device, ip)
	if d, ok := a.inventory.Plain(named); ok && r.MAC == "" && a.namesOne(r, d.MACs) {
		return d.ID
	}
	if d, ok := a.inventory.Plain(split); ok {
		return d.ID
	}
	return device
}

// heirs are to whom went what was taken for the device's at the address: all of
// it, and what names the other's MAC; "" for nobody.
func (k *keeper) heirs(device string, ip netip.Addr) (split, named string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := heldBy{device, ip}
	return k.split[at], k.named[at]
}

// namesOne tells whether a record names one of the MACs as its sender's own.
func (a *Agent) namesOne(r discovery.Record, macs []string) bool {
	return slices.ContainsFunc(a.judge().parsers.Evidence(r), func(e fingerprint.Evidence) bool {
		m, err := net.ParseMAC(e.Value)
		return e.Field == "mac" && err == nil && slices.Contains(macs, m.String())
	})
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
