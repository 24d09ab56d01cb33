package dhcp

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"camcensus/discovery"
)

// The options of RFC 2132 that tell who a client is.
const (
	optionPad        = 0
	optionHostname   = 12
	optionRequested  = 50
	optionOverload   = 52
	optionType       = 53
	optionParameters = 55
	optionVendor     = 60
	optionEnd        = 255
)

// The message types that a client sends (RFC 2132 section 9.6).
const (
	typeDiscover = 1
	typeRequest  = 3
	typeDecline  = 4
	typeRelease  = 7
	typeInform   = 8
)

const (
	fixedPart  = 236 // up to the magic cookie, RFC 2131 section 2
	maxText    = 255
	maxOptions = 128
)

var cookie = []byte{99, 130, 83, 99}

var errMessage = errors.New("dhcp: not a client's message")

// Message is what a client's DHCP message says of it.
type Message struct {
	Type       byte
	MAC        net.HardwareAddr // chaddr
	IP         netip.Addr       // its own or the one it asks for; invalid when neither
	Relayed    bool             // came through a relay agent: the frame's MAC is the relay's
	Hostname   string
	Vendor     string // vendor class identifier
	Parameters string // parameter request list: "1,3,6,15"
}

// record is the evidence record of DESIGN section 9.
type record struct {
	Hostname   string `json:"hostname"`
	Vendor     string `json:"vendor_class"`
	Parameters string `json:"parameters,omitempty"`
}

// Record returns the message as an evidence record's raw bytes.
func (m Message) Record() []byte {
	b, err := json.Marshal(record{Hostname: m.Hostname, Vendor: m.Vendor, Parameters: m.Parameters})
	if err != nil {
		return nil // three strings always marshal
	}
	return b
}

// Parse reads the UDP payload of a message from a client to a server (RFC
// 2131). It is lenient about the end of the options, which some cameras
// leave out.
func Parse(b []byte) (Message, error) {
	if len(b) < fixedPart+4 || b[0] != 1 || b[1] != 1 || b[2] != 6 || !bytes.Equal(b[fixedPart:fixedPart+4], cookie) {
		return Message{}, errMessage
	}
	m := Message{
		MAC:     net.HardwareAddr(bytes.Clone(b[28:34])),
		Relayed: b[3] > 0 || binary.BigEndian.Uint32(b[24:28]) != 0,
	}
	if own := netip.AddrFrom4([4]byte(b[12:16])); !own.IsUnspecified() {
		m.IP = own
	}
	overload := m.options(b[fixedPart+4:])
	if overload&1 != 0 { // the file field holds options too
		m.options(b[108:236])
	}
	if overload&2 != 0 { // and the sname field
		m.options(b[44:108])
	}
	if m.Type == 0 {
		return Message{}, errMessage
	}
	return m, nil
}

// options reads one options field and returns the overload option's value.
func (m *Message) options(b []byte) (overload byte) {
	for range maxOptions {
		if len(b) == 0 || b[0] == optionEnd {
			break
		}
		if b[0] == optionPad {
			b = bytes.TrimLeft(b, "\x00")
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			break
		}
		code, value := b[0], b[2:2+int(b[1])]
		b = b[2+len(value):]
		switch {
		case code == optionOverload && len(value) == 1:
			overload = value[0]
		case code == optionType && len(value) == 1:
			m.Type = value[0]
		case code == optionHostname && m.Hostname == "":
			m.Hostname = discovery.CleanText(value, maxText)
		case code == optionVendor && m.Vendor == "":
			m.Vendor = discovery.CleanText(value, maxText)
		case code == optionParameters && m.Parameters == "":
			m.Parameters = numbers(value)
		case code == optionRequested && len(value) == 4 && !m.IP.IsValid():
			m.IP = netip.AddrFrom4([4]byte(value))
		}
	}
	return overload
}

func numbers(b []byte) string {
	var out strings.Builder
	for i, n := range b {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(strconv.Itoa(int(n)))
	}
	return out.String()
}

// Fields reads hostname, vendor class and parameter list off a record.
func Fields(_ string, raw []byte) []discovery.Field {
	if len(raw) > 16<<10 {
		return nil
	}
	var r record
	if json.Unmarshal(raw, &r) != nil {
		var mixed map[string]any // a number for a name must not cost the others
		if json.Unmarshal(raw, &mixed) != nil {
			return nil
		}
		r.Hostname, _ = mixed["hostname"].(string)
		r.Vendor, _ = mixed["vendor_class"].(string)
	}
	var out []discovery.Field
	for _, f := range []discovery.Field{
		{Name: "hostname", Value: r.Hostname}, {Name: "vendor_class", Value: r.Vendor}, {Name: "parameters", Value: r.Parameters},
	} {
		if f.Value = discovery.CleanText([]byte(f.Value), maxText*4); f.Value != "" {
			out = append(out, f)
		}
	}
	return out
}
