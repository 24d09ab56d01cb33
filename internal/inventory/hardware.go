package inventory

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"unicode"

	"camcensus/fingerprint"
)

// hwaddr is a MAC of 48 bits; the zero value stands for none.
type hwaddr [6]byte

func (h hwaddr) String() string { return net.HardwareAddr(h[:]).String() }

func (h hwaddr) zero() bool { return h == hwaddr{} }

// burnedIn: globally unique, IEEE 802 section 8.2 (the U/L bit is clear).
func (h hwaddr) burnedIn() bool { return !h.zero() && h[0]&3 == 0 }

// compareMACs puts burned-in MACs first, then lower ones.
func compareMACs(a, b hwaddr) int {
	if a.burnedIn() != b.burnedIn() {
		if a.burnedIn() {
			return -1
		}
		return 1
	}
	return bytes.Compare(a[:], b[:])
}

// virtualMACs are the prefixes of addresses that routers share between them:
// VRRP and CARP (RFC 9568 section 7.3), HSRP and GLBP. They name no device.
var virtualMACs = [][]byte{
	{0x00, 0x00, 0x5e, 0x00, 0x01}, {0x00, 0x00, 0x5e, 0x00, 0x02},
	{0x00, 0x00, 0x0c, 0x07, 0xac}, {0x00, 0x00, 0x0c, 0x9f}, {0x00, 0x05, 0x73, 0xa0}, {0x00, 0x07, 0xb4},
}

// hardwareAddress returns the MAC when it can be one host's own.
func hardwareAddress(m net.HardwareAddr) (hwaddr, bool) {
	var h hwaddr
	if len(m) != len(h) {
		return h, false
	}
	copy(h[:], m)
	if h.zero() || h[0]&1 != 0 {
		return hwaddr{}, false
	}
	for _, p := range virtualMACs {
		if bytes.HasPrefix(h[:], p) {
			return hwaddr{}, false
		}
	}
	return h, true
}

// key is an identity other than a MAC, as eight bytes of SHA-256 whose lowest
// two bits say of what kind it is.
type key uint64

// The kinds of keys.
const (
	keySerial   = 0 // a serial, within one record kind
	keyMaker    = 1 // maker and serial
	keyEndpoint = 2 // an endpoint UUID
	keyCert     = 3 // a certificate's SHA-256
)

func (k key) kind() int { return int(k & 3) }

func makeKey(kind int, parts ...string) key {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return key(binary.BigEndian.Uint64(sum[:8])&^3 | uint64(kind))
}

// identities are what one observation says about which hardware it is.
type identities struct {
	mac      hwaddr   // shown by the network
	payload  []hwaddr // named by the device itself
	keys     []key    // serials, then endpoints
	cert     key      // 0 when none
	identity string   // what a new device's id is made of; "" means random
}

func (ids *identities) any() bool { return len(ids.payload) > 0 || len(ids.keys) > 0 }

// beyond: something more is said than the MAC that the network shows.
func (ids *identities) beyond() bool {
	return len(ids.keys) > 0 || slices.ContainsFunc(ids.payload, func(m hwaddr) bool { return m != ids.mac })
}

// readIdentities collects the identities of one observation.
func readIdentities(ev []fingerprint.Evidence) identities {
	var ids identities
	for n := range ev {
		ids.read(&ev[n], ev)
	}
	return ids
}

func (ids *identities) read(e *fingerprint.Evidence, all []fingerprint.Evidence) {
	switch {
	case e.Field == "mac":
		if m, err := net.ParseMAC(e.Value); err == nil {
			if h, ok := hardwareAddress(m); ok && h.burnedIn() {
				ids.payload = append(ids.payload, h)
			}
		}
	case e.Field == "serial" && e.Source != "tls":
		serial := normalSerial(e.Value)
		if serial == "" {
			return
		}
		ids.keys = append(ids.keys, makeKey(keySerial, e.Source, serial))
		ids.prefer("serial", makerBeside(e, all)+"\x00"+serial)
	case e.Field == "epr" || e.Field == "udn":
		if u := normalUUID(e.Value); u != "" {
			ids.keys = append(ids.keys, makeKey(keyEndpoint, u))
			ids.prefer("uuid", u)
		}
	case e.Field == "sha256" && e.Source == "tls" && len(e.Value) >= 32:
		ids.cert = makeKey(keyCert, strings.ToLower(e.Value))
	}
}

// prefer keeps the firmer basis of an id: serial before endpoint.
func (ids *identities) prefer(kind, value string) {
	if ids.identity == "" || kind == "serial" && strings.HasPrefix(ids.identity, "uuid") {
		ids.identity = kind + "\x00" + value
	}
}

// makerBeside is the maker that the same answer names, or its protocol.
func makerBeside(e *fingerprint.Evidence, all []fingerprint.Evidence) string {
	for _, o := range all {
		if o.Source == e.Source && o.Port == e.Port && (o.Field == "manufacturer" || o.Field == "vendor") {
			return strings.ToLower(o.Value)
		}
	}
	return e.Source
}

// normalSerial returns the serial in capitals, or "" when it is too short or
// too plain to tell two devices apart.
func normalSerial(s string) string {
	s = strings.ToUpper(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_' {
			return r
		}
		return -1
	}, s))
	if len(s) < 6 || len(s) > 128 || plain(s) {
		return ""
	}
	return s
}

// plainSerials are fillers that firmware ships instead of a serial.
var plainSerials = []string{"123456", "UNKNOWN", "DEFAULT", "NOTSET", "SERIALNUMBER", "ABCDEF", "NOTAVAILABLE", "NOTSPECIFIED"}

// plain: one character repeated, or a filler.
func plain(s string) bool {
	if strings.Trim(s, s[:1]) == "" || strings.Trim(s, "0-") == "" {
		return true
	}
	for _, p := range plainSerials {
		if strings.HasPrefix(s, p) || strings.Trim(s, "0") == p {
			return true
		}
	}
	return false
}

// normalUUID returns the 32 hexadecimal digits of an endpoint address such as
// urn:uuid:… or uuid:…::upnp:rootdevice, or "".
func normalUUID(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if cut := strings.Index(s, "uuid:"); cut >= 0 {
		s = s[cut+len("uuid:"):]
	}
	s, _, _ = strings.Cut(s, "::")
	s = strings.ReplaceAll(s, "-", "")
	if len(s) != 32 || strings.Trim(s, "0123456789abcdef") != "" || strings.Trim(s, s[:1]) == "" {
		return ""
	}
	return s
}

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// deviceID is d- and 13 characters, from a hardware identity or at random.
func deviceID(identity string) string {
	var sum [32]byte
	if identity == "" {
		rand.Read(sum[:])
	} else {
		sum = sha256.Sum256([]byte(identity))
	}
	return "d-" + lowerBase32.EncodeToString(sum[:])[:13]
}

// newID is deviceID, made unique where the name is taken already.
func (i *Inventory) newID(identity string) string {
	id := deviceID(identity)
	for i.devices[id] != nil || i.alias[id].device != "" {
		id = deviceID("")
	}
	return id
}
