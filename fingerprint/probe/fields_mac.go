package probe

import (
	"bytes"
	"encoding/hex"
	"sync"

	"camcensus/discovery/facts"
	"camcensus/fingerprint/oui"
)

// macText writes twelve hex digits as aa:bb:cc:dd:ee:ff.
func macText(hex []byte) []byte {
	out := make([]byte, 0, 17)
	for i, c := range hex {
		if i > 0 && i%2 == 0 {
			out = append(out, ':')
		}
		if c >= 'A' && c <= 'F' {
			c += 'a' - 'A'
		}
		out = append(out, c)
	}
	return out
}

// hexRun is how many hex digits b begins with.
func hexRun(b []byte) int {
	n := 0
	for n < len(b) && isHex(b[n]) {
		n++
	}
	return n
}

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// parseMAC reads a whole value that is a MAC: with colons, dashes, dots or
// bare. Addresses of nobody (all 0, all F, multicast) are refused.
func parseMAC(b []byte) ([]byte, bool) {
	b = bytes.TrimSpace(b)
	if len(b) != 12 && len(b) != 14 && len(b) != 17 {
		return nil, false
	}
	mac, ok := facts.MAC(string(b))
	return []byte(mac), ok
}

// isHardware refuses what no interface bears.
func isHardware(hex []byte) bool {
	same := true
	for _, c := range hex {
		same = same && c == hex[0]
	}
	second := hex[1]
	if second >= 'a' {
		second -= 'a' - 'A'
	}
	multicast := false
	switch second {
	case '1', '3', '5', '7', '9', 'B', 'D', 'F':
		multicast = true
	}
	return !same && !multicast
}

// macIn finds a MAC that stands alone inside a name: twelve hex digits with a
// letter among them, six pairs with one separator, or an EUI-64 made of a MAC.
func macIn(b []byte) ([]byte, bool) {
	for i := 0; i+12 <= len(b); i++ {
		if i > 0 && isAlnum(b[i-1]) || !isHex(b[i]) {
			continue
		}
		if hex, ok := separatedMAC(b[i:]); ok {
			return macText(hex), true
		}
		run := hexRun(b[i:])
		if i+run < len(b) && isAlnum(b[i+run]) {
			continue
		}
		hex := b[i : i+run]
		named := hasLetter(hex)
		if run == 16 && hasPrefixFold(hex[6:], "fffe") {
			hex = append(append(make([]byte, 0, 12), hex[:6]...), hex[10:]...)
		}
		if len(hex) == 12 && named && isHardware(hex) {
			return macText(hex), true
		}
	}
	return nil, false
}

// separatedMAC reads 00-09-18-aa-bb-cc or the same with colons.
func separatedMAC(b []byte) ([]byte, bool) {
	if len(b) < 17 || b[2] != '-' && b[2] != ':' || len(b) > 17 && isAlnum(b[17]) {
		return nil, false
	}
	hex := make([]byte, 0, 12)
	for i, c := range b[:17] {
		if i%3 == 2 {
			if c != b[2] {
				return nil, false
			}
			continue
		}
		if !isHex(c) {
			return nil, false
		}
		hex = append(hex, c)
	}
	return hex, isHardware(hex)
}

func hasLetter(hex []byte) bool {
	for _, c := range hex {
		if !isDigit(c) {
			return true
		}
	}
	return false
}

// macInRealm reads the MAC of a realm whose shape is known to carry one:
// AXIS_ACCC8E000000, iPolis_00-09-18-00-00-00, or that is one and nothing else
// (Hikvision's older firmware). A run of hex within any other realm may be a
// serial or a digest.
func macInRealm(realm []byte) ([]byte, bool) {
	for _, prefix := range [...]string{"axis_ws_", "axis_", "ipolis_", "net-i_"} {
		if hasPrefixFold(realm, prefix) {
			rest := realm[len(prefix):]
			if len(rest) == 12 && hexRun(rest) == 12 && isHardware(rest) {
				return macText(rest), true
			}
			return macIn(rest)
		}
	}
	return macAlone(realm)
}

// registry is where a block is looked up before a text is taken for a MAC.
var registry = sync.OnceValue(oui.Default)

// macAlone reads a text that is a MAC and nothing else. A serial number may be
// twelve hex digits too: without separators it needs a letter among them, and
// in any case a block that somebody registered.
func macAlone(text []byte) ([]byte, bool) {
	text = bytes.TrimSpace(text)
	var digits []byte
	switch {
	case len(text) == 12 && hexRun(text) == 12 && hasLetter(text):
		digits = text
	case len(text) == 17:
		var ok bool
		if digits, ok = separatedMAC(text); !ok {
			return nil, false
		}
	}
	var mac [6]byte
	if n, err := hex.Decode(mac[:], digits); n != 6 || err != nil || !isHardware(digits) {
		return nil, false
	}
	if _, ok := registry().Lookup(mac); !ok {
		return nil, false
	}
	return macText(digits), true
}
