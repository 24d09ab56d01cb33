package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

var (
	loopbackNetwork   = netip.MustParsePrefix("127.77.0.0/24")
	loopbackBroadcast = netip.MustParseAddr("127.255.255.255")
)

// loopback plays a site on addresses of 127.77.0.0/24 without any privilege. TCP ports below 1024 are 8000 higher. It
// answers senders of 127/8 only, and sends to nobody else: groups are joined on, and left by, the loopback interface.
type loopback struct {
	run    *Running
	index  int // of lo
	shared []*net.UDPConn

	mu    sync.Mutex
	hosts map[*voice]*openHost
	work  sync.WaitGroup
	ended bool
}

// openHost is what a plugged device listens with.
type openHost struct {
	udp map[uint16]*net.UDPConn
	tcp []net.Listener
}

// Loopback plays the site's first segment on 127.77.0.0/24: the last number of each address stays.
func Loopback(ctx context.Context, site *Site) (*Running, error) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return nil, fmt.Errorf("lab: find the loopback interface: %w", err)
	}
	rebase(site)
	r := newRunning(site, loopbackPort)
	l := &loopback{run: r, index: lo.Index, hosts: map[*voice]*openHost{}}
	r.form = l
	if err := l.open(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	r.start()
	context.AfterFunc(ctx, func() { _ = r.Close() })
	return r, nil
}

// loopbackPort returns where a service listens: unprivileged programs may not have its own port.
func loopbackPort(n uint16) uint16 {
	if n < 1024 {
		return n + 8000
	}
	return n
}

// rebase gives the devices of the first segment their loopback addresses; others cannot be played there.
func rebase(s *Site) {
	var kept []*Device
	base := loopbackNetwork.Addr().As4()
	for _, d := range s.Devices {
		if d.segment != 0 || d.router != nil || len(d.IPs) == 0 {
			continue
		}
		for i, ip := range d.IPs {
			b := ip.As4()
			d.IPs[i] = netip.AddrFrom4([4]byte{base[0], base[1], base[2], b[3]})
		}
		d.IPv6, d.ll, d.prefix = nil, netip.Addr{}, loopbackNetwork
		kept = append(kept, d)
	}
	s.Devices = kept
	s.Segments = []SegmentSpec{{Name: s.Segments[0].Name, Prefix: loopbackNetwork}}
	s.Routed = nil
}

// open joins every group that a device has joined, and plugs in the devices.
func (l *loopback) open() error {
	wanted := map[netip.AddrPort]bool{}
	for _, v := range l.run.voices {
		for number, groups := range v.udpPorts() {
			wanted[netip.AddrPortFrom(loopbackBroadcast, number)] = true
			for _, g := range groups {
				wanted[netip.AddrPortFrom(g, number)] = g.Is4()
			}
		}
	}
	for at, usable := range wanted {
		if !usable {
			continue
		}
		c, err := l.bind(at)
		if err != nil {
			return err
		}
		l.shared = append(l.shared, c)
		l.work.Go(func() { l.hearAll(c, at) })
	}
	for _, v := range l.run.voices {
		if v.plugged.Load() {
			if err := l.plugIn(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// udpPorts returns the UDP ports that the device uses, with the groups that it has joined for them.
func (v *voice) udpPorts() map[uint16][]netip.Addr {
	out := map[uint16][]netip.Addr{}
	if v.WSD != nil {
		out[3702] = []netip.Addr{wsdGroup4}
	}
	if v.MDNS != nil {
		out[5353] = []netip.Addr{mdnsGroup4.Addr()}
	}
	for _, d := range v.UDP {
		out[d.Port] = append(out[d.Port], d.Groups...)
	}
	return out
}

// bind opens a UDP socket on exactly that address, which may be a group's, beside whoever else listens there.
func (l *loopback) bind(at netip.AddrPort) (*net.UDPConn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("lab: open a UDP socket: %w", err)
	}
	set := func(level, option, value int) {
		if err == nil {
			err = unix.SetsockoptInt(fd, level, option, value)
		}
	}
	set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	set(unix.SOL_SOCKET, unix.SO_BROADCAST, 1)
	set(unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
	set(unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 1)
	if err == nil {
		err = unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(l.index)})
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())})
	}
	if err == nil && at.Addr().IsMulticast() {
		err = unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreqn{Multiaddr: at.Addr().As4(), Ifindex: int32(l.index)})
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("lab: listen on %s: %w (needs the address free: another demo may be running)", at, err)
	}
	f := os.NewFile(uintptr(fd), at.String())
	defer f.Close()
	c, err := net.FilePacketConn(f)
	if err != nil {
		return nil, fmt.Errorf("lab: listen on %s: %w", at, err)
	}
	return c.(*net.UDPConn), nil
}

// plugIn opens what the device listens with.
func (l *loopback) plugIn(v *voice) error {
	h := &openHost{udp: map[uint16]*net.UDPConn{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.hosts[v] != nil {
		return nil
	}
	l.hosts[v] = h
	for number := range v.udpPorts() {
		c, err := l.bind(netip.AddrPortFrom(v.Addr(), number))
		if err != nil {
			return err
		}
		h.udp[number] = c
		l.work.Go(func() { l.hear(v, c, number) })
	}
	for number := range v.Ports {
		at := netip.AddrPortFrom(v.Addr(), loopbackPort(number))
		t, err := net.Listen("tcp4", at.String())
		if err != nil {
			return fmt.Errorf("lab: listen on %s: %w (needs the address free: another demo may be running)", at, err)
		}
		h.tcp = append(h.tcp, t)
		l.work.Go(func() { l.accept(v, t, number) })
	}
	return nil
}

func (l *loopback) plugged(v *voice, in bool) {
	if in {
		_ = l.plugIn(v)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts[v].close()
	delete(l.hosts, v)
}

// chatter does nothing: DHCP needs a privileged port.
func (l *loopback) chatter(*voice) {}

func (h *openHost) close() {
	if h == nil {
		return
	}
	for _, c := range h.udp {
		_ = c.Close()
	}
	for _, t := range h.tcp {
		_ = t.Close()
	}
}

func (l *loopback) accept(v *voice, t net.Listener, number uint16) {
	for {
		c, err := t.Accept()
		if err != nil {
			return
		}
		l.work.Go(func() {
			stop := context.AfterFunc(l.run.ctx, func() { _ = c.Close() })
			defer stop()
			v.serve(c, number)
		})
	}
}

// hearAll hands what comes to a group or by broadcast to every device.
func (l *loopback) hearAll(c *net.UDPConn, at netip.AddrPort) {
	l.receive(c, func(b []byte, from netip.AddrPort) {
		for _, v := range l.run.voices {
			if from.Addr() != v.Addr() && v.plugged.Load() && !l.run.lost(v) {
				l.answer(v, question{payload: b, from: from, to: at, cast: true})
			}
		}
	})
}

// hear hands a datagram to the device that it was sent to.
func (l *loopback) hear(v *voice, c *net.UDPConn, number uint16) {
	l.receive(c, func(b []byte, from netip.AddrPort) {
		if !l.run.lost(v) {
			l.answer(v, question{payload: b, from: from, to: netip.AddrPortFrom(v.Addr(), number)})
		}
	})
}

func (l *loopback) receive(c *net.UDPConn, each func([]byte, netip.AddrPort)) {
	buf := make([]byte, 65536)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port()); err == nil && from.Addr().IsLoopback() {
			each(append([]byte(nil), buf[:n]...), from)
		}
	}
}

func (l *loopback) answer(v *voice, q question) {
	out, _ := v.answers(q)
	for _, d := range out {
		l.run.sendLater(v, d)
	}
}

// send sends from the device's own address, to loopback addresses and groups only.
func (l *loopback) send(v *voice, d datagram) {
	to := d.to
	if to.Addr() == broadcastIP {
		to = netip.AddrPortFrom(loopbackBroadcast, to.Port())
	}
	if !to.Addr().Is4() || !to.Addr().IsLoopback() && !to.Addr().IsMulticast() || l.run.lost(v) {
		return
	}
	l.mu.Lock()
	h := l.hosts[v]
	l.mu.Unlock()
	if h == nil {
		return
	}
	if c := h.udp[d.from]; c != nil {
		_, _ = c.WriteToUDPAddrPort(d.payload, to)
		return
	}
	c, err := l.bind(netip.AddrPortFrom(v.Addr(), d.from))
	if err != nil {
		return
	}
	_, _ = c.WriteToUDPAddrPort(d.payload, to)
	_ = c.Close()
}

func (l *loopback) close() error {
	l.mu.Lock()
	l.ended = true
	for _, h := range l.hosts {
		h.close()
	}
	l.hosts = nil
	l.mu.Unlock()
	for _, c := range l.shared {
		_ = c.Close()
	}
	l.work.Wait()
	return nil
}
