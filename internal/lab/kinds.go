package lab

import (
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed kinds/*.yml
var kindFiles embed.FS

// kinds is what devices have in common: answers by kind, and envelopes of WS-Discovery by style.
type kinds struct {
	byName map[string]map[string]any
	styles map[string]string
}

type kindFile struct {
	Kinds  map[string]map[string]any `yaml:"kinds"`
	Styles map[string]string         `yaml:"wsd_styles"`
	Shared map[string]any            `yaml:"shared"` // a place for YAML anchors
}

func loadKinds() (*kinds, error) {
	k := &kinds{byName: map[string]map[string]any{}, styles: map[string]string{}}
	entries, err := kindFiles.ReadDir("kinds")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		b, err := kindFiles.ReadFile("kinds/" + e.Name())
		if err != nil {
			return nil, err
		}
		d := yaml.NewDecoder(strings.NewReader(string(b)))
		d.KnownFields(true)
		var f kindFile
		if err := d.Decode(&f); err != nil {
			return nil, fmt.Errorf("kinds/%s: %w", e.Name(), err)
		}
		for name, kind := range f.Kinds {
			if k.byName[name] != nil {
				return nil, fmt.Errorf("kinds/%s: kind %q is defined twice", e.Name(), name)
			}
			k.byName[name] = kind
		}
		maps.Copy(k.styles, f.Styles)
	}
	return k, nil
}

// devices makes the device that raw describes, or as many as its count says.
func (k *kinds) devices(raw map[string]any) ([]*Device, error) {
	name, _ := raw["kind"].(string)
	merged, err := k.kind(name, 0)
	if err != nil {
		return nil, err
	}
	merged = merge(merged, raw)
	count, many := merged["count"].(int)
	delete(merged, "count")
	delete(merged, "extends")
	if !many {
		d, err := decodeDevice(merged)
		return []*Device{d}, err
	}
	var all []*Device
	for i := 1; i <= count; i++ {
		d, err := decodeDevice(merged)
		if err != nil {
			return nil, err
		}
		d.Name = fmt.Sprintf("%s-%03d", d.Name, i)
		all = append(all, d)
	}
	return all, nil
}

// kind returns the named kind on top of what it extends.
func (k *kinds) kind(name string, depth int) (map[string]any, error) {
	if name == "" {
		return map[string]any{}, nil
	}
	own, ok := k.byName[name]
	if !ok {
		return nil, fmt.Errorf("no kind is named %q", name)
	}
	if depth > 8 {
		return nil, fmt.Errorf("kind %q extends itself", name)
	}
	base, _ := own["extends"].(string)
	under, err := k.kind(base, depth+1)
	if err != nil {
		return nil, err
	}
	return merge(under, own), nil
}

// merge lays over on under: maps are merged key by key, anything else is replaced, and null removes.
func merge(under, over map[string]any) map[string]any {
	out := maps.Clone(under)
	for key, value := range over {
		if value == nil {
			delete(out, key)
			continue
		}
		above, isMap := stringMap(value)
		below, wasMap := stringMap(out[key])
		switch {
		case isMap && wasMap:
			out[key] = merge(below, above)
		case isMap:
			out[key] = merge(map[string]any{}, above)
		default:
			out[key] = value
		}
	}
	return out
}

// stringMap returns a YAML mapping with its keys as text: port numbers are keys too.
func stringMap(v any) (map[string]any, bool) {
	switch m := v.(type) {
	case map[string]any:
		return m, true
	case map[any]any:
		out := make(map[string]any, len(m))
		for key, value := range m {
			out[fmt.Sprint(key)] = value
		}
		return out, true
	}
	return nil, false
}

func decodeDevice(merged map[string]any) (*Device, error) {
	if ports, ok := merged["ports"].(map[string]any); ok {
		numbered := map[any]any{}
		for key, value := range ports {
			var n int
			if _, err := fmt.Sscan(key, &n); err != nil {
				return nil, fmt.Errorf("port %q is no number", key)
			}
			numbered[n] = value
		}
		merged = maps.Clone(merged)
		merged["ports"] = numbered
	}
	text, err := yaml.Marshal(merged)
	if err != nil {
		return nil, err
	}
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true)
	d := &Device{}
	if err := dec.Decode(d); err != nil {
		return nil, err
	}
	return d, nil
}

// settle gives every device its segment, addresses, MAC and texts, and finds contradictions.
func (s *Site) settle() error {
	names, taken, macs := map[string]bool{}, map[netip.Addr]bool{}, map[hardware]string{}
	for _, d := range s.Devices {
		if d.Name == "" || names[d.Name] {
			return fmt.Errorf("device %q: the name is missing or used twice", d.Name)
		}
		names[d.Name] = true
		for _, ip := range d.IPs {
			taken[ip] = true
		}
	}
	next := map[string]netip.Addr{}
	for _, d := range s.Devices {
		if err := s.place(d, taken, next); err != nil {
			return fmt.Errorf("device %q: %w", d.Name, err)
		}
		if err := d.describe(); err != nil {
			return fmt.Errorf("device %q: %w", d.Name, err)
		}
		if other, used := macs[d.MAC]; used {
			return fmt.Errorf("device %q has the MAC %v of %q", d.Name, d.MAC, other)
		}
		macs[d.MAC] = d.Name
		if err := d.check(s); err != nil {
			return fmt.Errorf("device %q: %w", d.Name, err)
		}
	}
	return nil
}

// place finds the device's segment and gives it an address and a MAC.
func (s *Site) place(d *Device, taken map[netip.Addr]bool, next map[string]netip.Addr) error {
	i, err := s.segment(d.Segment)
	if err != nil {
		return err
	}
	d.segment, d.prefix = i, s.Segments[i].Prefix
	if d.Behind != "" {
		router, ok := s.Device(d.Behind)
		if !ok {
			return fmt.Errorf("no router is named %q", d.Behind)
		}
		d.router = router
		for _, r := range s.Routed {
			if r.Router == d.Behind && (len(d.IPs) == 0 || r.Prefix.Contains(d.IPs[0])) {
				d.prefix = r.Prefix
			}
		}
		d.segment = router.segment
	}
	if d.MAC == (hardware{}) {
		if d.MAC, err = madeUpMAC(d.OUI, s.Name+"/"+d.Name); err != nil {
			return err
		}
	}
	if d.IPs == nil {
		ip := next[d.prefix.String()]
		if !ip.IsValid() {
			ip = d.prefix.Masked().Addr()
			for range 10 { // the first addresses are for routers and agents
				ip = ip.Next()
			}
		}
		for taken[ip] {
			ip = ip.Next()
		}
		if !d.prefix.Contains(ip) {
			return errors.New("the network is full")
		}
		d.IPs, taken[ip] = addrList{ip}, true
		next[d.prefix.String()] = ip
	}
	if p6 := s.Segments[d.segment].Prefix6; d.Stateless && p6.IsValid() {
		d.IPv6 = append(d.IPv6, eui64(p6.Masked(), d.MAC))
	}
	if d.LinkLocal || len(d.IPv6) > 0 {
		d.ll = eui64(netip.MustParsePrefix("fe80::/64"), d.MAC)
	}
	return nil
}

// madeUpMAC returns a MAC under the prefix whose rest follows from the name.
func madeUpMAC(oui, name string) (hardware, error) {
	digits := strings.NewReplacer(":", "", "-", "").Replace(oui)
	prefix, err := hex.DecodeString(digits)
	if err != nil || len(prefix) < 3 || len(prefix) > 5 {
		return hardware{}, fmt.Errorf("oui %q: want 6, 8 or 10 hexadecimal digits, or a mac", oui)
	}
	sum := sha256.Sum256([]byte(name))
	var h hardware
	copy(h[copy(h[:], prefix):], sum[:])
	return h, nil
}

func eui64(prefix netip.Prefix, mac hardware) netip.Addr {
	b := prefix.Addr().As16()
	copy(b[8:], mac[:3])
	b[8] ^= 2
	b[11], b[12] = 0xff, 0xfe
	copy(b[13:], mac[3:])
	return netip.AddrFrom16(b)
}

// seed gives a number that follows from a text, so that a site is the same every time it is loaded.
func seed(text string) uint64 {
	sum := sha256.Sum256([]byte(text))
	return binary.BigEndian.Uint64(sum[:])
}

// check finds mistakes that would show only when the device is asked.
func (d *Device) check(s *Site) error {
	var problems []error
	for number, p := range d.Ports {
		if p == nil {
			problems = append(problems, fmt.Errorf("port %d says nothing", number))
			continue
		}
		if p.Web != "" && d.Web[p.Web] == nil {
			problems = append(problems, fmt.Errorf("port %d: no web server is named %q", number, p.Web))
		}
		if p.RTSP && d.RTSP == nil {
			problems = append(problems, fmt.Errorf("port %d: rtsp is not described", number))
		}
		if p.TLS && d.TLS == nil {
			problems = append(problems, fmt.Errorf("port %d: tls has no certificate", number))
		}
	}
	if d.WSD != nil && s.styles[d.WSD.Style] == "" {
		problems = append(problems, fmt.Errorf("wsd: no style is named %q", d.WSD.Style))
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	return s.render(d)
}
