package fingerprint

import "bytes"

// addressSign is one hardware address whose block is registered to a maker.
type addressSign struct {
	maker      int
	ev         int32
	registrant string
}

// readAddress looks the registrant of one MAC up. An address that no factory
// gave (locally administered, multicast, virtual) says nothing.
func (s *state) readAddress(i int32) {
	mac, ok := parseMAC(s.ev[i].Value)
	if !ok || s.set.registry == nil || !burnedIn(mac) {
		return
	}
	registrant, ok := s.set.registry(mac)
	if !ok {
		return
	}
	at, known := s.set.registrants[registrant]
	if !known || len(s.address) >= 32 {
		return
	}
	for n := range s.address {
		a := &s.address[n]
		if a.maker == at { // one address or five of one maker: one sign
			if s.ev[i].Solicited && !s.ev[a.ev].Solicited {
				a.ev, a.registrant = i, registrant
			}
			return
		}
	}
	s.address = append(s.address, addressSign{maker: at, ev: i, registrant: registrant})
}

// parseMAC reads 6 bytes in hex, with any of : - . between them or none.
func parseMAC(text string) (mac [6]byte, ok bool) {
	n := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		case c == ':' || c == '-' || c == '.':
			continue
		default:
			return mac, false
		}
		if n >= 12 {
			return mac, false
		}
		mac[n/2] = mac[n/2]<<4 | c
		n++
	}
	return mac, n == 12
}

// virtualBlocks are addresses that routers share among themselves; whoever
// holds one, it tells no maker. VRRP: RFC 9568 section 7.3; HSRP, HSRPv2 and
// GLBP: Cisco's published ranges.
var virtualBlocks = [][]byte{
	{0x00, 0x00, 0x5e, 0x00, 0x01}, {0x00, 0x00, 0x5e, 0x00, 0x02},
	{0x00, 0x00, 0x0c, 0x07, 0xac}, {0x00, 0x00, 0x0c, 0x9f}, {0x00, 0x05, 0x73, 0xa0},
	{0x00, 0x07, 0xb4, 0x00},
}

// burnedIn tells whether a factory may have given the address: universally
// administered, not for a group, not a virtual router's.
func burnedIn(mac [6]byte) bool {
	if mac[0]&0x03 != 0 || mac == [6]byte{} {
		return false
	}
	for _, block := range virtualBlocks {
		if bytes.HasPrefix(mac[:], block) {
			return false
		}
	}
	return true
}
