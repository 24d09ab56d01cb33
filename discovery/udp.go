package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// maxDatagram is the largest UDP payload there is.
const maxDatagram = 65535

// UDPOptions say how a socket is opened.
type UDPOptions struct {
	Interface string // "" for routed unicast: the routing table decides
	Network   string // "udp4" or "udp6"; "" is udp4
	LocalPort uint16 // 0: an ephemeral one
	Reuse     bool   // share LocalPort with other daemons
	TTL       int    // of multicast, 0: 1
}

// Datagram is one received payload.
type Datagram struct {
	N         int
	From      netip.AddrPort // without zone: Interface stands for it
	Interface string
	Dst       netip.Addr // where it was sent: our address, a group, or invalid when unknown
	TTL       int        // hop limit it arrived with, 0 when unknown
	Time      time.Time
}

// UDPConn is one UDP socket, or one per interface where the system wants
// that, behind the budget of Wire.
type UDPConn struct {
	w       *Wire
	inner   []*udpSocket
	ifaces  []Interface // empty: any
	arrived chan arrival

	mu       sync.Mutex
	deadline time.Time
	wake     chan struct{}
	closed   chan struct{}
	once     sync.Once
	readers  sync.WaitGroup
}

type arrival struct {
	b   []byte
	d   Datagram
	err error
}

// OpenUDP opens a socket for asking: bound to the interface's own address, so
// that what it sends to a group leaves by that interface only.
func (w *Wire) OpenUDP(ctx context.Context, o UDPOptions) (*UDPConn, error) {
	v6 := o.Network == "udp6"
	if o.Network != "" && o.Network != "udp4" && !v6 {
		return nil, fmt.Errorf("open %s on %s: not udp4 or udp6", o.Network, o.Interface)
	}
	b := binding{v6: v6, port: o.LocalPort, reuse: o.Reuse, ttl: max(o.TTL, 1)}
	c := &UDPConn{w: w}
	if o.Interface != "" {
		i, ok := w.Scope().Interface(o.Interface)
		if !ok {
			return nil, fmt.Errorf("open UDP on %s: interface %w", o.Interface, ErrOutOfScope)
		}
		b.iface, b.local = &i, i.Addr4()
		if v6 {
			b.local = i.Addr6()
		}
		if !b.local.IsValid() {
			return nil, fmt.Errorf("open UDP on %s: the interface has no %s address", o.Interface, family(v6))
		}
		c.ifaces = []Interface{i}
	}
	s, err := openUDPSocket(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("open UDP port %d on %s: %w", o.LocalPort, place(o.Interface), err)
	}
	c.start(s)
	return c, nil
}

// ListenGroup opens a socket that hears one multicast group on the given
// interfaces and nothing else: bound to the group's address, so that unicast
// to the port stays with the daemon that has it (avahi, wsdd).
func (w *Wire) ListenGroup(ctx context.Context, to netip.AddrPort, ifaces []string) (*UDPConn, error) {
	if !to.Addr().IsMulticast() {
		return nil, fmt.Errorf("listen to %s: no multicast group", to)
	}
	in, err := w.interfacesNamed(ifaces)
	if err != nil {
		return nil, fmt.Errorf("listen to %s: %w", to, err)
	}
	sockets, err := openGroupSockets(ctx, to, in)
	if err != nil {
		return nil, fmt.Errorf("listen to %s on %v: %w", to, ifaces, err)
	}
	c := &UDPConn{w: w, ifaces: in}
	c.start(sockets...)
	return c, nil
}

// ListenUDP opens a shared wildcard socket on a fixed port, for protocols
// that answer to it (by broadcast as well); only what arrives on the given
// interfaces is returned.
func (w *Wire) ListenUDP(ctx context.Context, port uint16, ifaces []string) (*UDPConn, error) {
	in, err := w.interfacesNamed(ifaces)
	if err != nil {
		return nil, fmt.Errorf("listen on UDP port %d: %w", port, err)
	}
	s, err := openUDPSocket(ctx, binding{port: port, reuse: true, ttl: 1})
	if err != nil {
		return nil, fmt.Errorf("listen on UDP port %d: %w", port, err)
	}
	c := &UDPConn{w: w, ifaces: in}
	c.start(s)
	return c, nil
}

// JoinGroup lets a socket of OpenUDP or ListenUDP hear a group as well, on
// all its interfaces.
func (c *UDPConn) JoinGroup(group netip.Addr) error {
	for _, s := range c.inner {
		for _, i := range c.ifaces {
			if err := s.join(group, i); err != nil {
				return fmt.Errorf("join %s on %s: %w", group, i.Name, err)
			}
		}
	}
	return nil
}

func (w *Wire) interfacesNamed(names []string) ([]Interface, error) {
	var out []Interface
	for _, name := range names {
		i, ok := w.Scope().Interface(name)
		if !ok {
			return nil, fmt.Errorf("interface %s: %w", name, ErrOutOfScope)
		}
		out = append(out, i)
	}
	if len(out) == 0 {
		return nil, errors.New("no interface given")
	}
	return out, nil
}

func family(v6 bool) string {
	if v6 {
		return "IPv6"
	}
	return "IPv4"
}

func place(iface string) string {
	if iface == "" {
		return "any interface"
	}
	return iface
}

// start takes the sockets over. Several are read side by side into one queue.
func (c *UDPConn) start(sockets ...*udpSocket) {
	c.inner, c.closed = sockets, make(chan struct{})
	if len(sockets) < 2 {
		return
	}
	c.arrived, c.wake = make(chan arrival), make(chan struct{}, 1)
	for _, s := range sockets {
		c.readers.Go(func() { c.pump(s) })
	}
}

func (c *UDPConn) pump(s *udpSocket) {
	buf := make([]byte, maxDatagram)
	for {
		d, err := s.receive(buf)
		a := arrival{d: d, err: err}
		if err == nil {
			a.b = append([]byte(nil), buf[:d.N]...)
		}
		select {
		case c.arrived <- a:
		case <-c.closed:
			return
		}
		if err != nil {
			return
		}
	}
}

// Receive returns the next datagram; b should hold 65535 bytes. It blocks
// until the read deadline or Close, then returns os.ErrDeadlineExceeded or
// net.ErrClosed.
func (c *UDPConn) Receive(b []byte) (Datagram, error) {
	for {
		d, err := c.next(b)
		if err != nil {
			return d, err
		}
		if !c.hears(d.Interface) {
			continue
		}
		// Only a host in scope counts as sighted; Learn sees to that.
		c.w.Sighted(d.From.Addr())
		return d, nil
	}
}

func (c *UDPConn) hears(iface string) bool {
	if len(c.ifaces) == 0 || iface == "" {
		return true
	}
	for _, i := range c.ifaces {
		if i.Name == iface {
			return true
		}
	}
	return false
}

func (c *UDPConn) next(b []byte) (Datagram, error) {
	if c.arrived == nil {
		return c.inner[0].receive(b)
	}
	for {
		c.mu.Lock()
		deadline := c.deadline
		c.mu.Unlock()
		var late <-chan time.Time
		if !deadline.IsZero() {
			late = time.After(time.Until(deadline))
		}
		select {
		case a := <-c.arrived:
			if a.err != nil {
				return Datagram{}, a.err
			}
			a.d.N = copy(b, a.b)
			return a.d, nil
		case <-c.closed:
			return Datagram{}, net.ErrClosed
		case <-late:
			return Datagram{}, os.ErrDeadlineExceeded
		case <-c.wake:
		}
	}
}

// Send puts one datagram on the wire when its turn has come. On a socket with
// several interfaces the destination must lie in a network of one of them.
func (c *UDPConn) Send(ctx context.Context, b []byte, to netip.AddrPort) error {
	iface := ""
	switch len(c.ifaces) {
	case 0:
	case 1:
		iface = c.ifaces[0].Name
	default:
		n, ok := c.w.Scope().NetworkOf(to.Addr())
		if !ok || !n.Connected {
			return fmt.Errorf("send to %s: no interface of this socket leads there: %w", to, ErrOutOfScope)
		}
		iface = n.Interface
	}
	return c.SendVia(ctx, iface, b, to)
}

// SendVia is Send by one of the socket's interfaces.
func (c *UDPConn) SendVia(ctx context.Context, iface string, b []byte, to netip.AddrPort) error {
	ip := to.Addr().Unmap().WithZone("")
	to = netip.AddrPortFrom(ip, to.Port())
	l := leaving{
		packet: Packet{Interface: iface, Protocol: "udp", To: to.String(), Count: 1},
		to:     ip, kind: datagram,
	}
	i, known := c.w.Scope().Interface(iface)
	if known && isGroup(ip, i) {
		l.kind, l.question = group, questionOf(c.w.source+" "+to.String(), b)
	} else if ip.IsMulticast() {
		return fmt.Errorf("send to %s: a group needs an interface: %w", to, ErrOutOfScope)
	}
	if known && !c.hears(iface) {
		return fmt.Errorf("send to %s by %s: not an interface of this socket", to, iface)
	}
	if l.kind == datagram && iface != "" {
		if n, ok := c.w.Scope().networkOn(ip, iface); ok && !n.Connected {
			l.packet.Interface = "" // routed: whichever way it leaves
		}
	}
	if err := c.w.admit(ctx, l); err != nil {
		if errors.Is(err, ErrPlanned) {
			return nil
		}
		return err
	}
	if err := c.inner[c.socketOf(i)].send(b, to, i); err != nil {
		return fmt.Errorf("send to %s by %s: %w", to, place(iface), err)
	}
	return nil
}

// socketOf finds the socket of an interface among several.
func (c *UDPConn) socketOf(i Interface) int {
	for at, s := range c.inner {
		if s.only == i.Index && s.only != 0 {
			return at
		}
	}
	return 0
}

// SetReadDeadline ends a Receive at t; the zero time never does.
func (c *UDPConn) SetReadDeadline(t time.Time) error {
	if c.arrived == nil {
		return c.inner[0].setReadDeadline(t)
	}
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

// LocalPort is the port that answers come back to.
func (c *UDPConn) LocalPort() uint16 { return c.inner[0].localPort() }

// Close closes the socket and ends a Receive.
func (c *UDPConn) Close() error {
	var err error
	c.once.Do(func() {
		close(c.closed)
		for _, s := range c.inner {
			err = errors.Join(err, s.close())
		}
		c.readers.Wait()
	})
	return err
}
