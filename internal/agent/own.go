package agent

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// ownAddresses are this machine's, read anew now and then: just after an
// interface has changed its address the scope does not know the new one yet,
// and what we send by it comes back as if another had said it.
type ownAddresses struct {
	mu   sync.Mutex
	read time.Time
	all  map[netip.Addr]bool
}

// ownFor is how long the addresses are believed.
const ownFor = 200 * time.Millisecond

func (o *ownAddresses) has(ip netip.Addr) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil || time.Since(o.read) > ownFor {
		o.renew()
	}
	return o.all[ip]
}

// renew keeps the old addresses where the system does not tell the new ones.
func (o *ownAddresses) renew() {
	o.read = time.Now()
	list, err := net.InterfaceAddrs()
	if err != nil {
		return
	}
	o.all = make(map[netip.Addr]bool, len(list))
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() {
			o.all[p.Addr().Unmap().WithZone("")] = true
		}
	}
}
