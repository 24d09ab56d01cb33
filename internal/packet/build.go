package packet

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// Builder makes the few frames that discovery sends. The bytes it returns are
// good until its next call; it belongs to one goroutine.
type Builder struct {
	buffer gopacket.SerializeBuffer
}

// NewBuilder returns a builder.
func NewBuilder() *Builder { return &Builder{buffer: gopacket.NewSerializeBuffer()} }

var (
	broadcastMAC = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	allNodes     = netip.MustParseAddr("ff02::1")
	fixed        = gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
)

// ARPRequest asks everyone on the link who has target (RFC 826).
func (b *Builder) ARPRequest(mac net.HardwareAddr, own, target netip.Addr) ([]byte, error) {
	if len(mac) != 6 || !own.Is4() || !target.Is4() {
		return nil, fmt.Errorf("packet: ARP request for %s from %s (%s): not Ethernet and IPv4", target, own, mac)
	}
	from, to := own.As4(), target.As4()
	return b.serialize(
		&layers.Ethernet{SrcMAC: mac, DstMAC: broadcastMAC, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{
			AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4,
			HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPRequest,
			SourceHwAddress: mac, SourceProtAddress: from[:],
			DstHwAddress: make([]byte, 6), DstProtAddress: to[:],
		})
}

// EchoAllNodes asks every IPv6 host of the link to answer (RFC 4443 section
// 4.1 to ff02::1).
func (b *Builder) EchoAllNodes(mac net.HardwareAddr, own netip.Addr, id, sequence uint16) ([]byte, error) {
	if len(mac) != 6 || !own.Is6() {
		return nil, fmt.Errorf("packet: echo from %s (%s): not Ethernet and IPv6", own, mac)
	}
	ip := &layers.IPv6{Version: 6, HopLimit: 1, NextHeader: layers.IPProtocolICMPv6, SrcIP: own.AsSlice(), DstIP: allNodes.AsSlice()}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeEchoRequest, 0)}
	if err := icmp.SetNetworkLayerForChecksum(ip); err != nil {
		return nil, fmt.Errorf("packet: echo: %w", err)
	}
	return b.serialize(
		&layers.Ethernet{SrcMAC: mac, DstMAC: multicastMAC(allNodes), EthernetType: layers.EthernetTypeIPv6},
		ip, icmp, &layers.ICMPv6Echo{Identifier: id, SeqNumber: sequence})
}

// Solicit asks for the link-layer address of one IPv6 host (RFC 4861 section
// 4.3).
func (b *Builder) Solicit(mac net.HardwareAddr, own, target netip.Addr) ([]byte, error) {
	if len(mac) != 6 || !own.Is6() || !target.Is6() || target.IsMulticast() {
		return nil, fmt.Errorf("packet: solicitation for %s from %s (%s): not Ethernet and IPv6", target, own, mac)
	}
	to := solicitedNode(target)
	ip := &layers.IPv6{Version: 6, HopLimit: 255, NextHeader: layers.IPProtocolICMPv6, SrcIP: own.AsSlice(), DstIP: to.AsSlice()}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborSolicitation, 0)}
	if err := icmp.SetNetworkLayerForChecksum(ip); err != nil {
		return nil, fmt.Errorf("packet: solicitation: %w", err)
	}
	return b.serialize(
		&layers.Ethernet{SrcMAC: mac, DstMAC: multicastMAC(to), EthernetType: layers.EthernetTypeIPv6},
		ip, icmp, &layers.ICMPv6NeighborSolicitation{
			TargetAddress: target.AsSlice(),
			Options:       layers.ICMPv6Options{{Type: layers.ICMPv6OptSourceAddress, Data: mac}},
		})
}

// solicitedNode is the group that a host with the address has joined (RFC
// 4291 section 2.7.1).
func solicitedNode(ip netip.Addr) netip.Addr {
	b := ip.As16()
	return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 11: 1, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]})
}

// multicastMAC is the Ethernet group of an IPv6 group (RFC 2464 section 7).
func multicastMAC(ip netip.Addr) net.HardwareAddr {
	b := ip.As16()
	return net.HardwareAddr{0x33, 0x33, b[12], b[13], b[14], b[15]}
}

func (b *Builder) serialize(l ...gopacket.SerializableLayer) ([]byte, error) {
	if err := b.buffer.Clear(); err != nil {
		return nil, fmt.Errorf("packet: build: %w", err)
	}
	if err := gopacket.SerializeLayers(b.buffer, fixed, l...); err != nil {
		return nil, fmt.Errorf("packet: build: %w", err)
	}
	return b.buffer.Bytes(), nil
}
