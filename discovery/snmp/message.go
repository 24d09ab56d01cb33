package snmp

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"camcensus/discovery"
)

// The columns that are read, and nothing else. None is ever set.
const (
	oidSysName          = ".1.3.6.1.2.1.1.5"            // RFC 3418
	oidIfDescr          = ".1.3.6.1.2.1.2.2.1.2"        // RFC 2863
	oidIfName           = ".1.3.6.1.2.1.31.1.1.1.1"     // RFC 2863
	oidMediaPhys        = ".1.3.6.1.2.1.4.22.1.2"       // ipNetToMediaPhysAddress, RFC 4293
	oidMediaType        = ".1.3.6.1.2.1.4.22.1.4"       // ipNetToMediaType
	oidPhysicalPhys     = ".1.3.6.1.2.1.4.35.1.4"       // ipNetToPhysicalPhysAddress, RFC 4293
	oidPhysicalState    = ".1.3.6.1.2.1.4.35.1.7"       // ipNetToPhysicalState
	oidBasePortIfIndex  = ".1.3.6.1.2.1.17.1.4.1.2"     // dot1dBasePortIfIndex, RFC 4188
	oidFdbPort          = ".1.3.6.1.2.1.17.4.3.1.2"     // dot1dTpFdbPort, RFC 4188
	oidFdbStatus        = ".1.3.6.1.2.1.17.4.3.1.3"     // dot1dTpFdbStatus
	oidQFdbPort         = ".1.3.6.1.2.1.17.7.1.2.2.1.2" // dot1qTpFdbPort, RFC 4363
	oidQFdbStatus       = ".1.3.6.1.2.1.17.7.1.2.2.1.3" // dot1qTpFdbStatus
	oidLLDPLocalPort    = ".1.0.8802.1.1.2.1.3.7.1.3"   // lldpLocPortId, IEEE 802.1AB
	oidLLDPCapabilities = ".1.0.8802.1.1.2.1.4.1.1.12"  // lldpRemSysCapEnabled
)

// columns are walked in this order.
var columns = []string{
	oidSysName, oidMediaPhys, oidMediaType, oidPhysicalPhys, oidPhysicalState,
	oidBasePortIfIndex, oidFdbPort, oidFdbStatus, oidQFdbPort, oidQFdbStatus,
	oidIfName, oidIfDescr, oidLLDPLocalPort, oidLLDPCapabilities,
}

// The states of an entry that say that somebody is, or lately was, there.
const (
	mediaDynamic      = 3 // ipNetToMediaType; static ones say nothing of life
	physicalReachable = 1 // ipNetToPhysicalState
	physicalUnknown   = 6
	fdbLearned        = 3
	capabilityBridge  = 0x20 // bit 2 of lldpRemSysCapEnabled
)

// row is one value of a walk.
type row struct {
	index  []uint32
	octets []byte
	number int64
}

// Fields of an snmp record: none, its MAC is the evidence.
func Fields(string, []byte) []discovery.Field { return nil }

// index returns what stands behind a column in an OID, at most 64 numbers.
func index(column, oid string) ([]uint32, bool) {
	rest, ok := strings.CutPrefix("."+strings.TrimPrefix(oid, "."), column+".")
	if !ok || rest == "" {
		return nil, false
	}
	parts := strings.Split(rest, ".")
	if len(parts) > 64 {
		return nil, false
	}
	out := make([]uint32, 0, len(parts))
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return nil, false
		}
		out = append(out, uint32(n))
	}
	return out, true
}

// octets turns numbers of an index into bytes.
func octets(index []uint32) ([]byte, bool) {
	out := make([]byte, 0, len(index))
	for _, n := range index {
		if n > 255 {
			return nil, false
		}
		out = append(out, byte(n))
	}
	return out, true
}

// mediaAddress reads ifIndex and IPv4 address: ipNetToMediaEntry.
func mediaAddress(index []uint32) (netip.Addr, bool) {
	if len(index) != 5 {
		return netip.Addr{}, false
	}
	b, ok := octets(index[1:])
	if !ok {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(b)), true
}

// The InetAddressTypes of RFC 4001. The zoned ones end in a zone index.
const (
	typeIPv4  = 1
	typeIPv6  = 2
	typeIPv4z = 3
	typeIPv6z = 4
)

// physicalAddress reads ifIndex, type, length and address:
// ipNetToPhysicalEntry.
func physicalAddress(index []uint32) (netip.Addr, bool) {
	if len(index) < 3 || int(index[2]) != len(index)-3 {
		return netip.Addr{}, false
	}
	b, ok := octets(index[3:])
	if !ok {
		return netip.Addr{}, false
	}
	switch kind := index[1]; {
	case kind == typeIPv4 && len(b) == 4, kind == typeIPv4z && len(b) == 8:
		return netip.AddrFrom4([4]byte(b[:4])), true
	case kind == typeIPv6 && len(b) == 16, kind == typeIPv6z && len(b) == 20:
		return netip.AddrFrom16([16]byte(b[:16])).Unmap(), true
	}
	return netip.Addr{}, false
}

// tailMAC is the MAC that ends a forwarding table's index: alone in the bridge
// MIB, behind the filtering database's number in the Q-BRIDGE MIB.
func tailMAC(index []uint32, before int) ([6]byte, bool) {
	if len(index) != before+6 {
		return [6]byte{}, false
	}
	b, ok := octets(index[before:])
	if !ok || !unicast(b) {
		return [6]byte{}, false
	}
	return [6]byte(b), true
}

// unicast reports an address that one interface may have.
func unicast(mac net.HardwareAddr) bool {
	return len(mac) == 6 && mac[0]&1 == 0 && [6]byte(mac) != [6]byte{}
}

// label is a name out of a table, fit to be shown.
func label(b []byte) string { return discovery.CleanText(b, 64) }
