package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// binding says what a UDP socket is bound to.
type binding struct {
	v6    bool
	local netip.Addr // invalid: the wildcard
	iface *Interface // nil: any
	port  uint16
	reuse bool
	ttl   int
}

// udpSocket is one socket of either family with the interface, the
// destination and the TTL of what arrives.
type udpSocket struct {
	conn  *net.UDPConn
	p4    *ipv4.PacketConn // one of p4 and p6 is set
	p6    *ipv6.PacketConn
	only  int        // index of the one interface it works on, 0: several
	group netip.Addr // what it hears alone, invalid: everything

	names sync.Map // interface index to name
}

func openUDPSocket(ctx context.Context, b binding) (*udpSocket, error) {
	device := ""
	if b.iface != nil {
		device = b.iface.Name
	}
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return setOptions(raw, options{v6: b.v6, reuse: b.reuse, device: device})
	}}
	network, host := "udp4", ""
	if b.v6 {
		network = "udp6"
	}
	if b.local.IsValid() {
		local := b.local
		if local.IsLinkLocalUnicast() && local.Is6() && b.iface != nil {
			local = local.WithZone(b.iface.zone())
		}
		host = local.String()
	}
	pc, err := lc.ListenPacket(ctx, network, net.JoinHostPort(host, strconv.Itoa(int(b.port))))
	if err != nil {
		return nil, err
	}
	s, err := newUDPSocket(pc.(*net.UDPConn), b.v6)
	if err != nil {
		return nil, errors.Join(err, pc.Close())
	}
	if err := s.leaveBy(b); err != nil {
		return nil, errors.Join(err, pc.Close())
	}
	return s, nil
}

func newUDPSocket(conn *net.UDPConn, v6 bool) (*udpSocket, error) {
	s := &udpSocket{conn: conn}
	if v6 {
		s.p6 = ipv6.NewPacketConn(conn)
		return s, s.p6.SetControlMessage(ipv6.FlagInterface|ipv6.FlagDst|ipv6.FlagHopLimit, true)
	}
	s.p4 = ipv4.NewPacketConn(conn)
	return s, s.p4.SetControlMessage(ipv4.FlagInterface|ipv4.FlagDst|ipv4.FlagTTL, true)
}

// leaveBy sets how multicast leaves. Our own questions come back to this
// machine only on loopback, where the demo's devices live.
func (s *udpSocket) leaveBy(b binding) error {
	loop := b.iface != nil && b.iface.Loopback
	var via *net.Interface
	if b.iface != nil {
		via, s.only = netInterface(*b.iface), b.iface.Index
	}
	if s.p6 != nil {
		if via != nil {
			if err := s.p6.SetMulticastInterface(via); err != nil {
				return err
			}
		}
		return errors.Join(s.p6.SetMulticastHopLimit(b.ttl), s.p6.SetMulticastLoopback(loop))
	}
	if via != nil {
		if err := s.p4.SetMulticastInterface(via); err != nil {
			return err
		}
	}
	return errors.Join(s.p4.SetMulticastTTL(b.ttl), s.p4.SetMulticastLoopback(loop))
}

// netInterface is what x/net wants of an interface; it looks at name and
// index only.
func netInterface(i Interface) *net.Interface {
	return &net.Interface{Index: i.Index, Name: i.Name, MTU: i.MTU, HardwareAddr: i.MAC}
}

func (s *udpSocket) join(group netip.Addr, i Interface) error {
	to := &net.UDPAddr{IP: group.AsSlice()}
	if s.p6 != nil {
		return s.p6.JoinGroup(netInterface(i), to)
	}
	return s.p4.JoinGroup(netInterface(i), to)
}

func (s *udpSocket) receive(b []byte) (Datagram, error) {
	for {
		d, err := s.read(b)
		if err != nil {
			return d, err
		}
		if s.group.IsValid() && d.Dst.IsValid() && d.Dst != s.group {
			continue
		}
		return d, nil
	}
}

func (s *udpSocket) read(b []byte) (Datagram, error) {
	var d Datagram
	var from net.Addr
	var err error
	index := 0
	if s.p6 != nil {
		var cm *ipv6.ControlMessage
		d.N, cm, from, err = s.p6.ReadFrom(b)
		if cm != nil {
			index, d.TTL = cm.IfIndex, cm.HopLimit
			d.Dst = addr(cm.Dst)
		}
	} else {
		var cm *ipv4.ControlMessage
		d.N, cm, from, err = s.p4.ReadFrom(b)
		if cm != nil {
			index, d.TTL = cm.IfIndex, cm.TTL
			d.Dst = addr(cm.Dst)
		}
	}
	if err != nil {
		return Datagram{}, err
	}
	d.Time = time.Now()
	if u, ok := from.(*net.UDPAddr); ok {
		d.From = netip.AddrPortFrom(addr(u.IP), uint16(u.Port))
	}
	if index == 0 {
		index = s.only
	}
	d.Interface = s.name(index)
	return d, nil
}

func addr(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

func (s *udpSocket) name(index int) string {
	if index == 0 {
		return ""
	}
	if n, ok := s.names.Load(index); ok {
		return n.(string)
	}
	i, err := net.InterfaceByIndex(index)
	if err != nil {
		return ""
	}
	s.names.Store(index, i.Name)
	return i.Name
}

// send writes one datagram; i says by which interface a group or a link-local
// address is reached.
func (s *udpSocket) send(b []byte, to netip.AddrPort, i Interface) error {
	dst := &net.UDPAddr{IP: to.Addr().AsSlice(), Port: int(to.Port())}
	if s.p6 != nil {
		var cm *ipv6.ControlMessage
		if i.Index != 0 && (to.Addr().IsMulticast() || to.Addr().IsLinkLocalUnicast()) {
			cm = &ipv6.ControlMessage{IfIndex: i.Index}
		}
		_, err := s.p6.WriteTo(b, cm, dst)
		return err
	}
	var cm *ipv4.ControlMessage
	if i.Index != 0 && (s.only == 0 || !to.Addr().IsMulticast()) {
		cm = &ipv4.ControlMessage{IfIndex: i.Index}
		if s.only == 0 && i.Addr4().IsValid() {
			cm.Src = i.Addr4().AsSlice()
		}
	}
	_, err := s.p4.WriteTo(b, cm, dst)
	return err
}

func (s *udpSocket) setReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

func (s *udpSocket) localPort() uint16 { return s.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

func (s *udpSocket) close() error { return s.conn.Close() }
