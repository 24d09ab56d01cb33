package lab

import (
	"encoding/binary"
	"hash/crc32"
	"net"
	"net/netip"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// sendFrom answers a packet by a datagram from the device's address that was asked, or its own for that family.
func (w *wire) sendFrom(v *voice, p *packet, d datagram) {
	from := v.own(d.to.Addr())
	if v.has(p.dst) {
		from = p.dst
	}
	to := p.srcMAC
	if d.to.Addr().IsMulticast() || d.to.Addr() == broadcastIP || d.to.Addr() == lastOf4(w.prefix, d.to.Addr()) {
		to = castMAC(d.to.Addr())
	}
	w.datagram(v, from, to, d)
}

// sendDatagram sends what the device says unasked, to a group or to everybody.
func (w *wire) sendDatagram(v *voice, d datagram) {
	w.datagram(v, v.own(d.to.Addr()), castMAC(d.to.Addr()), d)
}

func lastOf4(p netip.Prefix, ip netip.Addr) netip.Addr {
	if !ip.Is4() {
		return netip.Addr{}
	}
	return lastOf(p)
}

// own returns the address from which the device speaks to another.
func (v *voice) own(to netip.Addr) netip.Addr {
	switch {
	case to.Is4():
		if len(v.IPs) > 0 {
			return v.IPs[0]
		}
		return netip.IPv4Unspecified()
	case len(v.IPv6) > 0 && !to.IsLinkLocalUnicast() && !to.IsLinkLocalMulticast():
		return v.IPv6[0]
	}
	return v.ll
}

// castMAC returns the MAC of a group (RFC 1112 section 6.4, RFC 2464 section 7) or of everybody.
func castMAC(ip netip.Addr) hardware {
	switch {
	case !ip.IsMulticast():
		return broadcastMAC
	case ip.Is4():
		b := ip.As4()
		return hardware{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}
	}
	b := ip.As16()
	return hardware{0x33, 0x33, b[12], b[13], b[14], b[15]}
}

func (w *wire) datagram(v *voice, from netip.Addr, to hardware, d datagram) {
	if !from.IsValid() {
		return
	}
	udp := &layers.UDP{SrcPort: layers.UDPPort(d.from), DstPort: layers.UDPPort(d.to.Port())}
	if ip := packetOf(v, from, d.to.Addr(), layers.IPProtocolUDP, udp, gopacket.Payload(d.payload)); ip != nil {
		w.write(v, to, ip)
	}
}

type checksummed interface {
	gopacket.SerializableLayer
	SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
}

// packetOf builds an IP packet; hosts behind a router are one hop further.
func packetOf(v *voice, from, to netip.Addr, protocol layers.IPProtocol, transport gopacket.SerializableLayer, rest ...gopacket.SerializableLayer) []byte {
	ttl := uint8(64)
	if v.router != nil {
		ttl--
	}
	if protocol == layers.IPProtocolICMPv6 || to.IsMulticast() && to.Is6() {
		ttl = 255
	}
	var network gopacket.SerializableLayer
	var pseudo gopacket.NetworkLayer
	if to.Is4() {
		ip := &layers.IPv4{Version: 4, TTL: ttl, Protocol: protocol, SrcIP: from.AsSlice(), DstIP: to.AsSlice(), Id: uint16(crc32.ChecksumIEEE(v.MAC[:]) ^ uint32(v.tokens.Add(1)))}
		network, pseudo = ip, ip
	} else {
		ip := &layers.IPv6{Version: 6, HopLimit: ttl, NextHeader: protocol, SrcIP: from.AsSlice(), DstIP: to.WithZone("").AsSlice()}
		network, pseudo = ip, ip
	}
	if c, ok := transport.(checksummed); ok {
		_ = c.SetNetworkLayerForChecksum(pseudo)
	}
	b := gopacket.NewSerializeBuffer()
	if gopacket.SerializeLayers(b, serialize, append([]gopacket.SerializableLayer{network, transport}, rest...)...) != nil {
		return nil
	}
	return b.Bytes()
}

// fragments splits a packet that is longer than a frame (RFC 791 section 3.2, RFC 8200 section 4.5).
func fragments(ip []byte) [][]byte {
	var out [][]byte
	if ip[0]>>4 == 6 {
		const step = (frameMTU - 48) &^ 7
		id := crc32.ChecksumIEEE(ip)
		for body, offset := ip[40:], 0; offset < len(body); offset += step {
			part := body[offset:min(offset+step, len(body))]
			f := append(append([]byte(nil), ip[:40]...), ip[6], 0, 0, 0, 0, 0, 0, 0)
			f[6] = byte(layers.IPProtocolIPv6Fragment)
			binary.BigEndian.PutUint16(f[4:], uint16(8+len(part)))
			more := uint16(1)
			if offset+step >= len(body) {
				more = 0
			}
			binary.BigEndian.PutUint16(f[42:], uint16(offset)|more)
			binary.BigEndian.PutUint32(f[44:], id)
			out = append(out, append(f, part...))
		}
		return out
	}
	const step = (frameMTU - 20) &^ 7
	for body, offset := ip[20:], 0; offset < len(body); offset += step {
		part := body[offset:min(offset+step, len(body))]
		h := layers.IPv4{Version: 4, TTL: ip[8], Protocol: layers.IPProtocol(ip[9]), Id: binary.BigEndian.Uint16(ip[4:]), SrcIP: net.IP(ip[12:16]), DstIP: net.IP(ip[16:20]), FragOffset: uint16(offset / 8)}
		if offset+step < len(body) {
			h.Flags = layers.IPv4MoreFragments
		}
		b := gopacket.NewSerializeBuffer()
		if gopacket.SerializeLayers(b, serialize, &h, gopacket.Payload(part)) == nil {
			out = append(out, append([]byte(nil), b.Bytes()...))
		}
	}
	return out
}

// echoIn answers an ICMP echo request (RFC 792), a broadcast one too: cameras do.
func (w *wire) echoIn(v *voice, p *packet, cast bool) {
	if v.NoEcho || v.Hidden || cast || p.icmp4.TypeCode.Type() != layers.ICMPv4TypeEchoRequest {
		return
	}
	reply := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoReply, 0), Id: p.icmp4.Id, Seq: p.icmp4.Seq}
	if ip := packetOf(v, p.dst, p.src, layers.IPProtocolICMPv4, reply, gopacket.Payload(p.icmp4.Payload)); ip != nil {
		w.write(v, p.srcMAC, ip)
	}
}

// unreachable answers a datagram to a port where nothing listens (RFC 1122 section 3.2.2.1, RFC 4443 section 3.1).
func (w *wire) unreachable(v *voice, p *packet) {
	var ip []byte
	if p.dst.Is4() {
		about := gopacket.Payload(p.ip[:min(len(p.ip), 28)])
		code := layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4CodePort)
		ip = packetOf(v, p.dst, p.src, layers.IPProtocolICMPv4, &layers.ICMPv4{TypeCode: code}, about)
	} else {
		about := gopacket.Payload(append([]byte{0, 0, 0, 0}, p.ip...))
		code := layers.CreateICMPv6TypeCode(layers.ICMPv6TypeDestinationUnreachable, layers.ICMPv6CodePortUnreachable)
		ip = packetOf(v, p.dst, p.src, layers.IPProtocolICMPv6, &layers.ICMPv6{TypeCode: code}, about)
	}
	if ip != nil {
		w.write(v, p.srcMAC, ip)
	}
}

// icmp6In answers echo requests, to all nodes too, and neighbour solicitations (RFC 4443 section 4.2, RFC 4861 section 7.2.4).
func (w *wire) icmp6In(v *voice, p *packet) {
	payload := p.icmp6.Payload
	switch p.icmp6.TypeCode.Type() {
	case layers.ICMPv6TypeEchoRequest:
		if v.NoEcho || v.Hidden || len(payload) < 4 {
			return
		}
		from := p.dst
		if p.dst == allNodes {
			from = v.ll
		} else if !v.has(p.dst) {
			return
		}
		reply := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeEchoReply, 0)}
		if ip := packetOf(v, from, p.src, layers.IPProtocolICMPv6, reply, gopacket.Payload(payload)); ip != nil {
			w.write(v, p.srcMAC, ip)
		}
	case layers.ICMPv6TypeNeighborSolicitation:
		w.solicited(v, p)
	}
}

func (w *wire) solicited(v *voice, p *packet) {
	var asked layers.ICMPv6NeighborSolicitation
	if asked.DecodeFromBytes(p.icmp6.Payload, gopacket.NilDecodeFeedback) != nil {
		return
	}
	target, _ := netip.AddrFromSlice(asked.TargetAddress)
	if !v.has(target) || v.NoARP {
		return
	}
	to, flags := p.src, uint8(0x60) // solicited, override
	if to.IsUnspecified() {
		to, flags = allNodes, 0x20
	}
	head := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborAdvertisement, 0)}
	advertisement := &layers.ICMPv6NeighborAdvertisement{
		Flags: flags, TargetAddress: asked.TargetAddress,
		Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptTargetAddress, Data: v.MAC[:]}},
	}
	if ip := packetOf(v, target, to, layers.IPProtocolICMPv6, head, advertisement); ip != nil {
		w.write(v, p.srcMAC, ip)
	}
}
