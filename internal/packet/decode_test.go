package packet

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

var (
	macA = net.HardwareAddr{0x02, 0, 0, 0, 0, 0x0a}
	macB = net.HardwareAddr{0x02, 0, 0, 0, 0, 0x0b}
	ip4A = netip.MustParseAddr("10.9.8.7")
	ip4B = netip.MustParseAddr("10.9.8.6")
	ip6A = netip.MustParseAddr("fe80::a")
	ip6B = netip.MustParseAddr("fe80::b")
)

func frame(t testing.TB, l ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, l...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Bytes())
}

func udpFrame(t testing.TB, from, to uint16, payload string) []byte {
	return frame(t,
		&layers.Ethernet{SrcMAC: macA, DstMAC: macB, EthernetType: layers.EthernetTypeIPv4},
		&layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: ip4A.AsSlice(), DstIP: ip4B.AsSlice()},
		&layers.UDP{SrcPort: layers.UDPPort(from), DstPort: layers.UDPPort(to)},
		gopacket.Payload(payload))
}

func udp6Frame(t testing.TB, from, to uint16, payload string) []byte {
	return frame(t,
		&layers.Ethernet{SrcMAC: macA, DstMAC: macB, EthernetType: layers.EthernetTypeIPv6},
		&layers.IPv6{Version: 6, HopLimit: 255, NextHeader: layers.IPProtocolUDP, SrcIP: ip6A.AsSlice(), DstIP: ip6B.AsSlice()},
		&layers.UDP{SrcPort: layers.UDPPort(from), DstPort: layers.UDPPort(to)},
		gopacket.Payload(payload))
}

// tagged puts 802.1Q tags behind the addresses of a frame.
func tagged(f []byte, ids ...uint16) []byte {
	out := bytes.Clone(f[:12])
	for _, id := range ids {
		out = append(out, 0x81, 0x00, byte(0xa0|id>>8), byte(id)) // priority 5
	}
	return append(out, f[12:]...)
}

func arpFrame(t testing.TB) []byte {
	b, err := NewBuilder().ARPRequest(macA, ip4A, ip4B)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b)
}

func solicitation(t testing.TB) []byte {
	b, err := NewBuilder().Solicit(macA, ip6A, ip6B)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b)
}

func TestDecodeReadsWhoAndWhat(t *testing.T) {
	mac := [6]byte(macA)
	tests := []struct {
		name  string
		bytes []byte
		want  Frame
	}{
		{"ARP request", arpFrame(t), Frame{Protocol: ARP, From: ip4A, To: ip4B, Operation: 1, Sender: mac}},
		{"tagged ARP", tagged(arpFrame(t), 300), Frame{Protocol: ARP, VLAN: 300, From: ip4A, To: ip4B, Operation: 1, Sender: mac}},
		{"UDP", udpFrame(t, 3702, 40000, "hello"), Frame{Protocol: UDP, From: ip4A, To: ip4B, FromPort: 3702, ToPort: 40000, TTL: 64, Payload: []byte("hello")}},
		{"UDP behind two tags", tagged(udpFrame(t, 3702, 1, "x"), 7, 42), Frame{Protocol: UDP, VLAN: 42, From: ip4A, To: ip4B, FromPort: 3702, ToPort: 1, TTL: 64, Payload: []byte("x")}},
		{"UDP over IPv6", udp6Frame(t, 5353, 5353, "q"), Frame{Protocol: UDP, From: ip6A, To: ip6B, FromPort: 5353, ToPort: 5353, TTL: 255, Payload: []byte("q")}},
		{"neighbour solicitation", solicitation(t), Frame{Protocol: Solicitation, From: ip6A, To: netip.MustParseAddr("ff02::1:ff00:b"), TTL: 255, Sender: mac, Target: ip6B}},
	}
	d := NewDecoder()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Frame
			if err := d.Decode(tt.bytes, &got); err != nil {
				t.Fatal(err)
			}
			if got.Source != mac {
				t.Errorf("source %x", got.Source)
			}
			if !bytes.Equal(got.Payload, tt.want.Payload) {
				t.Errorf("payload %q, want %q", got.Payload, tt.want.Payload)
			}
			got.Source, got.Dest, got.Payload, tt.want.Payload = [6]byte{}, [6]byte{}, nil, nil
			if !same(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func same(a, b Frame) bool {
	return a.Protocol == b.Protocol && a.VLAN == b.VLAN && a.From == b.From && a.To == b.To && a.FromPort == b.FromPort &&
		a.ToPort == b.ToPort && a.TTL == b.TTL && a.Sender == b.Sender && a.Operation == b.Operation && a.Target == b.Target
}

// hostile are the shapes that made gopacket 1.1.19 panic: ARP whose lengths
// promise more than there is, or nothing.
func hostile(t testing.TB) map[string][]byte {
	arp := arpFrame(t)
	withSizes := func(hardware, protocol byte, n int) []byte {
		f := bytes.Clone(arp[:n])
		f[18], f[19] = hardware, protocol
		return f
	}
	return map[string][]byte{
		"empty":                        {},
		"half an Ethernet header":      arp[:9],
		"ARP sizes 255 in 42 bytes":    withSizes(255, 255, 42),
		"ARP sizes 0":                  withSizes(0, 0, 42),
		"ARP hardware size 16":         withSizes(16, 4, 42),
		"ARP cut in the sender":        arp[:24],
		"ARP cut in the target":        arp[:40],
		"tags without an end":          tagged(arp[:14], 1, 2, 3, 4, 5, 6),
		"IPv4 header length 15 words":  append(bytes.Clone(udpFrame(t, 1, 2, "")[:14]), 0x4f, 0, 0, 28, 0, 0, 0, 0, 64, 17),
		"UDP length beyond the packet": func() []byte { f := udpFrame(t, 1, 2, "abc"); f[38], f[39] = 0xff, 0xff; return f }(),
	}
}

func TestDecodeSurvivesHostileFrames(t *testing.T) {
	d := NewDecoder()
	for name, b := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			var f Frame
			if err := d.Decode(b, &f); err == nil && f.Protocol == ARP {
				t.Errorf("decoded as ARP: %+v", f)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range hostile(f) {
		f.Add(b)
	}
	for _, b := range [][]byte{arpFrame(f), udpFrame(f, 5353, 5353, "x"), udp6Frame(f, 3702, 9, "y"), solicitation(f), tagged(udpFrame(f, 1, 2, "z"), 9)} {
		f.Add(b)
	}
	d := NewDecoder()
	f.Fuzz(func(t *testing.T, b []byte) {
		var got Frame
		if err := d.Decode(b, &got); err != nil {
			return
		}
		if len(got.Payload) > len(b) {
			t.Errorf("payload of %d bytes out of %d", len(got.Payload), len(b))
		}
		if got.Protocol == ARP && (!got.From.Is4() || !got.To.Is4()) {
			t.Errorf("ARP without addresses: %+v", got)
		}
	})
}

func TestDecodeAllocatesNothing(t *testing.T) {
	d := NewDecoder()
	var f Frame
	for name, b := range map[string][]byte{"arp": arpFrame(t), "udp": udpFrame(t, 5353, 5353, "payload"), "udp6": udp6Frame(t, 1, 2, "p")} {
		if n := testing.AllocsPerRun(100, func() { _ = d.Decode(b, &f) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// The goal of DESIGN section 11: 1,000,000 frames a second per core, headers
// to UDP payload, beside gopacket's NewPacket.
func BenchmarkDecode(b *testing.B) {
	packet := udpFrame(b, 5353, 5353, string(make([]byte, 220)))
	b.Run("Decoder", func(b *testing.B) {
		d := NewDecoder()
		var f Frame
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Decode(packet, &f); err != nil || len(f.Payload) != 220 {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
	})
	b.Run("NewPacket", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p := gopacket.NewPacket(packet, layers.LayerTypeEthernet, gopacket.Default)
			if p.Layer(layers.LayerTypeUDP) == nil {
				b.Fatal("no UDP")
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
	})
}
