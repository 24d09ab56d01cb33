package lab

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// arrive is what a device broadcasts when its cable goes in: it asks for an address by DHCP and tells by ARP which it has.
func (w *wire) arrive(v *voice) {
	if v.router != nil {
		return
	}
	if v.DHCP != nil {
		w.requestLease(v)
	}
	if len(v.IPs) > 0 && !v.NoARP && !v.Quiet {
		w.announceARP(v, v.IPs[0])
	}
}

// requestLease broadcasts a DHCP request (RFC 2131 section 4.3.2) for the address that the device has.
func (w *wire) requestLease(v *voice) {
	s := v.scene(netip.AddrPort{})
	hostname, err := s.text(v.DHCP.Hostname)
	if err != nil {
		return
	}
	class, err := s.text(v.DHCP.VendorClass)
	if err != nil {
		return
	}
	options := layers.DHCPOptions{
		layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(layers.DHCPMsgTypeRequest)}),
		layers.NewDHCPOption(layers.DHCPOptClientID, append([]byte{1}, v.MAC[:]...)),
	}
	if len(v.IPs) > 0 {
		options = append(options, layers.NewDHCPOption(layers.DHCPOptRequestIP, v.IPs[0].AsSlice()))
	}
	for kind, text := range map[layers.DHCPOpt]string{layers.DHCPOptHostname: hostname, layers.DHCPOptClassID: class} {
		if text != "" {
			options = append(options, layers.NewDHCPOption(kind, []byte(text)))
		}
	}
	if len(v.DHCP.Parameters) > 0 {
		wanted := make([]byte, len(v.DHCP.Parameters))
		for i, p := range v.DHCP.Parameters {
			wanted[i] = byte(p)
		}
		options = append(options, layers.NewDHCPOption(layers.DHCPOptParamsRequest, wanted))
	}
	request := &layers.DHCPv4{
		Operation: layers.DHCPOpRequest, HardwareType: layers.LinkTypeEthernet, HardwareLen: 6, Xid: binary.BigEndian.Uint32(v.MAC[2:]),
		ClientIP: net.IPv4zero.To4(), YourClientIP: net.IPv4zero.To4(), NextServerIP: net.IPv4zero.To4(), RelayAgentIP: net.IPv4zero.To4(),
		ClientHWAddr: v.HardwareAddr(), Options: options,
	}
	b := gopacket.NewSerializeBuffer()
	if gopacket.SerializeLayers(b, serialize, request) != nil {
		return
	}
	w.datagram(v, netip.IPv4Unspecified(), broadcastMAC, datagram{payload: b.Bytes(), from: 68, to: netip.AddrPortFrom(broadcastIP, 67)})
}

// announceARP broadcasts an ARP announcement (RFC 5227 section 2.3).
func (w *wire) announceARP(v *voice, ip netip.Addr) {
	announcement := &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPRequest,
		SourceHwAddress: v.MAC[:], SourceProtAddress: ip.AsSlice(), DstHwAddress: make([]byte, 6), DstProtAddress: ip.AsSlice(),
	}
	b := gopacket.NewSerializeBuffer()
	if gopacket.SerializeLayers(b, serialize, announcement) == nil {
		w.writeFrame(v, frameOf(broadcastMAC, v.MAC, uint16(layers.EthernetTypeARP), b.Bytes()))
	}
}
