//go:build linux

package exchange_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/zap"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"camcensus/discovery"
	"camcensus/internal/lab"
)

func TestMain(m *testing.M) { lab.Isolate(m) }

// farSide is the other end of a wire: a network namespace of its own that a
// locked thread lives in. Sockets made there stay there.
type farSide struct {
	work chan func()
	file *os.File
}

func newFarSide(t *testing.T) *farSide {
	t.Helper()
	f := &farSide{work: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			f.file, err = os.Open("/proc/thread-self/ns/net")
		}
		ready <- err
		for job := range f.work {
			job()
		}
	}()
	if err := <-ready; err != nil {
		t.Fatalf("a second network namespace: %v", err)
	}
	t.Cleanup(func() {
		close(f.work)
		f.file.Close()
	})
	return f
}

// do runs a job in the namespace.
func (f *farSide) do(job func()) {
	done := make(chan struct{})
	ended := false
	f.work <- func() {
		defer close(done)
		job()
		ended = true
	}
	<-done
	if !ended { // a Fatal in the job: it ends the test here too
		runtime.Goexit()
	}
}

// plug lays a wire named near to the far side, where it ends as "far0", and
// gives both ends their addresses.
func plug(t *testing.T, f *farSide, near, nearAddr string, farAddrs ...string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: near}, PeerName: near + "f"}))
	link, err := netlink.LinkByName(near)
	must(err)
	t.Cleanup(func() { netlink.LinkDel(link) })
	peer, err := netlink.LinkByName(near + "f")
	must(err)
	must(netlink.LinkSetNsFd(peer, int(f.file.Fd())))
	must(netlink.AddrAdd(link, address(t, nearAddr)))
	must(netlink.LinkSetUp(link))
	f.do(func() {
		far, err := netlink.LinkByName(near + "f")
		must(err)
		for _, a := range farAddrs {
			must(netlink.AddrAdd(far, address(t, a)))
		}
		must(netlink.LinkSetUp(far))
		waitForLinkLocal(t, near+"f")
	})
	waitForLinkLocal(t, near)
}

func address(t *testing.T, s string) *netlink.Addr {
	t.Helper()
	a, err := netlink.ParseAddr(s)
	if err != nil {
		t.Fatal(err)
	}
	a.Flags |= unix.IFA_F_NODAD
	return a
}

// waitForLinkLocal waits until IPv6 has settled on its address.
func waitForLinkLocal(t *testing.T, name string) {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		addrs, _ := netlink.AddrList(link, netlink.FAMILY_V6)
		for _, a := range addrs {
			if a.Flags&unix.IFA_F_TENTATIVE == 0 {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s has no link-local address", name)
}

// speaker is one simulated host: what it hears on a port, of a broadcast or of
// its groups, and what it says to it.
type speaker struct {
	ip     string // the address it answers from
	port   int
	groups []string
	from   int  // port it answers from, 0: port
	to     int  // port that it answers to, 0: the asker's
	alone  bool // hears what is sent to its address only
	answer func(request []byte) []byte
}

// speak starts a host on the far side of a wire.
func (f *farSide) speak(t *testing.T, near string, s speaker) {
	t.Helper()
	f.do(func() {
		device, err := net.InterfaceByName(near + "f")
		if err != nil {
			t.Fatal(err)
		}
		from := s.from
		if from == 0 {
			from = s.port
		}
		say := listenReuse(t, "udp4", net.JoinHostPort(s.ip, itoa(from)))
		conns := []*net.UDPConn{say} // what is sent to its address alone arrives here
		if !s.alone {
			conns = append(conns, f.listen(t, s, device))
		}
		var running sync.WaitGroup
		for _, conn := range conns {
			running.Go(func() { s.converse(conn, say, device.Index) })
		}
		t.Cleanup(func() {
			for _, conn := range conns {
				conn.Close()
			}
			running.Wait()
		})
	})
}

// converse answers what arrives until the socket is closed. The far side's
// interface goes by its number: package net keeps names and numbers of zones
// for a minute, and those of this side.
func (s speaker) converse(hear, say *net.UDPConn, device int) {
	buffer := make([]byte, 65535)
	for {
		n, asker, err := hear.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		reply := s.answer(append([]byte(nil), buffer[:n]...))
		if reply == nil {
			continue
		}
		to := netip.AddrPortFrom(asker.Addr().Unmap(), asker.Port())
		if s.to != 0 {
			to = netip.AddrPortFrom(to.Addr(), uint16(s.to))
		}
		if to.Addr().Is6() {
			ipv6.NewPacketConn(hear).WriteTo(reply, &ipv6.ControlMessage{IfIndex: device}, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.Addr().WithZone(""), to.Port())))
			continue
		}
		say.WriteToUDPAddrPort(reply, to)
	}
}

func (f *farSide) listen(t *testing.T, s speaker, ifi *net.Interface) *net.UDPConn {
	t.Helper()
	network, host := "udp4", "0.0.0.0"
	if len(s.groups) > 0 && netip.MustParseAddr(s.groups[0]).Is6() {
		network, host = "udp6", "::"
	}
	conn := listenReuse(t, network, net.JoinHostPort(host, itoa(s.port)))
	for _, g := range s.groups {
		to := &net.UDPAddr{IP: net.ParseIP(g)}
		var err error
		if network == "udp6" {
			err = ipv6.NewPacketConn(conn).JoinGroup(ifi, to)
		} else {
			err = ipv4.NewPacketConn(conn).JoinGroup(ifi, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return conn
}

func listenReuse(t *testing.T, network, address string) *net.UDPConn {
	t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
	}}
	pc, err := lc.ListenPacket(context.Background(), network, address)
	if err != nil {
		t.Fatalf("listen on %s: %v", address, err)
	}
	return pc.(*net.UDPConn)
}

func itoa(n int) string {
	return netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(n)).String()[len("0.0.0.0:"):]
}

// newWire returns a wire over the interfaces as they are now.
func newWire(t *testing.T, networks ...string) *discovery.Wire {
	t.Helper()
	all, err := discovery.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	scope, err := discovery.NewScope(all, discovery.ScopeOptions{Networks: networks})
	if err != nil {
		t.Fatal(err)
	}
	return discovery.NewWire(scope, discovery.WireOptions{Rate: 500})
}

// catch collects sightings.
type catch struct {
	mu   sync.Mutex
	list []discovery.Sighting
}

func (c *catch) sink(s discovery.Sighting) {
	s.Raw = append([]byte(nil), s.Raw...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, s)
}

// of returns the sightings of a kind from an address.
func (c *catch) of(kind, ip string) []discovery.Sighting {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []discovery.Sighting
	for _, s := range c.list {
		if s.Kind == kind && (ip == "" || s.IP == netip.MustParseAddr(ip)) {
			list = append(list, s)
		}
	}
	return list
}

func source(t *testing.T, p discovery.Protocol, w *discovery.Wire) discovery.Source {
	t.Helper()
	s, err := p.New(discovery.Env{Wire: w.For(p.Name), Log: zap.NewNop(), Now: time.Now}, p.Settings())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func leaveBy(conn *net.UDPConn, ifi *net.Interface) error {
	return ipv4.NewPacketConn(conn).SetMulticastInterface(ifi)
}

func route(t *testing.T, prefix, via string) {
	t.Helper()
	_, dst, err := net.ParseCIDR(prefix)
	if err == nil {
		err = netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: net.ParseIP(via)})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// looseReversePath lets packets in whose sender the routing table would not
// reach by this interface, as a distribution without rp_filter does.
func looseReversePath(t *testing.T, name string) {
	t.Helper()
	for _, n := range []string{"all", name} {
		if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+n+"/rp_filter", []byte("0"), 0); err != nil {
			t.Logf("rp_filter of %s: %v", n, err)
		}
	}
}
