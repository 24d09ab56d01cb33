package agent

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/internal/config"
	"camcensus/internal/inventory"
	"camcensus/internal/lab"
)

func TestMain(m *testing.M) { lab.Isolate(m) }

// onALink returns an agent with one interface, 10.66.0.1/24, on which nobody
// answers.
func onALink(t *testing.T, text string) *Agent {
	t.Helper()
	addLink(t, "cam0", "10.66.0.1/24")
	c, err := config.Read("test.yml", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), Options{Config: c, Version: "test", Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// addLink makes an interface at whose other end nobody is.
func addLink(t *testing.T, name, address string) {
	t.Helper()
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "p"}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(link) })
	for _, end := range []string{name, name + "p"} {
		l, err := netlink.LinkByName(end)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(l); err != nil {
			t.Fatal(err)
		}
	}
	addAddress(t, name, address)
}

func addAddress(t *testing.T, name, address string) {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := netlink.ParseAddr(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.AddrAdd(link, addr); err != nil {
		t.Fatal(err)
	}
}

func TestAChangeOfTheInterfacesIsFollowedBeforeTheyAreReadAnyway(t *testing.T) {
	a := onALink(t, "mode: listen\n")
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	added := netip.MustParseAddr("10.67.0.9")
	addAddress(t, "cam0", "10.67.0.1/24")
	begun := time.Now()
	for !a.wire.Scope().Contains(added) {
		if time.Since(begun) > interfaceCheck-5*time.Second {
			t.Fatal("the new network is not in scope")
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("followed after %v", time.Since(begun).Round(time.Millisecond))
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestANewInterfaceIsAskedByIPv6InItsFirstCycle(t *testing.T) {
	a := onALink(t, "mode: active\n")
	a.awaitAddresses(t.Context())
	conn, err := a.wire.For("test").OpenUDP(t.Context(), discovery.UDPOptions{Interface: "cam0", Network: "udp6"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Send(t.Context(), []byte("hello"), netip.MustParseAddrPort("[ff02::c]:3702")); err != nil {
		t.Error(err)
	}
}

// probeMatch is what a camera says to a question to its group: no MAC comes
// with it.
func probeMatch(t *testing.T, ip netip.Addr) discovery.Sighting {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "discovery", "wsd", "testdata", "hikvision_probematch.xml"))
	if err != nil {
		t.Fatal(err)
	}
	return discovery.Sighting{Source: "wsd", Interface: "cam0", IP: ip, Port: 3702, Kind: "wsd", Raw: raw}
}

func arpOf(ip netip.Addr, mac string) discovery.Sighting {
	m, err := net.ParseMAC(mac)
	if err != nil {
		panic(err)
	}
	return discovery.Sighting{Source: "arp", Interface: "cam0", IP: ip, MAC: m, Kind: "arp"}
}

func noted(a *Agent, words ...string) bool {
	return slices.ContainsFunc(a.notes(a.wire.Scope()), func(note string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(note, w) })
	})
}

const (
	cameraMAC   = "44:19:b6:01:02:03"
	excludedMAC = "00:1b:63:aa:bb:cc"
)

func TestAForgedARPInAnExcludedNameDoesNotHideACamera(t *testing.T) {
	ip := netip.MustParseAddr("10.66.0.31")
	for _, order := range []struct {
		name string
		says []func(t *testing.T) discovery.Sighting
	}{
		{"forged before the camera was seen", []func(*testing.T) discovery.Sighting{
			func(*testing.T) discovery.Sighting { return arpOf(ip, excludedMAC) },
			func(*testing.T) discovery.Sighting { return arpOf(ip, cameraMAC) },
			func(t *testing.T) discovery.Sighting { return probeMatch(t, ip) },
		}},
		{"forged afterwards", []func(*testing.T) discovery.Sighting{
			func(*testing.T) discovery.Sighting { return arpOf(ip, cameraMAC) },
			func(*testing.T) discovery.Sighting { return arpOf(ip, excludedMAC) },
			func(t *testing.T) discovery.Sighting { return probeMatch(t, ip) },
		}},
	} {
		t.Run(order.name, func(t *testing.T) {
			a := onALink(t, "exclude: [\""+excludedMAC+"\"]\n")
			for _, say := range order.says {
				a.observe(say(t))
			}
			all := a.inventory.Devices()
			if len(all) != 1 || !slices.Equal(all[0].MACs, []string{cameraMAC}) || !slices.Contains(all[0].Sources, "wsd") {
				t.Errorf("listed %+v, want the camera alone, with all that was heard of it", all)
			}
			if _, no := a.wire.Scope().Excluded(ip); !no {
				t.Error("the address may be asked, although an excluded MAC claims it")
			}
			if !noted(a, ip.String(), cameraMAC, excludedMAC, "nothing is asked there") {
				t.Errorf("coverage does not say so: %q", a.notes(a.wire.Scope()))
			}
			silent := netip.MustParseAddr("10.66.0.32")
			a.observe(arpOf(silent, "44:19:b6:01:02:04"))
			for n := range a.config().Inventory.MissingAfter + 1 {
				a.coverage.begin()
				a.coverage.add(discovery.Coverage{Network: netip.MustParsePrefix("10.66.0.0/24"), Tried: 253, Answered: 1})
				a.inventory.EndCycle(a.cycleEnd(n + 1))
			}
			for _, d := range a.inventory.Devices() {
				if asked := slices.Contains(d.IPs, silent.String()); asked != (d.State == inventory.Missing) {
					t.Errorf("%v is %s after cycles in which it was asked: %v", d.IPs, d.State, asked)
				}
			}
		})
	}
}

func TestTwoMACsAtOneAddressStayTwoDevicesAndAreSaid(t *testing.T) {
	a := onALink(t, "mode: active\n")
	ip, other := netip.MustParseAddr("10.66.0.31"), "ac:cc:8e:01:02:03"
	for range 2 {
		a.observe(arpOf(ip, cameraMAC))
		a.observe(arpOf(ip, other))
	}
	var macs []string
	for _, d := range a.inventory.Devices() {
		if len(d.MACs) != 1 {
			t.Errorf("%s has %v", d.ID, d.MACs)
		}
		macs = append(macs, d.MACs...)
	}
	slices.Sort(macs)
	if !slices.Equal(macs, []string{cameraMAC, other}) {
		t.Errorf("devices with %v", macs)
	}
	if !noted(a, ip.String(), cameraMAC, other, "both") {
		t.Errorf("coverage does not say so: %q", a.notes(a.wire.Scope()))
	}
}

func TestAHostIsReachedByTheInterfaceOfItsNetwork(t *testing.T) {
	a := onALink(t, "networks: [connected, 10.88.0.0/24]\n")
	addLink(t, "cam0.30", "192.168.30.1/24")
	scope, err := currentScope(a.config())
	if err != nil {
		t.Fatal(err)
	}
	a.wire.SetScope(scope)
	for n, tt := range []struct {
		name, ip    string
		vlan        uint16
		heard, want string
		reach       string
	}{
		{"untagged", "10.66.0.31", 0, "cam0", "cam0", "ip"},
		{"a VLAN that has an interface here, heard on the trunk", "192.168.30.31", 30, "cam0", "cam0.30", "ip"},
		{"heard on that interface", "192.168.30.32", 0, "cam0.30", "cam0.30", "ip"},
		{"another VLAN with the trunk's own prefix", "10.66.0.33", 31, "cam0", "cam0", "layer2"},
		{"another VLAN", "192.168.31.33", 31, "cam0", "cam0", "layer2"},
		{"a routed host", "10.88.0.9", 0, "", "", "ip"},
	} {
		ip := netip.MustParseAddr(tt.ip)
		s := arpOf(ip, net.HardwareAddr{0x44, 0x19, 0xb6, 0, 1, byte(n)}.String())
		s.Interface, s.VLAN = tt.heard, tt.vlan
		a.observe(s)
		for _, d := range a.inventory.Devices() {
			if slices.Contains(d.IPs, tt.ip) && (d.Interface != tt.want || d.Reachability != tt.reach) {
				t.Errorf("%s: %s by %q, want %s by %q", tt.name, d.Reachability, d.Interface, tt.reach, tt.want)
			}
		}
		if asked := a.wire.IsSighted(ip); asked != (tt.reach == "ip") {
			t.Errorf("%s: may be asked: %v", tt.name, asked)
		}
	}
	if n := a.inventory.Len(); n != 6 {
		t.Errorf("%d devices", n)
	}
}

func TestASecondAddressOfItsOwnMakingLeavesACameraWithinReach(t *testing.T) {
	a := onALink(t, "mode: active\n")
	ip := netip.MustParseAddr("10.66.0.31")
	a.observe(arpOf(ip, cameraMAC))
	zeroconf := arpOf(netip.MustParseAddr("169.254.7.9"), cameraMAC) // RFC 3927
	zeroconf.Source, zeroconf.Kind = "listen", ""
	a.observe(zeroconf)
	discover := arpOf(netip.Addr{}, cameraMAC)
	discover.Source, discover.Kind = "dhcp", "dhcp"
	a.observe(discover)
	for _, d := range a.inventory.Devices() {
		if d.Reachability != "ip" || !slices.Contains(d.IPs, ip.String()) {
			t.Errorf("%v is reached by %s", d.IPs, d.Reachability)
		}
	}
	if known := a.knownAddrs(); !slices.Contains(known, ip) {
		t.Errorf("known addresses %v lack %s", known, ip)
	}
	h := a.hosts.take(t.Context()) // what the first sighting queued
	a.hosts.done(h)
	a.offerKnown()
	if a.hosts.pending() != 1 || a.hosts.take(t.Context()).addr != ip {
		t.Error("it is not asked again")
	}
}

func TestCheckConfigSaysWhatSNMPIsAllowed(t *testing.T) {
	credentials := filepath.Join(t.TempDir(), "snmp.yml")
	if err := os.WriteFile(credentials, []byte("community: site\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"mode: active\n": false,
		"discovery: {sources: {snmp: {enabled: true, routers: [{address: 10.66.0.1, version: \"2c\", credentials_file: " + credentials + "}]}}}\n": true,
	} {
		c, err := config.Read("test.yml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		p, err := NewPreview(c)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := p.Print(&b); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "12 datagrams"); got != want {
			t.Errorf("%ssays %v, want %v:\n%s", text, got, want, b.String())
		}
	}
}

func TestANetworkBehindAnExcludedGatewayIsSaid(t *testing.T) {
	a := onALink(t, "networks: [connected, 10.88.0.0/24, 10.89.0.7, 10.90.0.0/24]\nexclude: [10.66.0.9]\n")
	for dst, gateway := range map[string]string{"10.88.0.0/24": "10.66.0.9", "10.89.0.7/32": "10.66.0.9", "10.90.0.0/24": "10.66.0.8"} {
		_, to, err := net.ParseCIDR(dst)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.RouteAdd(&netlink.Route{Dst: to, Gw: net.ParseIP(gateway)}); err != nil {
			t.Fatal(err)
		}
	}
	for network, want := range map[string]bool{"10.88.0.0/24": true, "10.89.0.7/32": true, "10.90.0.0/24": false} {
		if said := noted(a, network, "by way of", "nothing is sent there"); said != want {
			t.Errorf("%s: said %v, want %v: %q", network, said, want, a.notes(a.wire.Scope()))
		}
	}
}
