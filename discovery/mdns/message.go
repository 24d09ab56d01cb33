package mdns

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"camcensus/discovery"
	"camcensus/discovery/facts"
)

// Bounds of one record.
const (
	maxRecord = 32 << 10
	maxTXT    = 96
)

// Service is one instance of a service, the evidence of kind mdns.
type Service struct {
	Instance string   `json:"instance"`
	Service  string   `json:"service"` // "_axis-video._tcp"
	Host     string   `json:"host,omitempty"`
	Port     int      `json:"port,omitempty"`
	TXT      []string `json:"txt"`
}

// Fields reads the facts off one service.
func Fields(kind string, raw []byte) []discovery.Field {
	var s Service
	if len(raw) > maxRecord || json.Unmarshal(raw, &s) != nil {
		return nil
	}
	var l facts.List
	l.Add("instance", s.Instance)
	l.Add("service", s.Service)
	l.Add("host", s.Host)
	l.AddPort("port", strconv.Itoa(s.Port))
	for _, txt := range s.TXT[:min(len(s.TXT), maxTXT)] {
		l.Add("txt", txt)
		key, value, _ := strings.Cut(txt, "=")
		if key = facts.Name(key); key == "" {
			continue
		}
		l.Add("txt."+key, value)
		addMAC(&l, key, value)
	}
	return l.Fields()
}

// arecontPrefix stands for the first three bytes of an Arecont MAC in its TXT
// record ("MAC=AV334455-FW10000...").
const arecontPrefix, arecontOUI = "AV", "001A07"

func addMAC(l *facts.List, key, value string) {
	switch key {
	case "macaddress", "mac_address":
		l.AddMAC("mac", value)
	case "mac":
		if tail, ok := strings.CutPrefix(value, arecontPrefix); ok && len(tail) >= 6 {
			value = arecontOUI + tail[:6]
		}
		l.AddMAC("mac", value)
	}
}

const (
	domain    = "local."
	metaQuery = "_services._dns-sd._udp"
)

// cameraServices are asked for in every cycle: the first group tells a camera,
// the rest are types under which cameras, recorders and what is mistaken for
// them announce themselves.
var cameraServices = []string{
	"_axis-video._tcp", "_axis-nvr._tcp", "_arec._tcp", "_onvif._tcp", "_rtsp._tcp", "_psia._tcp", "_CGI._tcp", "_hap._tcp",
	"_http._tcp", "_https._tcp", "_device-info._tcp", "_workstation._tcp",
}

// questions is one query that asks for every type, and for the types there
// are. From a port other than 5353 it is answered to that port alone (RFC 6762
// section 6.7).
func questions(services []string) []byte {
	m := new(dns.Msg)
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
		list = append(list, discovery.Request{Name: "PTR services", Bytes: questions(cameraServices), To: to})
	}
	return list
}
