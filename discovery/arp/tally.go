package arp

import (
	"net/netip"
	"sync"
)

// One MAC may well have a few addresses. Beyond severalAddresses its further
// ones are held back until the sweep is over; a MAC that has taken more than
// manyAddresses by then is a proxy (RFC 1027) or a middlebox: one finding.
const (
	severalAddresses = 4
	manyAddresses    = 16
)

// answer is one host's word that it has an address.
type answer struct {
	ip   netip.Addr
	mac  [6]byte
	vlan uint16
}

// tally keeps who answered in one network.
type tally struct {
	mu      sync.Mutex
	by      map[netip.Addr][][6]byte
	of      map[[6]byte][]answer
	held    map[[6]byte]int // answers of a MAC not passed on yet
	doubles map[netip.Addr]bool
}

func newTally() *tally {
	return &tally{
		by: map[netip.Addr][][6]byte{}, of: map[[6]byte][]answer{},
		held: map[[6]byte]int{}, doubles: map[netip.Addr]bool{},
	}
}

// add reports whether the answer is to be passed on now. A repeated answer is
// not, nor is one of a MAC that has many addresses already.
func (t *tally) add(a answer) (pass, double bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, mac := range t.by[a.ip] {
		if mac == a.mac {
			return false, false
		}
	}
	if len(t.by[a.ip]) >= severalAddresses {
		return false, false // claimed by ever more MACs: enough is known
	}
	t.by[a.ip] = append(t.by[a.ip], a.mac)
	t.of[a.mac] = append(t.of[a.mac], a)
	if len(t.by[a.ip]) > 1 && !t.doubles[a.ip] {
		t.doubles[a.ip] = true
		double = true
	}
	if len(t.of[a.mac]) > severalAddresses {
		t.held[a.mac]++
		return false, double
	}
	return true, double
}

// answered reports whether anyone has claimed the address.
func (t *tally) answered(ip netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.by[ip]) > 0
}

// addresses is how many addresses were claimed.
func (t *tally) addresses() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.by)
}

// proxy is a MAC that answered for too many addresses.
type proxy struct {
	mac       [6]byte
	addresses int
}

// close returns the answers that were held back without need, the proxies,
// and how many addresses have a host of their own.
func (t *tally) close() (rest []answer, proxies []proxy, hosts, bogus int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	liars := map[[6]byte]bool{}
	for mac, all := range t.of {
		switch {
		case len(all) > manyAddresses:
			liars[mac] = true
			proxies = append(proxies, proxy{mac: mac, addresses: len(all)})
		case t.held[mac] > 0:
			rest = append(rest, all[severalAddresses:]...)
		}
	}
	for _, macs := range t.by {
		real := false
		for _, mac := range macs {
			real = real || !liars[mac]
		}
		if real {
			hosts++
		} else {
			bogus++
		}
	}
	return rest, proxies, hosts, bogus
}
