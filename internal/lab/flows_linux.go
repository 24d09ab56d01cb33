package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var (
	// Link-local addresses have a zone, which any-IP routing does not know: the kernel sees a shadow of them.
	shadowHosts = netip.MustParsePrefix("fdfe:ca::/64")
	shadowAgent = netip.MustParsePrefix("fdff:ca::/64")
)

// endpoints names a TCP connection as the kernel of the devices sees it.
type endpoints struct{ agent, host netip.AddrPort }

// flow is a connection from an agent to a device.
type flow struct {
	wire     *wire
	voice    *voice
	number   uint16 // the port that was asked for
	agentMAC hardware
	linkOnly bool // between link-local addresses
	seen     time.Time
}

type flows struct {
	mu sync.Mutex
	by map[endpoints]*flow
}

func newFlows() *flows { return &flows{by: map[endpoints]*flow{}} }

func (f *flows) get(e endpoints) *flow {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := f.by[e]
	if found != nil {
		found.seen = time.Now()
	}
	return found
}

func (f *flows) put(e endpoints, fl *flow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.by) > 1<<16 {
		for old, o := range f.by {
			if time.Since(o.seen) > connectionLife {
				delete(f.by, old)
			}
		}
	}
	fl.seen = time.Now()
	f.by[e] = fl
}

// accept serves the connections that the kernel hands over.
func (s *segment) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		e := endpoints{agent: unmapped(c.RemoteAddr()), host: unmapped(c.LocalAddr())}
		fl := s.flows.get(e)
		if fl == nil {
			_ = c.Close()
			continue
		}
		s.work.Go(func() {
			stop := context.AfterFunc(s.run.ctx, func() { _ = c.Close() })
			defer stop()
			fl.voice.serve(c, fl.number)
		})
	}
}

func unmapped(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// tcpIn hands a TCP segment of the agent to the kernel that plays the devices, or answers in its place.
func (w *wire) tcpIn(v *voice, p *packet) {
	number := p.tcp.DstPort
	syn := p.tcp.SYN && !p.tcp.ACK
	port := uint16(number)
	if v.Hidden {
		return
	}
	if v.Ports[port] == nil {
		if !v.Faults.AcceptsAll {
			if !v.Filtered && !p.tcp.RST {
				w.refuse(v, p)
			}
			return
		}
		if !w.seg.ports[port] {
			port = discardPort
		}
	}
	agent, host := netip.AddrPortFrom(p.src, uint16(p.tcp.SrcPort)), netip.AddrPortFrom(p.dst, port)
	linkOnly := p.dst.IsLinkLocalUnicast() && p.dst.Is6()
	if linkOnly {
		agent = netip.AddrPortFrom(into(shadowAgent, p.src), agent.Port())
		host = netip.AddrPortFrom(into(shadowHosts, p.dst), host.Port())
	}
	if syn {
		w.seg.leadBack(agent.Addr())
		w.seg.flows.put(endpoints{agent, host}, &flow{wire: w, voice: v, number: uint16(number), agentMAC: p.srcMAC, linkOnly: linkOnly})
	}
	if linkOnly || port != uint16(number) {
		p = p.readdressed(agent, host)
		if p == nil {
			return
		}
	}
	_, _ = w.seg.kernel.Write(frameOf(w.seg.hostsMAC, hardware{2}, etherType(p.ip), p.ip))
}

// into puts the interface identifier of a link-local address under another prefix.
func into(prefix netip.Prefix, ip netip.Addr) netip.Addr {
	b, id := prefix.Addr().As16(), ip.As16()
	copy(b[8:], id[8:])
	return netip.AddrFrom16(b)
}

// leadBack makes sure that the devices' kernel sends to that agent by its interface, though the address is in a network of its own.
func (s *segment) leadBack(agent netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agents[agent] {
		return
	}
	err := s.ns.do(func() error {
		dst := ipNet(netip.PrefixFrom(agent, agent.BitLen()))
		return netlink.RouteReplace(&netlink.Route{LinkIndex: s.hostsIndex, Dst: dst, Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_UNICAST, Scope: netlink.SCOPE_LINK})
	})
	s.agents[agent] = err == nil
}

// readKernel puts what the devices' kernel sends on the wire, from the device's own MAC.
func (s *segment) readKernel() {
	buf := make([]byte, 65536)
	for {
		n, err := s.kernel.Read(buf)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil || n < 14 {
			continue
		}
		p := parseIP(append([]byte(nil), buf[14:n]...))
		if p == nil || p.tcp == nil {
			continue
		}
		fl := s.flows.get(endpoints{agent: netip.AddrPortFrom(p.dst, uint16(p.tcp.DstPort)), host: netip.AddrPortFrom(p.src, uint16(p.tcp.SrcPort))})
		if fl == nil || !fl.voice.plugged.Load() {
			continue
		}
		if src := uint16(p.tcp.SrcPort); fl.linkOnly || src != fl.number {
			from, to := p.src, p.dst
			if fl.linkOnly {
				local := netip.MustParsePrefix("fe80::/64")
				from, to = into(local, from), into(local, to)
			}
			p = p.readdressed(netip.AddrPortFrom(from, fl.number), netip.AddrPortFrom(to, uint16(p.tcp.DstPort)))
			if p == nil {
				continue
			}
		}
		fl.wire.write(fl.voice, fl.agentMAC, p.ip)
	}
}

// readdressed returns the packet with other ends: addresses and, for the host, the port.
func (p *packet) readdressed(src, dst netip.AddrPort) *packet {
	t := *p.tcp
	t.SrcPort, t.DstPort = layers.TCPPort(src.Port()), layers.TCPPort(dst.Port())
	var network gopacket.SerializableLayer
	if p.dst.Is4() {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, Flags: layers.IPv4DontFragment, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}
		_ = t.SetNetworkLayerForChecksum(ip)
		network = ip
	} else {
		ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}
		_ = t.SetNetworkLayerForChecksum(ip)
		network = ip
	}
	b := gopacket.NewSerializeBuffer()
	if gopacket.SerializeLayers(b, serialize, network, &t, gopacket.Payload(p.tcp.Payload)) != nil {
		return nil
	}
	return &packet{ip: b.Bytes(), src: src.Addr(), dst: dst.Addr(), tcp: &t, srcMAC: p.srcMAC}
}

// refuse answers a segment to a closed port by a reset (RFC 9293 section 3.10.7.1).
func (w *wire) refuse(v *voice, p *packet) {
	t := &layers.TCP{SrcPort: p.tcp.DstPort, DstPort: p.tcp.SrcPort, RST: true}
	if p.tcp.ACK {
		t.Seq = p.tcp.Ack
	} else {
		t.ACK, t.Ack = true, p.tcp.Seq+uint32(len(p.tcp.Payload))
		if p.tcp.SYN {
			t.Ack++
		}
	}
	answer := (&packet{tcp: t, dst: p.dst}).readdressed(netip.AddrPortFrom(p.dst, uint16(t.SrcPort)), netip.AddrPortFrom(p.src, uint16(t.DstPort)))
	if answer != nil {
		w.write(v, p.srcMAC, answer.ip)
	}
}

// etherType returns the type of an IP packet.
func etherType(ip []byte) uint16 {
	if ip[0]>>4 == 6 {
		return uint16(layers.EthernetTypeIPv6)
	}
	return uint16(layers.EthernetTypeIPv4)
}

func frameOf(dst, src hardware, kind uint16, payload []byte) []byte {
	b := make([]byte, 14, 14+len(payload))
	copy(b, dst[:])
	copy(b[6:], src[:])
	binary.BigEndian.PutUint16(b[12:], kind)
	return append(b, payload...)
}
