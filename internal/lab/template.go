package lab

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"
)

// Scene is what a template sees: the device, who asks, and what was asked.
type Scene struct {
	Name, Model, Serial, Firmware, Brand, Hostname, UUID string

	IP, IP6, LinkLocal netip.Addr // IP6 and LinkLocal are the zero address when absent
	Network            netip.Prefix
	Gateway            netip.Addr
	MAC                string // aa:bb:cc:dd:ee:ff
	MACDash            string // aa-bb-cc-dd-ee-ff
	MACPlain           string // AABBCCDDEEFF
	Vars               map[string]string

	Asker netip.AddrPort
	Match map[string]string // named groups of what was asked
	Now   time.Time
	Token string // another one in each answer

	WSD *envelope

	port func(uint16) uint16
}

// Port returns the port at which the service of that well-known number really listens: another one on loopback.
func (s *Scene) Port(n int) int { return int(s.port(uint16(n))) }

// Host returns the device's address, with a port when the service of that number is not there.
func (s *Scene) Host(n int) string {
	if p := s.Port(n); n != 80 && n != 443 || p != n {
		return fmt.Sprintf("%s:%d", bracketed(s.IP), p)
	}
	return bracketed(s.IP)
}

func bracketed(ip netip.Addr) string {
	if ip.Is6() {
		return "[" + ip.String() + "]"
	}
	return ip.String()
}

// Mask returns the network's mask in dotted form.
func (s *Scene) Mask() netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], ^uint32(0)<<(32-s.Network.Bits()))
	return netip.AddrFrom4(b)
}

var templateFuncs = template.FuncMap{
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"query": url.PathEscape,
	"label": dnsLabel,
	"sum":   func(text string, n int) string { return fmt.Sprintf("%016x", seed(text))[:n] },
	"digits": func(n int, text string) string {
		return fmt.Sprintf("%020d", seed(text))[20-n:]
	},
	"letters": letters,
	"uuid": func(text string) string {
		a, b := seed(text), seed(text+"/")
		return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffffffffffff)
	},
	// What follows gives hexadecimal digits, for the _hex fields.
	"text":  func(s string) string { return hex.EncodeToString([]byte(s)) },
	"pad":   padded,
	"zeros": func(n int) string { return strings.Repeat("00", n) },
	"u8":    func(n int) string { return fmt.Sprintf("%02x", uint8(n)) },
	"u16be": func(n int) string { return fmt.Sprintf("%04x", uint16(n)) },
	"u16le": func(n int) string { return hex.EncodeToString(binary.LittleEndian.AppendUint16(nil, uint16(n))) },
	"u32be": func(n int) string { return fmt.Sprintf("%08x", uint32(n)) },
	"u32le": func(n int) string { return hex.EncodeToString(binary.LittleEndian.AppendUint32(nil, uint32(n))) },
	"ip":    func(a netip.Addr) string { return hex.EncodeToString(a.AsSlice()) },
	"ipleHex": func(a netip.Addr) string {
		b := a.As4()
		return fmt.Sprintf("0x%08X", binary.LittleEndian.Uint32(b[:]))
	},
	"atoi":   strconv.Atoi,
	"repeat": func(n int, text string) string { return strings.Repeat(text, n) },
	"zipped": zipped,
}

// zipped gives n spaces compressed by gzip, in hexadecimal: few bytes that become many.
func zipped(n int) (string, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for page := strings.Repeat(" ", 1<<16); n > 0; n -= len(page) {
		if _, err := io.WriteString(z, page[:min(n, len(page))]); err != nil {
			return "", err
		}
	}
	err := z.Close()
	return hex.EncodeToString(b.Bytes()), err
}

// padded gives the text in hexadecimal, cut or filled with zeros to n bytes.
func padded(n int, s string) string {
	b := make([]byte, n)
	copy(b, s)
	return hex.EncodeToString(b)
}

// letters gives n digits and capital letters that follow from a text.
func letters(n int, text string) string {
	const alphabet = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	var b strings.Builder
	for x := seed(text); b.Len() < n; x /= uint64(len(alphabet)) {
		if x == 0 {
			x = seed(b.String() + text)
		}
		b.WriteByte(alphabet[x%uint64(len(alphabet))])
	}
	return b.String()
}

// dnsLabel escapes an instance name for the zone form of a record (RFC 1035 section 5.1).
func dnsLabel(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == '.' || c == '\\' || c == '"' || c == '(' || c == ')' || c == ';' || c == '@' || c == '$':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c <= ' ' || c >= 0x7f:
			fmt.Fprintf(&b, "\\%03d", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

var parsed sync.Map // template text to *template.Template: devices of a kind share theirs

// text renders a template. Text without an action is returned as it is.
func (s *Scene) text(source string) (string, error) {
	if !strings.Contains(source, "{{") {
		return source, nil
	}
	t, ok := parsed.Load(source)
	if !ok {
		made, err := template.New("lab").Option("missingkey=error").Funcs(templateFuncs).Parse(source)
		if err != nil {
			return "", fmt.Errorf("template %.60q: %w", source, err)
		}
		t, _ = parsed.LoadOrStore(source, made)
	}
	var b strings.Builder
	if err := t.(*template.Template).Execute(&b, s); err != nil {
		return "", fmt.Errorf("template %.60q: %w", source, err)
	}
	return b.String(), nil
}

// hex renders a template of hexadecimal digits and white space.
func (s *Scene) hex(source string) ([]byte, error) {
	digits, err := s.text(source)
	if err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
	if err != nil {
		return nil, fmt.Errorf("template %.60q: %w", source, err)
	}
	return b, nil
}

// bytes renders the one of a text and a hexadecimal template that is given.
func (s *Scene) bytes(text, hexadecimal string, crlf bool) ([]byte, error) {
	if hexadecimal != "" {
		return s.hex(hexadecimal)
	}
	out, err := s.text(text)
	if crlf {
		out = strings.ReplaceAll(out, "\n", "\r\n")
	}
	return []byte(out), err
}

func samePort(n uint16) uint16 { return n }

// scene shows the device to a template; port tells where its services really are.
func (d *Device) scene(port func(uint16) uint16) *Scene {
	mac := d.MAC.String()
	s := &Scene{
		Name: d.Name, Model: d.Model, Serial: d.Serial, Firmware: d.Firmware, Brand: d.Brand, Hostname: d.Hostname, UUID: d.UUID,
		LinkLocal: d.ll, Network: d.prefix.Masked(), Gateway: d.prefix.Masked().Addr().Next(),
		MAC: mac, MACDash: strings.ReplaceAll(mac, ":", "-"), MACPlain: strings.ToUpper(strings.ReplaceAll(mac, ":", "")),
		Vars: d.Vars, Match: map[string]string{}, port: port,
	}
	s.IP = d.Addr()
	if len(d.IPv6) > 0 {
		s.IP6 = d.IPv6[0]
	}
	return s
}

// describe renders the device's own texts, each of which may use those before it.
func (d *Device) describe() error {
	for _, field := range []*string{&d.Model, &d.Firmware, &d.Serial, &d.UUID, &d.Hostname, &d.Brand, &d.Truth.Model, &d.Truth.Brand} {
		out, err := d.scene(samePort).text(*field)
		if err != nil {
			return err
		}
		*field = out
	}
	vars := make(map[string]string, len(d.Vars))
	for key, source := range d.Vars {
		out, err := d.scene(samePort).text(source)
		if err != nil {
			return fmt.Errorf("vars.%s: %w", key, err)
		}
		vars[key] = out
	}
	d.Vars = vars
	if d.UUID == "" {
		d.UUID, _ = d.scene(samePort).text(`{{uuid .MAC}}`)
	}
	return nil
}
