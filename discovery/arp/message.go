package arp

import (
	"net"
	"net/netip"

	"camcensus/discovery"
	"camcensus/internal/packet"
)

// Fields of an ARP record: none, its MAC is the evidence.
func Fields(string, []byte) []discovery.Field { return nil }

// requests is the one message there is, with documentation addresses (RFC
// 5737, RFC 7042).
func requests() []discovery.Request {
	frame, err := packet.NewBuilder().ARPRequest(
		net.HardwareAddr{0x00, 0x00, 0x5e, 0x00, 0x53, 0x01},
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"))
	if err != nil {
		return nil
	}
	return []discovery.Request{{Name: "ARP request", Bytes: frame, To: "ff:ff:ff:ff:ff:ff"}}
}
