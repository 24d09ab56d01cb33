package mdns

import (
	"slices"
	"strings"

	"github.com/miekg/dns"

	"camcensus/discovery"
)

const (
	domain    = "local."
	metaQuery = "_services._dns-sd._udp" // RFC 6763 section 9
)

// cameraServices are asked for in every cycle: the first ones tell a camera,
// the rest are types under which cameras, recorders and what is mistaken for
// them announce themselves.
var cameraServices = []string{
	"_axis-video._tcp", "_axis-nvr._tcp", "_arec._tcp", "_onvif._tcp", "_rtsp._tcp", "_psia._tcp", "_CGI._tcp", "_hap._tcp",
	"_http._tcp", "_https._tcp", "_device-info._tcp", "_workstation._tcp",
}

// maxFound bounds the types that the segment itself named and that are asked
// for besides, and the questions of one packet.
const maxFound = 24

// questions is one query that asks for every type, and for the types there
// are. From a port other than 5353 it is answered to that port alone (RFC 6762
// section 6.7).
func questions(services []string) []byte {
	m := new(dns.Msg)
	m.Compress = true
	for _, service := range append([]string{metaQuery}, services...) {
		m.Question = append(m.Question, dns.Question{Name: service + "." + domain, Qtype: dns.TypePTR, Qclass: dns.ClassINET})
	}
	packet, err := m.Pack()
	if err != nil {
		return nil
	}
	return packet
}

func requests() []discovery.Request {
	var list []discovery.Request
	for _, to := range []string{"224.0.0.251:5353", "[ff02::fb]:5353"} {
		list = append(list, discovery.Request{Name: "PTR of service types", Bytes: questions(cameraServices), To: to})
	}
	return list
}

// serviceType reads "_http._tcp.local" and the like; ok is false for anything
// that is no plain type under local.
func serviceType(name string) (string, bool) {
	labels := dns.SplitDomainName(strings.TrimSuffix(name, "."))
	if len(labels) == 3 && strings.EqualFold(labels[2], "local") {
		labels = labels[:2]
	}
	if len(labels) != 2 || len(labels[0]) < 2 || len(labels[0]) > 24 || labels[0][0] != '_' {
		return "", false
	}
	if transport := strings.ToLower(labels[1]); transport != "_tcp" && transport != "_udp" {
		return "", false
	}
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	}
	if strings.TrimFunc(labels[0], plain) != "" {
		return "", false
	}
	return labels[0] + "." + labels[1], true
}

// isFixed reports a type that is asked for anyway.
func isFixed(service string) bool {
	return slices.ContainsFunc(cameraServices, func(s string) bool { return strings.EqualFold(s, service) })
}
