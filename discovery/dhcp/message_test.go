package dhcp

import (
	"encoding/binary"
	"encoding/json"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"camcensus/discovery"
	"camcensus/internal/packet"
)

var client = net.HardwareAddr{0x02, 0x40, 0x8c, 0x0a, 0x0b, 0x0c}

// message is a client's message with the given options, on the layout of a
// camera's DISCOVER (busybox udhcp).
func message(options ...byte) []byte {
	b := make([]byte, fixedPart)
	b[0], b[1], b[2] = 1, 1, 6
	binary.BigEndian.PutUint32(b[4:], 0x3903f326)
	copy(b[28:], client)
	return append(append(b, cookie...), options...)
}

func option(code byte, value string) []byte { return append([]byte{code, byte(len(value))}, value...) }

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func TestParseReadsWhoAClientIs(t *testing.T) {
	axis := "AXIS,Network Camera,P3245-LV,11.11.73"
	relayed := message(option(optionType, "\x01")...)
	relayed[3] = 1
	bound := message(option(optionType, "\x08")...)
	copy(bound[12:], []byte{10, 20, 0, 31})
	overloaded := message(join(option(optionOverload, "\x01"), option(optionType, "\x01"))...)
	copy(overloaded[108:], join(option(optionHostname, "in-the-file-field"), []byte{optionEnd}))
	tests := []struct {
		name  string
		bytes []byte
		want  Message
	}{
		{"an Axis camera", message(join(option(53, "\x03"), option(12, "axis-02408c0a0b0c"), option(60, axis), option(55, "\x01\x03\x06\x0f"), option(50, "\x0a\x14\x00\x1f"), []byte{255})...),
			Message{Type: 3, IP: netip.MustParseAddr("10.20.0.31"), Hostname: "axis-02408c0a0b0c", Vendor: axis, Parameters: "1,3,6,15"}},
		{"options without an end", message(join(option(53, "\x01"), option(60, "udhcp 1.24.2"))...), Message{Type: 1, Vendor: "udhcp 1.24.2"}},
		{"padding between", message(join([]byte{0, 0, 0}, option(53, "\x01"), []byte{0, 0}, option(12, "cam"))...), Message{Type: 1, Hostname: "cam"}},
		{"the last option cut off", message(join(option(53, "\x01"), []byte{12, 200, 'c', 'a'})...), Message{Type: 1}},
		{"control characters", message(join(option(53, "\x01"), option(12, "a\x1b[31m\nb\x00"))...), Message{Type: 1, Hostname: "a [31m b"}},
		{"through a relay", relayed, Message{Type: 1, Relayed: true}},
		{"an address it has", bound, Message{Type: 8, IP: netip.MustParseAddr("10.20.0.31")}},
		{"options in the file field", overloaded, Message{Type: 1, Hostname: "in-the-file-field"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.bytes)
			if err != nil {
				t.Fatal(err)
			}
			if got.MAC.String() != client.String() {
				t.Errorf("MAC %s", got.MAC)
			}
			got.MAC = nil
			if got.Type != tt.want.Type || got.IP != tt.want.IP || got.Relayed != tt.want.Relayed || got.Hostname != tt.want.Hostname || got.Vendor != tt.want.Vendor || got.Parameters != tt.want.Parameters {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestParseRefusesWhatNoClientSends(t *testing.T) {
	reply := message(option(53, "\x02")...)
	reply[0] = 2
	noCookie := message(option(53, "\x01")...)
	noCookie[fixedPart] = 0
	for name, b := range map[string][]byte{
		"nothing": nil, "short": message()[:200], "a server's reply": reply, "no cookie": noCookie, "BOOTP without a type": message(option(12, "x")...),
	} {
		if m, err := Parse(b); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestRecordIsReadBack(t *testing.T) {
	raw := Message{Hostname: "axis-1", Vendor: "AXIS,Network Camera", Parameters: "1,3"}.Record()
	var keys map[string]string
	if err := json.Unmarshal(raw, &keys); err != nil || keys["hostname"] != "axis-1" || keys["vendor_class"] != "AXIS,Network Camera" {
		t.Errorf("%s: %v", raw, err)
	}
	want := []discovery.Field{{Name: "hostname", Value: "axis-1"}, {Name: "vendor_class", Value: "AXIS,Network Camera"}, {Name: "parameters", Value: "1,3"}}
	if got := Fields("dhcp", raw); !slices.Equal(got, want) {
		t.Errorf("fields %+v", got)
	}
}

func TestSightingBelievesTheFrameOnly(t *testing.T) {
	own := [6]byte(client)
	payload := func(kind string) []byte {
		return message(join(option(53, kind), option(50, "\x0a\x14\x00\x1f"), option(12, "cam"))...)
	}
	relayed := payload("\x01")
	relayed[3] = 1
	tests := []struct {
		name   string
		source [6]byte
		bytes  []byte
		ok     bool
		ip     string
	}{
		{"DISCOVER has no address", own, payload("\x01"), true, "invalid IP"},
		{"REQUEST names it", own, payload("\x03"), true, "10.20.0.31"},
		{"another's MAC", [6]byte{2, 2, 2, 2, 2, 2}, payload("\x01"), false, ""},
		{"through a relay", own, relayed, false, ""},
		{"DECLINE", own, payload("\x04"), false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, ok := Sighting(&packet.Frame{Protocol: packet.UDP, Source: tt.source, ToPort: ServerPort, Payload: tt.bytes}, discovery.CaptureInfo{Interface: "eth0"})
			if ok != tt.ok {
				t.Fatalf("sighting %+v, %v", s, ok)
			}
			if ok && (s.IP.String() != tt.ip || s.MAC.String() != client.String() || s.Kind != "dhcp" || !strings.Contains(string(s.Raw), `"cam"`)) {
				t.Errorf("sighting %+v", s)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(message(join(option(53, "\x03"), option(12, "axis"), option(60, "AXIS"), []byte{255})...))
	f.Add(message(join(option(53, "\x01"), []byte{12})...)) // a code without a length: gopacket's DHCPv4 panics over such an end
	f.Add(message(join(option(52, "\x03"), option(53, "\x01"))...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		if len(m.Hostname) > maxText || len(m.Vendor) > maxText || len(m.MAC) != 6 {
			t.Errorf("%+v", m)
		}
		Fields("dhcp", m.Record())
	})
}

func FuzzFields(f *testing.F) {
	f.Add([]byte(`{"hostname":"a","vendor_class":"b"}`))
	f.Add([]byte(`{"hostname":1}`))
	f.Fuzz(func(_ *testing.T, b []byte) { Fields("dhcp", b) })
}
