package lab

import (
	"encoding/binary"
	"net/netip"
	"os"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var serialize = gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}

var (
	broadcastMAC = hardware{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	allNodes     = netip.MustParseAddr("ff02::1")
	broadcastIP  = netip.MustParseAddr("255.255.255.255")
)

const frameMTU = 1500

// wire is one segment: the devices' end of a veth pair, and who is to be found on it.
type wire struct {
	seg    *segment
	name   string // the agent's interface
	prefix netip.Prefix
	far    netlink.Link
	socket *os.File

	voices  []*voice // those that stand on the segment, not behind a router
	byIP    map[netip.Addr][]*voice
	byMAC   map[hardware]*voice
	proxies []*voice
}

func newWire(s *segment, index int, name string) *wire {
	w := &wire{seg: s, name: name, prefix: s.run.Site.Segments[index].Prefix, byIP: map[netip.Addr][]*voice{}, byMAC: map[hardware]*voice{}}
	for _, v := range s.run.voices {
		if v.segment != index {
			continue
		}
		for _, ip := range v.Addresses() {
			w.byIP[ip] = append(w.byIP[ip], v)
		}
		if v.router != nil {
			continue
		}
		w.voices = append(w.voices, v)
		w.byMAC[v.MAC] = v
		if v.ProxyARP.IsValid() {
			w.proxies = append(w.proxies, v)
		}
	}
	return w
}

// packet is an IP packet with what the lab looks at.
type packet struct {
	ip       []byte
	src, dst netip.Addr
	ttl      uint8
	srcMAC   hardware
	dstMAC   hardware
	udp      *layers.UDP
	tcp      *layers.TCP
	icmp4    *layers.ICMPv4
	icmp6    *layers.ICMPv6
}

// parseIP reads an IP packet; nil when it is none, or a fragment.
func parseIP(b []byte) *packet {
	if len(b) < 20 {
		return nil
	}
	p := &packet{}
	var next layers.IPProtocol
	var body []byte
	if b[0]>>4 == 6 {
		var ip layers.IPv6
		if ip.DecodeFromBytes(b, gopacket.NilDecodeFeedback) != nil {
			return nil
		}
		p.src, _ = netip.AddrFromSlice(ip.SrcIP)
		p.dst, _ = netip.AddrFromSlice(ip.DstIP)
		p.ttl, next, body = ip.HopLimit, ip.NextHeader, ip.Payload
		p.ip = b[:min(len(b), 40+int(ip.Length))]
	} else {
		var ip layers.IPv4
		if ip.DecodeFromBytes(b, gopacket.NilDecodeFeedback) != nil || ip.FragOffset != 0 || ip.Flags&layers.IPv4MoreFragments != 0 {
			return nil
		}
		p.src, _ = netip.AddrFromSlice(ip.SrcIP)
		p.dst, _ = netip.AddrFromSlice(ip.DstIP)
		p.ttl, next, body = ip.TTL, ip.Protocol, ip.Payload
		p.ip = b[:min(len(b), int(ip.Length))]
	}
	return p.transport(next, body)
}

func (p *packet) transport(next layers.IPProtocol, body []byte) *packet {
	var layer gopacket.DecodingLayer
	switch next {
	case layers.IPProtocolUDP:
		p.udp = &layers.UDP{}
		layer = p.udp
	case layers.IPProtocolTCP:
		p.tcp = &layers.TCP{}
		layer = p.tcp
	case layers.IPProtocolICMPv4:
		p.icmp4 = &layers.ICMPv4{}
		layer = p.icmp4
	case layers.IPProtocolICMPv6:
		p.icmp6 = &layers.ICMPv6{}
		layer = p.icmp6
	default:
		return p
	}
	if layer.DecodeFromBytes(body, gopacket.NilDecodeFeedback) != nil {
		return nil
	}
	return p
}

// readFrames plays the segment until its socket is closed.
func (w *wire) readFrames() {
	raw, err := w.socket.SyscallConn()
	if err != nil {
		return
	}
	buf, oob := make([]byte, 65536), make([]byte, 256)
	for {
		var n, oobn int
		var readErr error
		err := raw.Read(func(fd uintptr) bool {
			n, oobn, _, _, readErr = unix.Recvmsg(int(fd), buf, oob, 0)
			return readErr != unix.EAGAIN
		})
		if err != nil {
			return
		}
		if readErr != nil {
			continue // the interface went down for a moment
		}
		w.frameIn(buf[:n], stamp(oob[:oobn]))
	}
}

// stamp reads the kernel's time of arrival.
func stamp(oob []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return time.Now()
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return time.Now()
}

// frameIn plays what a frame of the agent brings about. The frame is not kept.
func (w *wire) frameIn(frame []byte, at time.Time) {
	lost := w.seg.run.lost(nil)
	w.seg.run.tape.keep(taped{at: at, iface: w.name, sent: true, lost: lost, raw: frame})
	if lost || len(frame) < 14 {
		return
	}
	var dst, src hardware
	copy(dst[:], frame)
	copy(src[:], frame[6:])
	switch layers.EthernetType(binary.BigEndian.Uint16(frame[12:])) {
	case layers.EthernetTypeARP:
		w.arpIn(dst, frame[14:])
	case layers.EthernetTypeIPv4, layers.EthernetTypeIPv6:
		p := parseIP(append([]byte(nil), frame[14:]...))
		if p == nil {
			return
		}
		p.srcMAC, p.dstMAC = src, dst
		w.packetIn(p)
	}
}

// arpIn answers ARP requests (RFC 826): every device that has the address, and those that answer for others.
func (w *wire) arpIn(dst hardware, b []byte) {
	var a layers.ARP
	if a.DecodeFromBytes(b, gopacket.NilDecodeFeedback) != nil || a.Operation != layers.ARPRequest || len(a.DstProtAddress) != 4 {
		return
	}
	target := netip.AddrFrom4([4]byte(a.DstProtAddress))
	sender := netip.AddrFrom4([4]byte(a.SourceProtAddress))
	found := false
	for _, v := range w.byIP[target] {
		if v.router == nil && !v.NoARP && (dst == broadcastMAC || dst == v.MAC) {
			found = v.plugged.Load() || found
			w.answerARP(v, &a, target)
		}
	}
	for _, v := range w.proxies {
		if !found && target != sender && v.ProxyARP.Contains(target) && (dst == broadcastMAC || dst == v.MAC) {
			w.answerARP(v, &a, target)
		}
	}
}

func (w *wire) answerARP(v *voice, asked *layers.ARP, target netip.Addr) {
	answer := &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPReply,
		SourceHwAddress: v.MAC[:], SourceProtAddress: target.AsSlice(), DstHwAddress: asked.SourceHwAddress, DstProtAddress: asked.SourceProtAddress,
	}
	b := gopacket.NewSerializeBuffer()
	if gopacket.SerializeLayers(b, serialize, answer) == nil {
		w.writeFrame(v, frameOf(hardware(asked.SourceHwAddress), v.MAC, uint16(layers.EthernetTypeARP), b.Bytes()))
	}
}

// packetIn finds the devices that a packet reaches.
func (w *wire) packetIn(p *packet) {
	if p.dstMAC[0]&1 == 0 {
		if v := w.receiver(p); v != nil && v.plugged.Load() && !v.hasBadLuck(w) {
			w.deliver(v, p, false)
		}
		return
	}
	if p.tcp != nil {
		return
	}
	for _, v := range w.voices {
		if v.plugged.Load() && !v.Hidden && !v.hasBadLuck(w) && w.hears(v, p) {
			w.deliver(v, p, true)
		}
	}
}

// hasBadLuck tells whether the device's own bad cable loses the frame.
func (v *voice) hasBadLuck(w *wire) bool { return v.Faults.Loss > 0 && w.seg.run.lost(v) }

// hears tells whether a device takes a multicast or broadcast packet.
func (w *wire) hears(v *voice, p *packet) bool {
	if p.dst.Is6() {
		return v.ll.IsValid()
	}
	if len(v.IPs) == 0 {
		return false
	}
	return p.dst.IsMulticast() || p.dst == broadcastIP || p.dst == lastOf(w.prefix)
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	n := binary.BigEndian.Uint32(b[:]) | ^uint32(0)>>p.Bits()
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

// receiver finds the device for a unicast packet: the owner of the MAC, or a host behind it.
func (w *wire) receiver(p *packet) *voice {
	owner := w.byMAC[p.dstMAC]
	if owner == nil || !owner.plugged.Load() {
		return nil
	}
	if owner.has(p.dst) {
		return owner
	}
	for _, v := range w.byIP[p.dst] {
		if v.router == owner.Device && p.ttl > 1 {
			return v
		}
	}
	if owner.ProxyARP.IsValid() && owner.ProxyARP.Contains(p.dst) {
		return owner
	}
	return nil
}

func (w *wire) deliver(v *voice, p *packet, cast bool) {
	switch {
	case p.tcp != nil && !cast:
		w.tcpIn(v, p)
	case p.udp != nil:
		w.udpIn(v, p, cast)
	case p.icmp4 != nil:
		w.echoIn(v, p, cast)
	case p.icmp6 != nil:
		w.icmp6In(v, p)
	}
}

func (w *wire) udpIn(v *voice, p *packet, cast bool) {
	q := question{payload: p.udp.Payload, from: netip.AddrPortFrom(p.src, uint16(p.udp.SrcPort)), to: netip.AddrPortFrom(p.dst, uint16(p.udp.DstPort)), cast: cast}
	out, listening := v.answers(q)
	if !listening && !cast && !v.Filtered {
		w.unreachable(v, p)
		return
	}
	for _, d := range out {
		w.seg.run.after(d.after, func() {
			if v.plugged.Load() {
				w.sendFrom(v, p, d)
			}
		})
	}
}

// write puts a device's IP packet on the wire, in fragments where it is too long for one frame.
func (w *wire) write(v *voice, to hardware, ip []byte) {
	if len(ip) <= frameMTU {
		w.writeFrame(v, frameOf(to, v.wire(), etherType(ip), ip))
		return
	}
	for _, part := range fragments(ip) {
		w.writeFrame(v, frameOf(to, v.wire(), etherType(ip), part))
	}
}

func (w *wire) writeFrame(v *voice, frame []byte) {
	if !v.plugged.Load() || v.router != nil && !w.seg.run.byName[v.router.Name].plugged.Load() {
		return
	}
	lost := w.seg.run.lost(v)
	w.seg.run.tape.keep(taped{at: time.Now(), iface: w.name, lost: lost, raw: frame})
	if !lost {
		_, _ = w.socket.Write(frame)
	}
}
