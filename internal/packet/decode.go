package packet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// Protocol is what a frame carries, as far as discovery looks.
type Protocol uint8

// The protocols that Decode tells apart.
const (
	Other Protocol = iota
	ARP
	UDP
	EchoRequest  // ICMPv6
	EchoReply    // ICMPv6
	Solicitation // ICMPv6 neighbour or router solicitation
	Advertisement
)

// Frame is one decoded frame. Payload aliases the buffer that was decoded.
type Frame struct {
	Protocol Protocol
	Source   [6]byte // Ethernet
	Dest     [6]byte
	VLAN     uint16 // id of the innermost tag in the frame, 0 when untagged

	From, To         netip.Addr // of the IP header, or sender and target of an ARP packet
	FromPort, ToPort uint16
	TTL              uint8 // or hop limit

	// Sender is the hardware address that ARP or neighbour discovery names
	// for From or Target; zero when none is named.
	Sender    [6]byte
	Operation uint16     // of ARP: 1 request, 2 reply
	Target    netip.Addr // of neighbour discovery
	Payload   []byte     // of UDP
}

// ErrMalformed is returned for a frame that breaks its own format.
var ErrMalformed = errors.New("packet: malformed frame")

// Decoder decodes frames without allocating. It belongs to one goroutine.
type Decoder struct {
	parser  *gopacket.DecodingLayerParser
	decoded []gopacket.LayerType

	ethernet      layers.Ethernet
	tag           layers.Dot1Q
	arp           layers.ARP
	ip4           layers.IPv4
	ip6           layers.IPv6
	skipper       layers.IPv6ExtensionSkipper
	udp           layers.UDP
	icmp6         layers.ICMPv6
	echo          layers.ICMPv6Echo
	solicitation  layers.ICMPv6NeighborSolicitation
	advertisement layers.ICMPv6NeighborAdvertisement
	routers       layers.ICMPv6RouterSolicitation
	router        layers.ICMPv6RouterAdvertisement
	payload       gopacket.Payload
}

// NewDecoder returns a decoder for Ethernet frames.
func NewDecoder() *Decoder {
	d := &Decoder{decoded: make([]gopacket.LayerType, 0, 16)}
	d.parser = gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet,
		&d.ethernet, &d.tag, &d.arp, &d.ip4, &d.ip6, &d.skipper, &d.udp, &d.icmp6,
		&d.echo, &d.solicitation, &d.advertisement, &d.routers, &d.router, &d.payload)
	d.parser.IgnoreUnsupported = true
	return d
}

// Decode reads b into f. What it cannot place is Protocol Other; an error is
// ErrMalformed, whatever went wrong inside.
func (d *Decoder) Decode(b []byte, f *Frame) (err error) {
	defer func() {
		if p := recover(); p != nil {
			*f, err = Frame{}, fmt.Errorf("%w: %v", ErrMalformed, p)
		}
	}()
	*f = Frame{}
	if !sound(b) {
		return ErrMalformed
	}
	if err := d.parser.DecodeLayers(b, &d.decoded); err != nil {
		return ErrMalformed
	}
	for _, layer := range d.decoded {
		d.take(layer, f)
	}
	return nil
}

// sound checks what gopacket does not: an ARP packet's lengths, which it
// trusts and would panic over.
func sound(b []byte) bool {
	if len(b) < 14 {
		return false
	}
	off := 12
	for range 4 {
		if len(b) < off+2 {
			return false
		}
		switch binary.BigEndian.Uint16(b[off:]) {
		case etherVLAN, etherQinQ:
			off += 4
		case etherARP:
			arp := b[off+2:]
			// RFC 826 for Ethernet and IPv4: type 1, 0x0800, lengths 6 and 4.
			return len(arp) >= 28 && [6]byte(arp) == [6]byte{0, 1, 8, 0, 6, 4}
		default:
			return true
		}
	}
	return false
}

func (d *Decoder) take(layer gopacket.LayerType, f *Frame) {
	switch layer {
	case layers.LayerTypeEthernet:
		f.Source, f.Dest = [6]byte(d.ethernet.SrcMAC), [6]byte(d.ethernet.DstMAC)
	case layers.LayerTypeDot1Q:
		f.VLAN = d.tag.VLANIdentifier
	case layers.LayerTypeARP:
		f.Protocol, f.Operation = ARP, d.arp.Operation
		f.Sender = [6]byte(d.arp.SourceHwAddress)
		f.From = netip.AddrFrom4([4]byte(d.arp.SourceProtAddress))
		f.To = netip.AddrFrom4([4]byte(d.arp.DstProtAddress))
	case layers.LayerTypeIPv4:
		f.From, f.To = netip.AddrFrom4([4]byte(d.ip4.SrcIP)), netip.AddrFrom4([4]byte(d.ip4.DstIP))
		f.TTL = d.ip4.TTL
	case layers.LayerTypeIPv6:
		f.From, f.To = netip.AddrFrom16([16]byte(d.ip6.SrcIP)), netip.AddrFrom16([16]byte(d.ip6.DstIP))
		f.TTL = d.ip6.HopLimit
	case layers.LayerTypeUDP:
		f.Protocol = UDP
		f.FromPort, f.ToPort = uint16(d.udp.SrcPort), uint16(d.udp.DstPort)
		f.Payload = d.udp.Payload
	default:
		d.takeICMPv6(layer, f)
	}
}

func (d *Decoder) takeICMPv6(layer gopacket.LayerType, f *Frame) {
	switch layer {
	case layers.LayerTypeICMPv6Echo:
		f.Protocol = EchoReply
		if d.icmp6.TypeCode.Type() == layers.ICMPv6TypeEchoRequest {
			f.Protocol = EchoRequest
		}
	case layers.LayerTypeICMPv6NeighborSolicitation:
		f.Protocol, f.Target = Solicitation, target(d.solicitation.TargetAddress)
		f.Sender = linkAddress(d.solicitation.Options, layers.ICMPv6OptSourceAddress)
	case layers.LayerTypeICMPv6NeighborAdvertisement:
		f.Protocol, f.Target = Advertisement, target(d.advertisement.TargetAddress)
		f.Sender = linkAddress(d.advertisement.Options, layers.ICMPv6OptTargetAddress)
	case layers.LayerTypeICMPv6RouterSolicitation:
		f.Protocol = Solicitation
		f.Sender = linkAddress(d.routers.Options, layers.ICMPv6OptSourceAddress)
	case layers.LayerTypeICMPv6RouterAdvertisement:
		f.Protocol = Advertisement
		f.Sender = linkAddress(d.router.Options, layers.ICMPv6OptSourceAddress)
	}
}

func target(ip []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a
}

func linkAddress(options layers.ICMPv6Options, kind layers.ICMPv6Opt) [6]byte {
	for _, o := range options {
		if o.Type == kind && len(o.Data) >= 6 {
			return [6]byte(o.Data)
		}
	}
	return [6]byte{}
}
