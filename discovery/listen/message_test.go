package listen

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"camcensus/discovery"
	"camcensus/internal/packet"
)

var (
	mac  = [6]byte{0x02, 0x12, 0x34, 0, 0, 1}
	from = netip.MustParseAddr("10.77.0.9")
	to   = netip.MustParseAddr("239.255.255.250")
)

func datagram(fromPort, toPort uint16, payload string) packet.Frame {
	return packet.Frame{Protocol: packet.UDP, Source: mac, From: from, To: to, FromPort: fromPort, ToPort: toPort, Payload: []byte(payload)}
}

func mdnsAnswer(t testing.TB, ttl string, records ...string) string {
	t.Helper()
	m := dns.Msg{MsgHdr: dns.MsgHdr{Response: true}}
	for _, text := range records {
		rr, err := dns.NewRR(strings.ReplaceAll(text, "TTL", ttl))
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSightingsBearTheKindOfTheirProtocol(t *testing.T) {
	services := []string{
		`_axis-video._tcp.local. TTL IN PTR AXIS\ P3245\ -\ 02408C0A0B0C._axis-video._tcp.local.`,
		`AXIS\ P3245\ -\ 02408C0A0B0C._AXIS-video._tcp.local. TTL IN SRV 0 0 80 axis-02408c0a0b0c.local.`,
		`AXIS\ P3245\ -\ 02408C0A0B0C._axis-video._tcp.local. TTL IN TXT "macaddress=02408C0A0B0C"`,
	}
	dhip := "\x20\x00\x00\x00DHIP" + strings.Repeat("\x00", 24) + `{"method":"client.notifyDevInfo","params":{}}` + "\n\x00"
	tests := []struct {
		name                string
		frame               packet.Frame
		kind, raw           string // raw: a part of it
		announced, departed bool
	}{
		{"Hello", datagram(50000, 3702, `<s:Envelope><s:Body><d:Hello>`), "wsd", "<d:Hello>", true, false},
		{"Bye", datagram(50000, 3702, `<s:Envelope><s:Body><Bye>`), "wsd", "<Bye>", false, true},
		{"ProbeMatches", datagram(3702, 50000, `<s:Envelope><s:Body><d:ProbeMatches><d:ProbeMatch><d:XAddrs>http://10.77.0.9/</d:XAddrs></d:ProbeMatch></d:ProbeMatches>`), "wsd", "ProbeMatches", false, false},
		{"another's Probe", datagram(50000, 3702, `<d:Probe>`), "", "", false, false},
		{"NOTIFY alive", datagram(1900, 1900, "NOTIFY * HTTP/1.1\r\nNTS: ssdp:alive\r\n\r\n"), "ssdp", "NOTIFY", true, false},
		{"NOTIFY byebye", datagram(1900, 1900, "NOTIFY * HTTP/1.1\r\nNTS: ssdp:byebye\r\n\r\n"), "ssdp", "byebye", false, true},
		{"SSDP answer", datagram(1900, 4000, "HTTP/1.1 200 OK\r\nST: x\r\n\r\n"), "ssdp", "200 OK", false, false},
		{"M-SEARCH", datagram(4000, 1900, "M-SEARCH * HTTP/1.1\r\n\r\n"), "", "", false, false},
		{"SADP answer", datagram(37020, 37020, "<?xml version=\"1.0\"?><ProbeMatch><Types>inquiry</Types></ProbeMatch>"), "sadp", "ProbeMatch", false, false},
		{"SADP inquiry", datagram(37020, 37020, "<Probe><Types>inquiry</Types></Probe>"), "", "", false, false},
		{"DHIP answer", datagram(37810, 5000, dhip), "dhip", `{"method":"client.notifyDevInfo"`, false, false},
		{"DHIP without its header", datagram(37810, 5000, "client.notifyDevInfo"), "", "", false, false},
		{"mDNS announcement", datagram(5353, 5353, mdnsAnswer(t, "120", services...)), "mdns", `{"instance":"AXIS P3245 - 02408C0A0B0C","service":"_axis-video._tcp","host":"axis-02408c0a0b0c.local","port":80,"txt":["macaddress=02408C0A0B0C"]}`, true, false},
		{"mDNS goodbye", datagram(5353, 5353, mdnsAnswer(t, "0", services...)), "", "", false, false},
		{"Hanwha answer", datagram(7701, 7711, "\x0b"+strings.Repeat("\x00", 0x90)), "hanwha", "\x0b", false, false},
		{"XMeye answer", datagram(34569, 34569, "\xff"+strings.Repeat("\x00", 13)+"\xfb\x05"+strings.Repeat("\x00", 4)+"{}"), "xmeye", "{}", false, false},
		{"Bosch answer", datagram(1757, 1758, "\x99\x39\xa4\x27"+strings.Repeat("\x00", 28)), "bosch", "\x99", false, false},
		{"Ubiquiti answer", datagram(10001, 40000, "\x01\x00\x00\x03\x0b\x00\x00"), "ubiquiti", "\x01", false, false},
		{"TVT shows its sender", datagram(23456, 23456, "MHED"), "", "", false, false},
		{"gratuitous ARP", packet.Frame{Protocol: packet.ARP, Operation: 1, From: from, To: from, Sender: mac}, "arp", "", true, false},
		{"ARP request", packet.Frame{Protocol: packet.ARP, Operation: 1, From: from, To: netip.MustParseAddr("10.77.0.1"), Sender: mac}, "arp", "", false, false},
		{"neighbour advertisement", packet.Frame{Protocol: packet.Advertisement, Source: mac, From: netip.MustParseAddr("fe80::9"), To: netip.MustParseAddr("ff02::1"), Target: netip.MustParseAddr("fe80::9"), Sender: mac, TTL: 255}, "ndp", "", true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Sightings(&tt.frame, discovery.CaptureInfo{Interface: "eth0", VLAN: 12, Time: time.Unix(1, 0)})
			if len(got) != 1 {
				t.Fatalf("%d sightings: %+v", len(got), got)
			}
			s := got[0]
			if s.Kind != tt.kind || !strings.Contains(string(s.Raw), tt.raw) || s.Announced != tt.announced || s.Departed != tt.departed {
				t.Errorf("kind %q, raw %q, announced %v, departed %v", s.Kind, s.Raw, s.Announced, s.Departed)
			}
			if s.Source != name || s.VLAN != 12 || s.Interface != "eth0" || !bytes.Equal(s.MAC, mac[:]) || s.Solicited {
				t.Errorf("sighting %+v", s)
			}
		})
	}
}

func TestWhatShowsNobodyIsNoSighting(t *testing.T) {
	for name, f := range map[string]packet.Frame{
		"address probe":                  {Protocol: packet.ARP, From: netip.AddrFrom4([4]byte{}), To: from, Sender: mac},
		"ARP from a group MAC":           {Protocol: packet.ARP, From: from, To: to, Sender: [6]byte{1, 2, 3, 4, 5, 6}},
		"ARP from 255.255.255.255":       {Protocol: packet.ARP, From: broadcast, To: from, Sender: mac},
		"UDP from nowhere":               {Protocol: packet.UDP, Source: mac, From: netip.AddrFrom4([4]byte{}), FromPort: 3702},
		"advertisement through a router": {Protocol: packet.Advertisement, Source: mac, From: netip.MustParseAddr("fe80::9"), Target: netip.MustParseAddr("fe80::9"), TTL: 64},
		"duplicate address detection":    {Protocol: packet.Solicitation, Source: mac, From: netip.IPv6Unspecified(), TTL: 255},
		"another protocol":               {Protocol: packet.Other, Source: mac, From: from},
	} {
		if got := Sightings(&f, discovery.CaptureInfo{}); len(got) != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestGateLetsRepeatsThroughOnceInAWhile(t *testing.T) {
	g, at := newGate(), time.Unix(1000, 0)
	s := func(raw string) *word {
		return &word{Sighting: discovery.Sighting{Time: at, IP: from, MAC: net.HardwareAddr(mac[:]), Kind: "wsd", Raw: []byte(raw)}}
	}
	var passed []bool
	for _, step := range []struct {
		raw   string
		after time.Duration
	}{{"a", 0}, {"a", time.Second}, {"b", 0}, {"a", 11 * time.Second}, {"a", -time.Hour}} {
		at = at.Add(step.after)
		passed = append(passed, g.pass(s(step.raw)))
	}
	if want := []bool{true, false, true, true, true}; !slices.Equal(passed, want) {
		t.Errorf("passed %v, want %v", passed, want)
	}
	n := 0
	for i := range 10000 {
		if g.pass(s(strings.Repeat("x", i))) {
			n++
		}
	}
	if n > gatePerMAC {
		t.Errorf("%d of one MAC's words in one period", n)
	}
}

func TestGateBoundsAFloodOfMadeUpMACs(t *testing.T) {
	g, at := newGate(), time.Unix(1000, 0)
	flood := func() (passed int) {
		for i := range 100_000 {
			made := net.HardwareAddr{2, byte(i >> 16), byte(i >> 8), byte(i), byte(at.Unix()), 1}
			if g.pass(&word{Sighting: discovery.Sighting{Time: at, IP: from, MAC: made, Kind: "arp"}}) {
				passed++
			}
		}
		return passed
	}
	honest := &word{Sighting: discovery.Sighting{Time: at, IP: from, MAC: net.HardwareAddr(mac[:]), Kind: "arp"}}
	if !g.pass(honest) {
		t.Fatal("the first word is refused")
	}
	if n := flood(); n > gateNewMACs {
		t.Errorf("%d of a flood passed", n)
	}
	at = at.Add(11 * time.Second)
	if n := flood(); n > gateNewMACs {
		t.Errorf("%d of the second flood passed", n)
	}
	honest.Time = at
	if !g.pass(honest) {
		t.Error("a host known from before is drowned by the flood")
	}
}

func TestWordsOfRoutedHostsCarryNoMAC(t *testing.T) {
	own := discovery.Interface{Name: "eth0", Index: 1, MAC: mac[:], Up: true, Broadcast: true, Multicast: true,
		Prefixes: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24")}}
	scope, err := discovery.NewScope([]discovery.Interface{own}, discovery.ScopeOptions{Networks: []string{"connected", "10.79.0.0/24"}})
	if err != nil {
		t.Fatal(err)
	}
	routed := word{Sighting: discovery.Sighting{IP: netip.MustParseAddr("10.79.0.9"), MAC: mac[:], Interface: "eth0"}}
	if routed.place(scope); routed.MAC != nil || routed.Interface != "" {
		t.Errorf("%+v", routed)
	}
	reflected := word{Sighting: discovery.Sighting{IP: from, MAC: mac[:], Interface: "eth0", Kind: "mdns"}, hosts: []netip.Addr{netip.MustParseAddr("10.77.0.50")}}
	if reflected.place(scope); reflected.IP != netip.MustParseAddr("10.77.0.50") || reflected.MAC != nil {
		t.Errorf("%+v", reflected)
	}
	elsewhere := word{Sighting: discovery.Sighting{IP: from, MAC: mac[:], Interface: "eth0", Kind: "mdns"}, hosts: []netip.Addr{netip.MustParseAddr("172.16.0.50")}}
	if elsewhere.place(scope); elsewhere.IP != from || elsewhere.MAC == nil || elsewhere.Kind != "" {
		t.Errorf("%+v", elsewhere)
	}
}

func FuzzSightings(f *testing.F) {
	for _, port := range ports() {
		f.Add(port, []byte("x"))
	}
	f.Add(uint16(3702), []byte("<Hello>"))
	f.Add(uint16(37810), []byte("\x20\x00\x00\x00DHIP                        {client.notifyDevInfo"))
	f.Add(uint16(5353), []byte(mdnsAnswer(f, "1", `a\.b._x._tcp.local. TTL IN PTR c\255._x._tcp.local.`)))
	f.Fuzz(func(t *testing.T, port uint16, payload []byte) {
		frame := packet.Frame{Protocol: packet.UDP, Source: mac, From: from, To: to, FromPort: port, ToPort: 9, Payload: payload}
		for _, s := range Sightings(&frame, discovery.CaptureInfo{}) {
			if len(s.Raw) > 4*maxRaw+1<<16 {
				t.Errorf("%d bytes kept of %d", len(s.Raw), len(payload))
			}
		}
	})
}
