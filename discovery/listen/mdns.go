package listen

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"camcensus/discovery"
)

// Bounds of one mDNS packet.
const (
	maxInstances = 64
	maxTexts     = 64
	maxName      = 255
)

// service is the mdns record of DESIGN section 9.
type service struct {
	Instance string   `json:"instance"`
	Service  string   `json:"service"`
	Host     string   `json:"host"`
	Port     int      `json:"port"`
	Text     []string `json:"txt"`
}

// readMDNS makes one record of every service instance in a response (RFC 6762,
// RFC 6763). A question shows its sender only.
func readMDNS(b []byte) []heard {
	var m dns.Msg
	if err := m.Unpack(b); err != nil && len(m.Answer) == 0 || !m.Response {
		return nil
	}
	found := map[string]*service{}
	gone := false
	for _, rr := range slices.Concat(m.Answer, m.Extra) {
		gone = gone || rr.Header().Ttl == 0
		take(found, rr)
	}
	var out []heard
	for _, key := range sortedKeys(found) {
		raw, err := json.Marshal(found[key])
		if err == nil {
			out = append(out, heard{kind: "mdns", raw: raw, announced: !gone})
		}
	}
	return out
}

func sortedKeys(m map[string]*service) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// take enters what one record says of an instance. Names are compared without
// regard to case.
func take(found map[string]*service, rr dns.RR) {
	if rr.Header().Ttl == 0 {
		return // a goodbye, RFC 6762 section 10.1
	}
	switch rr := rr.(type) {
	case *dns.PTR:
		if !strings.HasPrefix(strings.ToLower(rr.Hdr.Name), "_services._dns-sd.") {
			at(found, rr.Ptr)
		}
	case *dns.SRV:
		if s := at(found, rr.Hdr.Name); s != nil {
			s.Host, s.Port = text(strings.TrimSuffix(rr.Target, ".")), int(rr.Port)
		}
	case *dns.TXT:
		if s := at(found, rr.Hdr.Name); s != nil && len(s.Text) == 0 {
			for _, t := range rr.Txt[:min(len(rr.Txt), maxTexts)] {
				if t = text(t); t != "" {
					s.Text = append(s.Text, t)
				}
			}
		}
	}
}

// at returns the instance of that name; nil when the name is no instance's.
func at(found map[string]*service, name string) *service {
	key := strings.ToLower(name)
	if s := found[key]; s != nil {
		return s
	}
	labels := dns.SplitDomainName(name)
	first := slices.IndexFunc(labels, func(l string) bool { return strings.HasPrefix(l, "_") })
	if first < 1 || first+1 >= len(labels) || len(found) >= maxInstances {
		return nil
	}
	s := &service{
		Instance: text(strings.Join(labels[:first], ".")),
		Service:  text(strings.ToLower(labels[first] + "." + labels[first+1])),
		Text:     []string{},
	}
	found[key] = s
	return s
}

// text undoes the escaping of the DNS library and cleans what is left.
func text(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+3 < len(s) && digits(s[i+1:i+4]):
			c = byte(int(s[i+1]-'0')*100 + int(s[i+2]-'0')*10 + int(s[i+3]-'0'))
			i += 3
		case c == '\\' && i+1 < len(s):
			i++
			c = s[i]
		}
		b = append(b, c)
	}
	return discovery.CleanText(b, maxName)
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
