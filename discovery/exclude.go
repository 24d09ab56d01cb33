package discovery

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Exclusion is one address, prefix or MAC that is never addressed.
type Exclusion struct {
	Match  string // IP, prefix or MAC
	Reason string
	By     string
}

func (e Exclusion) String() string {
	if e.Reason == "" {
		return "excluded: " + e.Match
	}
	return "excluded: " + e.Match + ": " + e.Reason
}

// claim is an excluded MAC's on an address.
type claim struct {
	mac   [6]byte
	index int       // of the exclusion
	seen  time.Time // last
}

// claimHolds is how long an excluded MAC's address is not asked although
// another MAC claims it too: which of them the kernel would send to is open.
const claimHolds = time.Hour

type excludedPrefix struct {
	prefix netip.Prefix
	index  int
}

// exclude builds the indexes of what is excluded.
func (s *Scope) exclude() error {
	for i, e := range s.Exclusions {
		text := strings.TrimSpace(e.Match)
		if p, err := parsePrefix(text); err == nil {
			if p.IsSingleIP() {
				s.addrs[p.Addr()] = i
			} else {
				s.prefixes = append(s.prefixes, excludedPrefix{p, i})
			}
			continue
		}
		mac, err := net.ParseMAC(text)
		if err != nil || len(mac) != 6 {
			return fmt.Errorf("exclude %q: neither an IP address, a prefix nor a MAC (needs one of 10.0.0.5, 10.0.0.0/28, 00:11:22:33:44:55)", e.Match)
		}
		s.macs[[6]byte(mac)] = i
	}
	return nil
}

// Excluded reports whether ip must never be addressed: by itself, by a prefix,
// or because a MAC that is excluded was seen there.
func (s *Scope) Excluded(ip netip.Addr) (reason string, yes bool) {
	if len(s.Exclusions) == 0 {
		return "", false
	}
	ip = ip.Unmap().WithZone("")
	if at, ok := s.excludedItself(ip); ok {
		return s.Exclusions[at].String(), true
	}
	if len(s.macs) == 0 {
		return "", false
	}
	s.mu.RLock()
	c, ok := s.claims[ip]
	s.mu.RUnlock()
	if ok {
		return s.Exclusions[c.index].String(), true
	}
	return "", false
}

// ExcludedPrefixes are the addresses that are excluded by themselves or by a
// prefix around them.
func (s *Scope) ExcludedPrefixes() []netip.Prefix {
	out := make([]netip.Prefix, 0, len(s.addrs)+len(s.prefixes))
	for ip := range s.addrs {
		out = append(out, netip.PrefixFrom(ip, ip.BitLen()))
	}
	for _, p := range s.prefixes {
		out = append(out, p.prefix)
	}
	return out
}

// excludedItself finds the exclusion that names an address, a prefix around it
// or the MAC that it is made of.
func (s *Scope) excludedItself(ip netip.Addr) (index int, yes bool) {
	if at, ok := s.addrs[ip]; ok {
		return at, true
	}
	for _, p := range s.prefixes {
		if p.prefix.Contains(ip) {
			return p.index, true
		}
	}
	if mac, ok := interfaceIDMAC(ip); ok {
		at, ok := s.macs[mac]
		return at, ok
	}
	return 0, false
}

// Claimed reports whether ip is excluded for no other reason than that an
// excluded MAC was seen there, which anybody on the link could have forged.
func (s *Scope) Claimed(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if _, itself := s.excludedItself(ip); itself {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.claims[ip]
	return ok
}

// ExcludedMAC reports whether a MAC is excluded.
func (s *Scope) ExcludedMAC(mac net.HardwareAddr) (string, bool) {
	if len(mac) != 6 {
		return "", false
	}
	at, ok := s.macs[[6]byte(mac)]
	if !ok {
		return "", false
	}
	return s.Exclusions[at].String(), true
}

// ClaimedAddresses are those that Claimed reports, in order.
func (s *Scope) ClaimedAddresses() []netip.Addr {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.SortedFunc(maps.Keys(s.claims), netip.Addr.Compare)
}

// Learn keeps which addresses an excluded MAC was seen at. An address that
// another MAC has taken over is free again once the excluded one has been
// silent there for an hour.
func (s *Scope) Learn(ip netip.Addr, mac net.HardwareAddr) {
	if len(s.macs) == 0 || len(mac) != 6 {
		return
	}
	ip, now := ip.Unmap().WithZone(""), time.Now()
	if !s.Contains(ip) {
		return // nothing is sent there anyway
	}
	at, excluded := s.macs[[6]byte(mac)]
	s.mu.Lock()
	defer s.mu.Unlock()
	c, known := s.claims[ip]
	switch {
	case excluded && (known || len(s.claims) < claimsMost):
		s.claims[ip] = claim{mac: [6]byte(mac), index: at, seen: now}
	case !excluded && known && now.Sub(c.seen) >= claimHolds:
		delete(s.claims, ip)
	}
}

// inherit takes over what another scope has learnt of MACs that are excluded
// here too.
func (s *Scope) inherit(from *Scope) {
	from.mu.RLock()
	defer from.mu.RUnlock()
	for ip, c := range from.claims {
		if at, excluded := s.macs[c.mac]; excluded {
			s.claims[ip] = claim{mac: c.mac, index: at, seen: c.seen}
		}
	}
}

// interfaceIDMAC reads the MAC out of a modified EUI-64 interface identifier
// (RFC 4291 appendix A).
func interfaceIDMAC(ip netip.Addr) ([6]byte, bool) {
	if !ip.Is6() {
		return [6]byte{}, false
	}
	b := ip.As16()
	if !bytes.Equal(b[11:13], []byte{0xff, 0xfe}) {
		return [6]byte{}, false
	}
	return [6]byte{b[8] ^ 2, b[9], b[10], b[13], b[14], b[15]}, true
}
