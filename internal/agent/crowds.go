package agent

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"camcensus/discovery"
)

// One MAC may well have several addresses. A MAC that answers for more than
// these is a proxy (RFC 1027) or a middlebox: one finding, no hosts. Until that
// is settled its further addresses wait.
const (
	crowdAddresses = 16
	crowdPatience  = 10 * time.Second
	maxCrowded     = 1 << 16 // MACs kept in mind
)

// crowds tells hosts from those that answer for others.
type crowds struct {
	mu sync.Mutex
	of map[[6]byte]*crowd
}

// crowd is what one MAC answered for.
type crowd struct {
	home  netip.Addr // the first address, which is taken for its own
	addrs map[netip.Addr]time.Time
	held  []discovery.Sighting
	since time.Time // when the first of held came
	proxy bool
	iface string
}

// holds tells whether a sighting has to wait, or is a proxy's and no sign of a
// host at all. Only sightings that show no more than a MAC for an address are
// judged: what a host says of itself stands.
func (c *crowds) holds(s discovery.Sighting) bool {
	if len(s.MAC) != 6 || !s.IP.Is4() || s.Hearsay || s.Kind != "arp" && s.Kind != "neighbor" {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	mac := [6]byte(s.MAC)
	k := c.of[mac]
	if k == nil {
		if c.of == nil || len(c.of) >= maxCrowded {
			c.of = map[[6]byte]*crowd{}
		}
		c.of[mac] = &crowd{home: s.IP, addrs: map[netip.Addr]time.Time{s.IP: s.Time}, iface: s.Interface}
		return false
	}
	if s.IP == k.home {
		k.addrs[s.IP] = s.Time
		return false
	}
	_, known := k.addrs[s.IP]
	if known || len(k.addrs) <= 4*crowdAddresses {
		k.addrs[s.IP] = s.Time
	}
	if len(k.addrs) > crowdAddresses {
		k.proxy, k.held = true, nil
	}
	if k.proxy {
		return true
	}
	if known && !slices.ContainsFunc(k.held, func(h discovery.Sighting) bool { return h.IP == s.IP }) {
		return false // let through before
	}
	if len(k.held) == 0 {
		k.since = s.Time
	}
	s.MAC, s.Raw = bytes.Clone(s.MAC), bytes.Clone(s.Raw)
	if len(k.held) < 4*crowdAddresses {
		k.held = append(k.held, s)
	}
	return true
}

// proxy tells whether a MAC was found to answer for others.
func (c *crowds) proxy(mac net.HardwareAddr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.of[[6]byte(mac)]
	return k != nil && k.proxy
}

// release hands out what has waited long enough, or everything.
func (c *crowds) release(now time.Time, all bool) []discovery.Sighting {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []discovery.Sighting
	for _, k := range c.of {
		if len(k.held) > 0 && (all || now.Sub(k.since) >= crowdPatience) {
			out = append(out, k.held...)
			k.held = nil
		}
	}
	return out
}

// forget drops what was not heard for a day, so that a proxy that became a
// host again is one.
func (c *crowds) forget(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for mac, k := range c.of {
		for ip, seen := range k.addrs {
			if now.Sub(seen) > 24*time.Hour {
				delete(k.addrs, ip)
			}
		}
		if len(k.addrs) == 0 {
			delete(c.of, mac)
		} else if len(k.addrs) <= crowdAddresses {
			k.proxy = false
		}
	}
}

// notes name the proxies.
func (c *crowds) notes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for mac, k := range c.of {
		if k.proxy {
			out = append(out, fmt.Sprintf("%s on %s answers ARP for many addresses (proxy ARP): it is listed once; behind it only hosts that speak for themselves are seen", net.HardwareAddr(mac[:]), k.iface))
		}
	}
	slices.Sort(out)
	return out
}

// releaseCrowds takes in what was held back of hosts with several addresses.
func (a *Agent) releaseCrowds(all bool) {
	for _, s := range a.crowds.release(a.now(), all) {
		a.take(s)
	}
}
