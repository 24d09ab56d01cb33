// Package oui names the registrant of a hardware address: the whole IEEE
// registry (MA-L, MA-M and MA-S) in a compact table inside the binary, and
// the import of a newer one. It names who registered a block, exactly as
// registered; who made the device is for the rules to say.
package oui

import (
	_ "embed"
	"net"
)

//go:generate sh -c "npm pack --silent oui-data@2.1.9 && go run ./gen -version 'oui-data 2.1.9' -date 2026-08-26 -out registry.bin oui-data-2.1.9.tgz && rm oui-data-2.1.9.tgz"

// The shipped registry: where it is from, and the day upstream built it from
// the IEEE's files. TestShippedRegistrySaysItsDate holds them to the table.
const (
	Version = "oui-data 2.1.9"
	Date    = "2026-08-26"
)

//go:embed registry.bin
var shipped string

// Names of the IEEE's registries: blocks of 24, 28 and 36 bits.
const (
	MAL = "MA-L"
	MAM = "MA-M"
	MAS = "MA-S"
)

// Assignment is what the registry says of one address.
type Assignment struct {
	Registrant string // as registered; "Private" when Private
	Prefix     string // the block's fixed hex digits in upper case: "4419B6", "C0619AE"
	Bits       int    // 24, 28 or 36
	Registry   string // MAL, MAM or MAS
	// Local is true for a locally administered address (second lowest bit
	// of the first octet): random, virtual or set by hand. It names nobody.
	Local bool
	// Private is true when the holder of the block keeps its name to itself.
	Private bool
	// Virtual names the protocol whose shared router addresses this is one
	// of ("VRRP", "HSRP", "GLBP"): the address of a role, not of a device.
	Virtual string
}

// Default returns the shipped registry.
func Default() *Registry {
	r, err := parse(shipped)
	if err != nil {
		panic("oui: the shipped registry is broken, run go generate: " + err.Error()) // a test reads it
	}
	return r
}

// Lookup finds the longest block that holds mac: 36, then 28, then 24 bits.
// ok is false when no block holds it, when the address is local, a group's or
// a virtual router's; the Assignment then says which. It allocates nothing.
func (r *Registry) Lookup(mac [6]byte) (a Assignment, ok bool) {
	if mac[0]&3 != 0 {
		return Assignment{Local: mac[0]&2 != 0}, false
	}
	if name := virtualRouter(mac); name != "" {
		return Assignment{Virtual: name}, false
	}
	return r.find(uint32(mac[0])<<16|uint32(mac[1])<<8|uint32(mac[2]), uint32(mac[3])<<4|uint32(mac[4])>>4)
}

// LookupAddr is Lookup of a net.HardwareAddr; only six octets are looked up.
func (r *Registry) LookupAddr(mac net.HardwareAddr) (Assignment, bool) {
	if len(mac) != 6 {
		return Assignment{}, false
	}
	return r.Lookup([6]byte(mac))
}

// Registrant returns who registered mac's block; ok is false where nobody
// did or the holder is private.
func (r *Registry) Registrant(mac [6]byte) (registrant string, ok bool) {
	a, ok := r.Lookup(mac)
	return a.Registrant, ok && !a.Private
}

// virtualRouter tells the addresses that routers share: VRRP and CARP (RFC
// 9568 section 7.3), Cisco's HSRP and GLBP.
func virtualRouter(mac [6]byte) string {
	switch [3]byte(mac[:3]) {
	case [3]byte{0x00, 0x00, 0x5e}:
		if mac[3] == 0 && (mac[4] == 1 || mac[4] == 2) {
			return "VRRP"
		}
	case [3]byte{0x00, 0x00, 0x0c}:
		if mac[3] == 0x07 && mac[4] == 0xac || mac[3] == 0x9f && mac[4]>>4 == 0xf {
			return "HSRP"
		}
	case [3]byte{0x00, 0x05, 0x73}:
		if mac[3] == 0xa0 && mac[4]>>4 == 0 {
			return "HSRP"
		}
	case [3]byte{0x00, 0x07, 0xb4}:
		if mac[3] == 0 {
			return "GLBP"
		}
	}
	return ""
}
