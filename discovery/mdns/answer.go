package mdns

import (
	"encoding/json"
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"camcensus/discovery"
)

// Bounds of one packet.
const (
	maxServices = 64
	maxText     = 1 << 10
)

// answer is what one mDNS packet says.
type answer struct {
	query    bool // somebody's question: its sender lives, no more
	services []Service
	hosts    map[string][]netip.Addr // addresses by lower-case host name
	types    []string                // types that the segment offers
	goodbye  bool                    // the host itself leaves (RFC 6762 section 10.1)
}

// parse reads one packet. Names are compared without regard to case; records
// of one instance may come in several packets, each then gives what it holds.
func parse(raw []byte) (answer, bool) {
	var m dns.Msg
	if err := m.Unpack(raw); err != nil && len(m.Answer) == 0 {
		return answer{}, false
	}
	if !m.Response {
		return answer{query: true}, true
	}
	a := answer{hosts: map[string][]netip.Addr{}}
	found := map[string]*Service{}
	var order []string
	service := func(name string) *Service {
		key := strings.ToLower(name)
		if s := found[key]; s != nil {
			return s
		}
		s, ok := newService(name)
		if !ok || len(found) >= maxServices {
			return &Service{}
		}
		found[key] = s
		order = append(order, key)
		return s
	}
	for _, rr := range append(append(m.Answer, m.Ns...), m.Extra...) {
		a.take(rr, service)
	}
	for _, key := range order {
		a.services = append(a.services, *found[key])
	}
	return a, true
}

// take notes one record.
func (a *answer) take(rr dns.RR, service func(string) *Service) {
	header := rr.Header()
	if header.Ttl == 0 {
		if header.Rrtype == dns.TypeA || header.Rrtype == dns.TypeAAAA {
			a.goodbye = true
		}
		return
	}
	switch rr := rr.(type) {
	case *dns.PTR:
		if t, ok := serviceType(rr.Ptr); ok {
			a.types = append(a.types, t)
			return
		}
		service(rr.Ptr)
	case *dns.SRV:
		s := service(rr.Hdr.Name)
		s.Host, s.Port = hostName(rr.Target), int(rr.Port)
	case *dns.TXT:
		s := service(rr.Hdr.Name)
		for _, text := range rr.Txt[:min(len(rr.Txt), maxTXT)] {
			if text = clean(text); text != "" {
				s.TXT = append(s.TXT, text)
			}
		}
	case *dns.A:
		a.address(rr.Hdr.Name, rr.A)
	case *dns.AAAA:
		a.address(rr.Hdr.Name, rr.AAAA)
	}
}

func (a *answer) address(name string, ip net.IP) {
	key := strings.ToLower(hostName(name))
	addr, ok := netip.AddrFromSlice(ip)
	if ok && len(a.hosts[key]) < maxServices && (len(a.hosts) < maxServices || a.hosts[key] != nil) {
		a.hosts[key] = append(a.hosts[key], addr.Unmap())
	}
}

// newService takes an instance's full name apart: "AXIS P3245 -
// ACCC8E000001._axis-video._tcp.local.".
func newService(name string) (*Service, bool) {
	labels := dns.SplitDomainName(name)
	if len(labels) < 4 {
		return nil, false
	}
	kind, ok := serviceType(strings.Join(labels[len(labels)-3:], "."))
	if !ok {
		return nil, false
	}
	return &Service{Instance: clean(strings.Join(labels[:len(labels)-3], ".")), Service: kind, TXT: []string{}}, true
}

func hostName(name string) string { return clean(strings.TrimSuffix(name, ".")) }

// clean resolves the escapes of DNS presentation format (RFC 1035 section 5.1)
// and makes text of what results.
func clean(s string) string { return discovery.CleanText(unescape(s), maxText) }

func unescape(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			out = append(out, s[i])
		case i+3 < len(s) && digits(s[i+1:i+4]):
			n := int(s[i+1]-'0')*100 + int(s[i+2]-'0')*10 + int(s[i+3]-'0')
			out = append(out, byte(n))
			i += 3
		default:
			out = append(out, s[i+1])
			i++
		}
	}
	return out
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// record is the evidence: the service as JSON.
func (s Service) record() []byte {
	if s.TXT == nil {
		s.TXT = []string{}
	}
	raw, err := json.Marshal(s)
	if err != nil || len(raw) > maxRecord {
		return nil
	}
	return raw
}
