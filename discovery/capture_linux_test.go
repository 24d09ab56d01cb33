package discovery

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"

	"camcensus/internal/packet"
)

// cable makes two interfaces with a cable between them; the first has an index
// known beforehand and an address.
func cable(t *testing.T, name string, index int, address string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name, Index: index}, PeerName: name + "p"}
	must(netlink.LinkAdd(link))
	t.Cleanup(func() { _ = netlink.LinkDel(link) })
	for _, end := range []string{name, name + "p"} {
		l, err := netlink.LinkByName(end)
		must(err)
		must(netlink.LinkSetUp(l))
	}
	a, err := netlink.ParseAddr(address)
	must(err)
	must(netlink.AddrAdd(link, a))
}

// eventually waits for a condition; how long a busy machine takes is no fault.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not in 20 s: %s", what)
}

func TestACaptureThatCouldNotBeOpenedIsTriedAgain(t *testing.T) {
	before := goleak.IgnoreCurrent()
	const index = 4711
	late := Interface{Name: "late0", Index: index, Up: true, MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.66.0.1/24")}, Broadcast: true}
	scope, err := NewScope([]Interface{late}, ScopeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := Capture{
		Wire: NewWire(scope, WireOptions{ListenOnly: true}).For("test"), Health: NewHealth("test", true),
		Filter: packet.MustFilter(packet.Want{ARP: true}), Remedy: "nothing is heard",
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	heard := make(chan netip.Addr, 1)
	var listening sync.WaitGroup
	listening.Go(func() {
		c.Listen(ctx, func(Interface) func(*packet.Frame, CaptureInfo) {
			return func(f *packet.Frame, _ CaptureInfo) {
				select {
				case heard <- f.To:
				default:
				}
			}
		})
	})
	status := func() Status {
		if all := c.Health.All(); len(all) == 1 {
			return all[0]
		}
		return Status{}
	}
	eventually(t, "the health says why", func() bool { return !status().Up && strings.Contains(status().Reason, "late0: ") })
	if !strings.HasSuffix(status().Reason, ": nothing is heard") {
		t.Errorf("reason %q", status().Reason)
	}
	cable(t, late.Name, index, "10.66.0.1/24")
	eventually(t, "the health recovers", func() bool { return status().Up })
	peer, err := net.InterfaceByName("late0p")
	if err != nil {
		t.Fatal(err)
	}
	other, err := packet.Open(packet.Options{Interface: peer.Name, Index: peer.Index})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	frame, err := packet.NewBuilder().ARPRequest(peer.HardwareAddr, netip.MustParseAddr("10.66.0.9"), netip.MustParseAddr("10.66.0.8"))
	if err != nil {
		t.Fatal(err)
	}
	frame = bytes.Clone(frame)
	eventually(t, "the frame is heard", func() bool {
		if err := other.WritePacket(t.Context(), frame); err != nil {
			t.Fatal(err)
		}
		select {
		case to := <-heard:
			return to == netip.MustParseAddr("10.66.0.8")
		default:
			return false
		}
	})
	end()
	listening.Wait()
	other.Close()
	goleak.VerifyNone(t, before)
}

func TestWatchTellsOfInterfacesAndEnds(t *testing.T) {
	before := goleak.IgnoreCurrent()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	changed := make(chan struct{}, 1)
	var watching sync.WaitGroup
	watching.Go(func() {
		WatchInterfaces(ctx, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	})
	// tells waits for word of a change after which the interfaces are as wanted.
	tells := func(what string, wanted func(Interface) bool) {
		t.Helper()
		eventually(t, what, func() bool {
			select {
			case <-changed:
			default:
				return false
			}
			all, err := Interfaces()
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range all {
				if i.Name == "w0" && wanted(i) {
					return true
				}
			}
			return false
		})
	}
	cable(t, "w0", 0, "10.67.0.1/24")
	tells("a new interface with its address", func(i Interface) bool { return i.Has(netip.MustParseAddr("10.67.0.1")) })
	link, err := netlink.LinkByName("w0")
	if err != nil {
		t.Fatal(err)
	}
	second, err := netlink.ParseAddr("10.68.0.1/24")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.AddrAdd(link, second); err != nil {
		t.Fatal(err)
	}
	tells("another address", func(i Interface) bool { return i.Has(netip.MustParseAddr("10.68.0.1")) })
	if err := netlink.LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	tells("it is down", func(i Interface) bool { return !i.Up })
	end()
	watching.Wait()
	goleak.VerifyNone(t, before)
}

func TestTheGatewayIsForeseen(t *testing.T) {
	cable(t, "g0", 0, "10.66.0.1/24")
	link, err := netlink.LinkByName("g0")
	if err != nil {
		t.Fatal(err)
	}
	route := func(dst, gateway string) {
		t.Helper()
		_, to, err := net.ParseCIDR(dst)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.RouteAdd(&netlink.Route{Dst: to, Gw: net.ParseIP(gateway), LinkIndex: link.Attrs().Index}); err != nil {
			t.Fatal(err)
		}
	}
	route("10.88.0.0/24", "10.66.0.9")
	route("10.89.0.0/24", "") // on the link itself
	for to, want := range map[string]netip.Addr{
		"10.88.0.7": netip.MustParseAddr("10.66.0.9"), "10.89.0.7": netip.MustParseAddr("10.89.0.7"), "10.90.0.7": {}, "127.0.0.9": {},
	} {
		h := kernelRoute(netip.MustParseAddr(to))
		if h.ip != want || want.IsValid() && h.index != link.Attrs().Index {
			t.Errorf("%s is handed to %+v, want %s", to, h, want)
		}
	}
	all, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	scope, err := NewScope(all, ScopeOptions{Networks: []string{"10.88.0.0/24", "connected"}})
	if err != nil {
		t.Fatal(err)
	}
	w := NewWire(scope, WireOptions{})
	far, other := netip.MustParseAddr("10.88.0.7"), netip.MustParseAddr("10.88.0.8")
	n, _ := scope.NetworkOf(far)
	for step, want := range []struct {
		to   netip.Addr
		asks int
	}{{far, askedOfUnknown}, {other, 0}} { // one gateway is asked for once
		if asks, err := w.kernelAsks(t.Context(), want.to, n); err != nil || asks != want.asks {
			t.Errorf("step %d: %d requests charged, %v, want %d", step, asks, err, want.asks)
		}
	}
	scope, err = NewScope(all, ScopeOptions{Networks: []string{"10.88.0.0/24", "10.89.0.0/24"}, Exclude: []Exclusion{{Match: "10.66.0.9"}}})
	if err != nil {
		t.Fatal(err)
	}
	w = NewWire(scope, WireOptions{})
	if _, err := w.DialTCP(t.Context(), netip.AddrPortFrom(far, 80), ""); !errors.Is(err, ErrExcluded) || !strings.Contains(err.Error(), "by way of 10.66.0.9") {
		t.Errorf("behind an excluded gateway: %v", err)
	}
	if _, err := w.DialTCP(t.Context(), netip.MustParseAddrPort("10.89.0.7:80"), ""); errors.Is(err, ErrExcluded) {
		t.Errorf("beside it: %v", err)
	}
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	err = netlink.NeighAdd(&netlink.Neigh{LinkIndex: link.Attrs().Index, IP: net.ParseIP("10.66.0.9"), HardwareAddr: mac, State: netlink.NUD_PERMANENT})
	if err != nil {
		t.Fatal(err)
	}
	// The gateway itself is in no network of the scope.
	scope, err = NewScope(all, ScopeOptions{Networks: []string{"10.88.0.0/24"}, Exclude: []Exclusion{{Match: mac.String()}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewWire(scope, WireOptions{}).DialTCP(t.Context(), netip.AddrPortFrom(far, 80), ""); !errors.Is(err, ErrExcluded) {
		t.Errorf("behind a gateway whose MAC is excluded: %v", err)
	}
}
