package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"camcensus/internal/lab"
)

func TestMain(m *testing.M) { lab.Isolate(m) }

// play runs a site of the lab and returns a wire for its first segment.
func play(t *testing.T, site string, o WireOptions, scope ScopeOptions) (*lab.Running, *Wire) {
	t.Helper()
	s, err := lab.Named(site)
	if err != nil {
		t.Fatal(err)
	}
	running, err := lab.Segment(t.Context(), lab.SegmentOptions{Site: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { running.Close() })
	all, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	sc, err := NewScope(all, scope)
	if err != nil {
		t.Fatal(err)
	}
	return running, NewWire(sc, o)
}

func deviceAddr(t *testing.T, r *lab.Running, name string) netip.Addr {
	t.Helper()
	d, ok := r.Site.Device(name)
	if !ok {
		t.Fatalf("no device %s", name)
	}
	return d.Addr()
}

// sent counts what the agent sent to an address, by kind.
func sent(r *lab.Running, to netip.Addr) (arp, syn, udp int) {
	for _, f := range r.Captured() {
		switch {
		case !f.Sent || f.Dst != to:
		case f.EtherType == 0x0806:
			arp++
		case f.Protocol == 6 && f.TCPFlags&0x12 == 2:
			syn++
		case f.Protocol == 17:
			udp++
		}
	}
	return arp, syn, udp
}

func TestDialHoldsTheAllowanceOfAHost(t *testing.T) {
	running, w := play(t, "sixty", WireOptions{}, ScopeOptions{})
	w = w.For("http")
	camera := deviceAddr(t, running, "hall")
	to := netip.AddrPortFrom(camera, 80)
	if _, err := w.DialTCP(t.Context(), to, "cam0"); !errors.Is(err, ErrNotSighted) {
		t.Fatalf("before it was sighted: %v", err)
	}
	w.Sighted(camera)
	var last time.Time
	for n := range HostSYNs {
		conn, err := w.DialTCP(t.Context(), to, "cam0")
		if err != nil {
			t.Fatalf("connection %d: %v", n+1, err)
		}
		if gap := time.Since(last); gap < hostPause {
			t.Errorf("%v after the last connection", gap)
		}
		conn.Close()
		last = time.Now()
	}
	if _, err := w.DialTCP(t.Context(), to, "cam0"); !errors.Is(err, ErrHostBudget) {
		t.Errorf("ninth connection: %v", err)
	}
	arp, syn, _ := sent(running, camera)
	if syn != HostSYNs || arp > askedOfUnknown {
		t.Errorf("%d SYNs, %d ARP requests on the wire", syn, arp)
	}
	w.NewCycle()
	conn, err := w.DialTCP(t.Context(), to, "cam0")
	if err != nil {
		t.Fatalf("in the next cycle: %v", err)
	}
	conn.Close()
}

func TestDialLetsOneConnectionAtATimeThrough(t *testing.T) {
	running, w := play(t, "sixty", WireOptions{}, ScopeOptions{})
	camera := deviceAddr(t, running, "hall")
	w.Sighted(camera)
	to := netip.AddrPortFrom(camera, 80)
	first, err := w.DialTCP(t.Context(), to, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := w.DialTCP(ctx, to, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second connection: %v", err)
	}
	first.Close()
	second, err := w.DialTCP(t.Context(), to, "")
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
	second.Close() // a second Close does not let two in
}

func TestSilentHostGetsTwoSYNsOfOurOwn(t *testing.T) {
	running, w := play(t, "sixty", WireOptions{}, ScopeOptions{})
	camera := deviceAddr(t, running, "hall")
	w.Sighted(camera)
	conn, err := w.DialTCP(t.Context(), netip.AddrPortFrom(camera, 80), "")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close() // its MAC is known to the kernel now
	running.SetLoss(1)
	running.Forget()
	_, err = w.DialTCP(t.Context(), netip.AddrPortFrom(camera, 80), "")
	if !isTimeout(err) {
		t.Errorf("error %v", err)
	}
	time.Sleep(2500 * time.Millisecond) // the kernel would have tried again
	if _, syn, _ := sent(running, camera); syn != 2 {
		t.Errorf("%d SYNs on the wire", syn)
	}
}

func TestNothingGoesToWhomItMayNot(t *testing.T) {
	running, w := play(t, "sixty", WireOptions{}, ScopeOptions{})
	excludedIP, byMAC, plain := deviceAddr(t, running, "hall"), deviceAddr(t, running, "lobby"), deviceAddr(t, running, "axis-1")
	mac, _ := running.Site.Device("lobby")
	all, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	scope, err := NewScope(all, ScopeOptions{Exclude: []Exclusion{{Match: excludedIP.String()}, {Match: mac.HardwareAddr().String()}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range []netip.Addr{excludedIP, byMAC, plain} {
		w.Sighted(ip)
	}
	w.Learn(byMAC, mac.HardwareAddr())
	w.SetScope(scope)
	w = w.For("test")
	running.Forget()
	conn, err := w.OpenUDP(t.Context(), UDPOptions{Interface: "cam0"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tests := []struct {
		name string
		to   string
		want error
	}{
		{"excluded by address", excludedIP.String(), ErrExcluded},
		{"excluded by MAC", byMAC.String(), ErrExcluded},
		{"out of scope", "10.78.0.1", ErrOutOfScope},
		{"public", "8.8.8.8", ErrOutOfScope},
		{"never sighted", "10.77.0.240", ErrNotSighted},
		{"the network's own address", "10.77.0.0", ErrOutOfScope},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			to := netip.AddrPortFrom(netip.MustParseAddr(tt.to), 3702)
			if err := conn.Send(t.Context(), []byte("x"), to); !errors.Is(err, tt.want) {
				t.Errorf("UDP: %v", err)
			}
			if _, err := w.DialTCP(t.Context(), to, ""); !errors.Is(err, tt.want) {
				t.Errorf("TCP: %v", err)
			}
			arp, syn, udp := sent(running, to.Addr())
			if arp+syn+udp > 0 {
				t.Errorf("%d ARP, %d SYN, %d UDP on the wire", arp, syn, udp)
			}
		})
	}
	w.SetListenOnly(true)
	if err := conn.Send(t.Context(), []byte("x"), netip.AddrPortFrom(plain, 3702)); !errors.Is(err, ErrListenOnly) {
		t.Errorf("listening only: %v", err)
	}
	if err := conn.Send(t.Context(), []byte("x"), netip.MustParseAddrPort("239.255.255.250:3702")); !errors.Is(err, ErrListenOnly) {
		t.Errorf("multicast while listening only: %v", err)
	}
	for _, c := range w.Counts() {
		if c.Source == "test" && c.Interface == "cam0" && (c.Sent != 0 || c.Rejected["excluded"] != 2 || c.Rejected["scope"] != 3 || c.Rejected["not_sighted"] != 1 || c.Rejected["listen_only"] != 2) {
			t.Errorf("counts %+v", c)
		}
	}
}

func TestExcludedMACThatOnlyTheKernelKnowsIsNotAsked(t *testing.T) {
	running, w := play(t, "sixty", WireOptions{}, ScopeOptions{})
	camera := deviceAddr(t, running, "hall")
	device, _ := running.Site.Device("hall")
	w.Sighted(camera)
	to := netip.AddrPortFrom(camera, 80)
	conn, err := w.DialTCP(t.Context(), to, "")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close() // the kernel knows the MAC from here on
	all, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	scope, err := NewScope(all, ScopeOptions{Exclude: []Exclusion{{Match: device.HardwareAddr().String()}}})
	if err != nil {
		t.Fatal(err)
	}
	other := NewWire(scope, WireOptions{})
	other.Sighted(camera)
	running.Forget()
	if _, err := other.DialTCP(t.Context(), to, ""); !errors.Is(err, ErrExcluded) {
		t.Errorf("error %v", err)
	}
	if _, syn, _ := sent(running, camera); syn != 0 {
		t.Errorf("%d SYNs", syn)
	}
}

func TestDatagramsAndQuestionsAreCounted(t *testing.T) {
	running, w := play(t, "sixty", WireOptions{}, ScopeOptions{})
	camera := deviceAddr(t, running, "hall")
	w.Sighted(camera)
	conn, err := w.For("wsd").OpenUDP(t.Context(), UDPOptions{Interface: "cam0"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	send := func(b string, to netip.AddrPort) error { return conn.Send(t.Context(), []byte(b), to) }
	for n := range hostDatagrams {
		if err := send("ping", netip.AddrPortFrom(camera, 9)); err != nil {
			t.Fatalf("datagram %d: %v", n+1, err)
		}
	}
	if err := send("ping", netip.AddrPortFrom(camera, 9)); !errors.Is(err, ErrHostBudget) {
		t.Errorf("thirteenth datagram: %v", err)
	}
	group := netip.MustParseAddrPort("239.255.255.250:9")
	for n := range questionRepeats {
		// Another MessageID makes no other question.
		message := "<MessageID>uuid:0a6dc791-2be6-4991-9af1-454778a1917" + string(rune('0'+n)) + "</MessageID>"
		if err := send(message, group); err != nil {
			t.Fatalf("question %d: %v", n+1, err)
		}
	}
	if err := send("<MessageID>uuid:1a6dc791-2be6-4991-9af1-454778a1917a</MessageID>", group); !errors.Is(err, ErrMulticastBudget) {
		t.Errorf("fourth time: %v", err)
	}
	sentToGroups := questionRepeats
	for n := 0; ; n++ {
		err := send("question "+string(rune('A'+n)), netip.MustParseAddrPort("255.255.255.255:9"))
		if errors.Is(err, ErrMulticastBudget) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sentToGroups++
	}
	if sentToGroups != interfaceGroup {
		t.Errorf("%d packets to groups", sentToGroups)
	}
	time.Sleep(50 * time.Millisecond)
	onWire := 0
	for _, f := range running.Captured() {
		if f.Sent && f.Protocol == 17 && f.DstPort == 9 && f.Dst != camera {
			onWire++
		}
	}
	if onWire != interfaceGroup {
		t.Errorf("%d packets to groups on the wire", onWire)
	}
}

func TestFramesInAnothersNameAreRefused(t *testing.T) {
	running, w := play(t, "sixty", WireOptions{}, ScopeOptions{})
	running.Forget()
	conn, err := w.OpenPacket("cam0", nil, false)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	i, _ := w.Scope().Interface("cam0")
	own, other := i.Addr4().As4(), [4]byte{10, 77, 0, 99}
	arp := func(src net.HardwareAddr, op byte, sender net.HardwareAddr, from, to [4]byte) []byte {
		f := append([]byte{255, 255, 255, 255, 255, 255}, src...)
		f = append(f, 8, 6, 0, 1, 8, 0, 6, 4, 0, op)
		f = append(append(f, sender...), from[:]...)
		f = append(f, 0, 0, 0, 0, 0, 0)
		return append(f, to[:]...)
	}
	foreign := net.HardwareAddr{2, 9, 9, 9, 9, 9}
	tests := []struct {
		name  string
		frame []byte
	}{
		{"another's MAC", arp(foreign, 1, foreign, own, other)},
		{"another's MAC inside", arp(i.MAC, 1, foreign, own, other)},
		{"another's address", arp(i.MAC, 1, i.MAC, other, [4]byte{10, 77, 0, 98})},
		{"a reply", arp(i.MAC, 2, i.MAC, own, other)},
		{"a gratuitous request", arp(i.MAC, 1, i.MAC, own, own)},
		{"out of scope", arp(i.MAC, 1, i.MAC, own, [4]byte{10, 78, 0, 1})},
		{"no ARP at all", append(append([]byte{1, 0x80, 0xc2, 0, 0, 0}, i.MAC...), 0x80, 0x33, 1, 2, 3)},
		{"cut short", []byte{1, 2, 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := conn.WriteFrame(t.Context(), tt.frame, Packet{}); err == nil {
				t.Error("sent")
			}
		})
	}
	if err := conn.WriteFrame(t.Context(), arp(i.MAC, 1, i.MAC, own, other), Packet{}); err != nil {
		t.Errorf("a plain request: %v", err)
	}
}

func TestGroupSocketHearsItsGroupOnly(t *testing.T) {
	all, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	scope, err := NewScope(all, ScopeOptions{Interfaces: []string{"lo"}, Networks: []string{"127.77.0.0/24"}})
	if err != nil {
		t.Fatal(err)
	}
	w := NewWire(scope, WireOptions{})
	group := netip.MustParseAddrPort("239.255.255.250:3702")
	listener, err := w.ListenGroup(t.Context(), group, []string{"lo"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	other, err := w.ListenGroup(t.Context(), group, []string{"lo"})
	if err != nil {
		t.Fatalf("beside another: %v", err)
	}
	defer other.Close()
	sender, err := w.OpenUDP(t.Context(), UDPOptions{Interface: "lo"})
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	if err := sender.Send(t.Context(), []byte("unicast"), netip.MustParseAddrPort("127.77.0.9:3702")); err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), []byte("to all"), group); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, maxDatagram)
	if err := listener.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	d, err := listener.Receive(b)
	if err != nil || string(b[:d.N]) != "to all" || d.Interface != "lo" || d.Dst != group.Addr() || d.From.Addr().String() != "127.0.0.1" || d.TTL != 1 {
		t.Errorf("%q, %+v, %v", b[:d.N], d, err)
	}
	closed := make(chan error)
	go func() {
		_ = listener.SetReadDeadline(time.Time{})
		_, err := listener.Receive(b)
		closed <- err
	}()
	time.Sleep(20 * time.Millisecond)
	listener.Close()
	if err := <-closed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
