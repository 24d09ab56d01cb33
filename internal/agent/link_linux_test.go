package agent

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
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

// One agent serves all these tests, since reading the rules takes longer than
// they do; each has addresses of its own.
func TestOnALink(t *testing.T) {
	a := onALink(t, "networks: [connected, 10.88.0.0/24, 10.89.0.7, 10.90.0.0/24]\nexclude: [10.66.0.9, \""+excludedMAC+"\"]\n")
	for _, tt := range []struct {
		name string
		test func(*testing.T, *Agent)
	}{
		{"a new interface is asked by IPv6 in its first cycle", askedByIPv6},
		{"a network behind an excluded gateway is said", excludedGateway},
		{"a forged ARP in an excluded name does not hide a camera", forgedARP},
		{"two MACs at one address stay two devices and are said", twoMACs},
		{"a host is reached by the interface of its network", reachedByItsNetwork},
		{"a second address of its own making leaves a camera within reach", secondAddress},
		{"a change of the interfaces is followed before they are read anyway", followsChanges},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, a) })
	}
}

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

func followsChanges(t *testing.T, a *Agent) {
	a.wire.SetListenOnly(true)
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
	pulledCable(t, a)
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// pulledCable: while the agent runs, its network is lost with the link and back
// with it. That this machine answers by an address whose interface is switched
// off shows nobody.
func pulledCable(t *testing.T, a *Agent) {
	p, swept := netip.MustParsePrefix("10.66.0.0/24"), time.Now()
	a.progress.begin(1, swept, 0)
	a.swept(discovery.Coverage{Network: p, Tried: 253, Answered: 19, Finished: swept})
	a.tellNetworks()
	for _, step := range []struct {
		link    string
		set     func(netlink.Link) error
		event   string
		count   uint64
		without string
	}{
		{"cam0p", netlink.LinkSetDown, "network_lost", 1, "no link on cam0"},
		{"cam0p", netlink.LinkSetUp, "network_back", 1, ""},
		{"cam0", netlink.LinkSetDown, "network_lost", 2, "no link on cam0"},
	} {
		link, err := netlink.LinkByName(step.link)
		if err != nil {
			t.Fatal(err)
		}
		if err := step.set(link); err != nil {
			t.Fatal(err)
		}
		for begun := time.Now(); a.inventory.EventCounts()[step.event] < step.count; time.Sleep(20 * time.Millisecond) {
			if time.Since(begun) > interfaceCheck-5*time.Second {
				t.Fatalf("no event %s", step.event)
			}
		}
		if step.without != "" {
			a.swept(discovery.Coverage{Network: p, Tried: 3, Answered: 1, Finished: time.Now()})
		}
		for _, n := range a.networks(a.wire.Scope(), time.Now()) {
			if n.Network == p.String() && (n.Reason != step.without || n.Up != (step.without == "") || n.Answered != 19 || !n.LastSweep.Equal(swept)) {
				t.Errorf("after %s: %+v", step.event, n)
			}
		}
	}
}

func askedByIPv6(t *testing.T, a *Agent) {
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if i, err := net.InterfaceByName("cam0"); err == nil && i.Flags&net.FlagRunning != 0 {
			break
		} else if time.Now().After(end) {
			t.Fatal("cam0 has no link")
		}
	}
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
func probeMatch(t *testing.T, ip netip.Addr, endpoint, mac string) discovery.Sighting {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "discovery", "wsd", "testdata", "hikvision_probematch.xml"))
	if err != nil {
		t.Fatal(err)
	}
	raw = regexp.MustCompile(`uuid:[^<]*`).ReplaceAll(raw, []byte("uuid:"+endpoint))
	raw = bytes.ReplaceAll(raw, []byte("58:50:ed:0a:0b:0c"), []byte(mac))
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

// devicesWith are the devices of an address or a MAC.
func devicesWith(a *Agent, address string) []inventory.Device {
	var out []inventory.Device
	for _, d := range a.inventory.Devices() {
		if slices.Contains(d.IPs, address) || slices.Contains(d.MACs, address) {
			out = append(out, d)
		}
	}
	return out
}

func forgedARP(t *testing.T, a *Agent) {
	// Forged before the one camera was seen, and after the other was.
	first, second, silent := netip.MustParseAddr("10.66.0.31"), netip.MustParseAddr("10.66.0.32"), netip.MustParseAddr("10.66.0.33")
	secondMAC, lan := "44:19:b6:01:02:04", netip.MustParsePrefix("10.66.0.0/24")
	before := a.excludedIn(lan)
	for _, s := range []discovery.Sighting{
		arpOf(first, excludedMAC), arpOf(first, cameraMAC), probeMatch(t, first, "1", cameraMAC),
		arpOf(second, secondMAC), arpOf(second, excludedMAC), probeMatch(t, second, "2", secondMAC),
		arpOf(silent, "44:19:b6:01:02:05"),
	} {
		a.observe(s)
	}
	for ip, mac := range map[netip.Addr]string{first: cameraMAC, second: secondMAC} {
		all := devicesWith(a, ip.String())
		if len(all) != 1 || !slices.Equal(all[0].MACs, []string{mac}) || !slices.Contains(all[0].Sources, "wsd") {
			t.Errorf("listed at %s: %+v, want the camera alone, with all that was heard of it", ip, all)
		}
		if _, no := a.wire.Scope().Excluded(ip); !no {
			t.Errorf("%s may be asked, although an excluded MAC claims it", ip)
		}
		if !noted(a, ip.String(), mac, excludedMAC, "nothing is asked there") {
			t.Errorf("coverage does not say so: %q", a.notes(a.wire.Scope()))
		}
	}
	if got := a.excludedIn(lan) - before; got != 2 {
		t.Errorf("%d more addresses are excluded, want 2", got)
	}
	for n := range a.config().Inventory.MissingAfter + 1 {
		a.coverage.begin()
		a.coverage.add(discovery.Coverage{Network: netip.MustParsePrefix("10.66.0.0/24"), Tried: 253, Answered: 1})
		end := a.cycleEnd(n+1, a.now())
		if n == 0 { // its cable was out a moment ago
			a.relinks.note(nil, a.wire.Scope().Interfaces, a.now())
			if e := a.cycleEnd(1, a.now().Add(-time.Minute)); len(e.Covered) != 0 || len(end.Covered) != 1 {
				t.Errorf("covered %v, and %v in a cycle in which the link changed", end.Covered, e.Covered)
			}
		}
		a.inventory.EndCycle(end)
	}
	for ip, want := range map[netip.Addr]inventory.State{first: inventory.Present, second: inventory.Present, silent: inventory.Missing} {
		for _, d := range devicesWith(a, ip.String()) {
			if d.State != want {
				t.Errorf("%s is %s after cycles without a word, want %s", ip, d.State, want)
			}
		}
	}
}

func twoMACs(t *testing.T, a *Agent) {
	ip, one, other := netip.MustParseAddr("10.66.0.41"), "44:19:b6:01:04:01", "ac:cc:8e:01:04:02"
	for range 2 {
		a.observe(arpOf(ip, one))
		a.observe(arpOf(ip, other))
	}
	for _, mac := range []string{one, other} {
		if all := devicesWith(a, mac); len(all) != 1 || len(all[0].MACs) != 1 {
			t.Errorf("devices with %s: %+v", mac, all)
		}
	}
	if !noted(a, ip.String(), one, other, "both") {
		t.Errorf("coverage does not say so: %q", a.notes(a.wire.Scope()))
	}
}

func reachedByItsNetwork(t *testing.T, a *Agent) {
	addLink(t, "cam0.30", "192.168.30.1/24")
	scope, err := currentScope(a.config())
	if err != nil {
		t.Fatal(err)
	}
	a.wire.SetScope(scope)
	before := a.inventory.Len()
	for n, tt := range []struct {
		name, ip    string
		vlan        uint16
		heard, want string
		reach       string
	}{
		{"untagged", "10.66.0.51", 0, "cam0", "cam0", "ip"},
		{"a VLAN that has an interface here, heard on the trunk", "192.168.30.31", 30, "cam0", "cam0.30", "ip"},
		{"heard on that interface", "192.168.30.32", 0, "cam0.30", "cam0.30", "ip"},
		{"another VLAN with the trunk's own prefix", "10.66.0.53", 31, "cam0", "cam0", "layer2"},
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
	if n := a.inventory.Len() - before; n != 6 {
		t.Errorf("%d devices of six", n)
	}
}

func secondAddress(t *testing.T, a *Agent) {
	ip, mac := netip.MustParseAddr("10.66.0.61"), "44:19:b6:01:06:01"
	a.observe(arpOf(ip, mac))
	zeroconf := arpOf(netip.MustParseAddr("169.254.7.9"), mac) // RFC 3927
	zeroconf.Source, zeroconf.Kind = "listen", ""
	a.observe(zeroconf)
	discover := arpOf(netip.Addr{}, mac)
	discover.Source, discover.Kind = "dhcp", "dhcp"
	a.observe(discover)
	if all := devicesWith(a, ip.String()); len(all) != 1 || all[0].Reachability != "ip" {
		t.Errorf("%+v: want one device, reached by ip", all)
	}
	if known := a.knownAddrs(); !slices.Contains(known, ip) {
		t.Errorf("known addresses %v lack %s", known, ip)
	}
	for a.hosts.pending() > 0 { // what the sightings queued
		a.hosts.done(a.hosts.take(t.Context()))
	}
	a.offerKnown()
	asked := false
	for a.hosts.pending() > 0 {
		h := a.hosts.take(t.Context())
		asked = asked || h.addr == ip
		a.hosts.done(h)
	}
	if !asked {
		t.Error("it is not asked again")
	}
}

func TestCheckConfigSaysWhatSNMPIsAllowed(t *testing.T) {
	credentials := filepath.Join(t.TempDir(), "snmp.yml")
	if err := os.WriteFile(credentials, []byte("community: site\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Read("test.yml", strings.NewReader("discovery: {sources: {snmp: {enabled: true, routers: "+
		"[{address: 10.66.0.1, version: \"2c\", credentials_file: "+credentials+"}]}}}\n"))
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
	if !strings.Contains(b.String(), "not the 12 datagrams") {
		t.Errorf("not said:\n%s", b.String())
	}
}

func excludedGateway(t *testing.T, a *Agent) {
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
