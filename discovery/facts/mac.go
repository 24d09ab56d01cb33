package facts

import (
	"bytes"
	"encoding/hex"
	"net"
	"slices"
	"strings"
)

// MAC reads a 48-bit address in any usual writing (colons, dashes, dots,
// spaces or none) and returns it as aa:bb:cc:dd:ee:ff. Addresses that no host
// can own (all zero, multicast and broadcast) are refused.
func MAC(text string) (string, bool) {
	var digits []byte
	for _, c := range []byte(strings.TrimSpace(text)) {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			digits = append(digits, c)
		case c == ':' || c == '-' || c == '.' || c == ' ' || c == '_':
		default:
			return "", false
		}
		if len(digits) > 12 {
			return "", false
		}
	}
	if len(digits) != 12 {
		return "", false
	}
	mac := make([]byte, 6)
	if _, err := hex.Decode(mac, digits); err != nil {
		return "", false
	}
	return MACBytes(mac)
}

// MACBytes writes six bytes as a MAC address, with MAC's refusals.
func MACBytes(b []byte) (string, bool) {
	if len(b) != 6 || b[0]&1 == 1 || bytes.Equal(b, make([]byte, 6)) {
		return "", false
	}
	return net.HardwareAddr(b).String(), true
}

// tapoUUID is the constant head of TP-Link's endpoint UUIDs; its version
// nibble says "random", yet the tail is the MAC.
var tapoUUID = []byte{0x3f, 0xa1, 0xfe, 0x68, 0xb9, 0x15, 0x40, 0x53, 0xa3, 0xe1}

// UUIDMAC returns the burned-in MAC that an endpoint UUID carries. It stands in
// the last six bytes of time-based UUIDs, of those that makers compose without
// regard to RFC 9562, and of TP-Link's constant form; Bosch has it in the
// first six and repeats it backwards. The tail of a random or hashed UUID is no
// MAC.
func UUIDMAC(endpoint string) (string, bool) {
	uuid, ok := parseUUID(endpoint)
	if !ok {
		return "", false
	}
	head, mirrored, tail := uuid[:6], slices.Clone(uuid[6:12]), uuid[10:]
	slices.Reverse(mirrored)
	switch {
	case bytes.Equal(head, mirrored):
		return burnedIn(head)
	case bytes.HasPrefix(uuid, tapoUUID):
		return burnedIn(tail)
	}
	version, standard := uuid[6]>>4, uuid[8]>>6 == 2 // RFC 9562 section 4.1
	if standard && version > 2 {
		return "", false
	}
	return burnedIn(tail)
}

func burnedIn(b []byte) (string, bool) {
	if b[0]&2 != 0 { // locally administered: not from a registry
		return "", false
	}
	return MACBytes(b)
}

func parseUUID(endpoint string) ([]byte, bool) {
	s := strings.ToLower(strings.TrimSpace(endpoint))
	s = strings.TrimPrefix(s, "urn:")
	s = strings.TrimPrefix(s, "uuid:")
	s, _, _ = strings.Cut(s, "::")
	s = strings.Trim(s, "{} ")
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return nil, false
	}
	uuid, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	return uuid, err == nil && len(uuid) == 16
}
