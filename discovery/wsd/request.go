package wsd

import (
	"strings"

	"camcensus/discovery"
)

// Everything wsd can send is here: five Probes. Each stands on one line without
// indentation, since some firmware refuses any other layout.
// WS-Discovery's other messages (Hello, Bye) change what others believe and
// are never sent.

const fixedToken = "a86f9421-b764-4256-8762-5ed0d8602a9c"

const (
	open2005 = `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" ` +
		`xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header>` +
		`<a:Action s:mustUnderstand="1">http://schemas.xmlsoap.org/ws/2005/04/discovery/ACTION</a:Action><a:MessageID>uuid:TOKEN</a:MessageID>` +
		`<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>` +
		`<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header><s:Body>`
	open2009 = `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" ` +
		`xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:d="http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01"><s:Header>` +
		`<a:Action s:mustUnderstand="1">http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01/ACTION</a:Action><a:MessageID>urn:uuid:TOKEN</a:MessageID>` +
		`<a:To s:mustUnderstand="1">urn:docs-oasis-open-org:ws-dd:ns:discovery:2009:01</a:To></s:Header><s:Body>`
	closing = `</s:Body></s:Envelope>`

	// Some cameras resolve prefixes on the Types element only, hence the
	// declarations there. Two types in one element would mean "both".
	typesOpen = `<d:Probe><d:Types xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dp0=`

	// Debian's wsdd knows no other prefix than wsdp.
	computerTypes = `<d:Probe><d:Types xmlns:wsdp="http://schemas.xmlsoap.org/ws/2006/02/devprof">wsdp:Device</d:Types></d:Probe>`
)

// question is one Probe, complete but for the message id.
type question struct {
	name     string
	template string
	// How often it is sent in a cycle over IPv4 and IPv6. All sources share 60
	// group packets per interface, so the question that most devices answer gets the most.
	sends4, sends6 int
	// unicast: it goes to the hosts of routed networks as well.
	unicast bool
}

// questions are the probes of one cycle: untyped with empty children (which
// more devices answer than one without), one for each of the two ONVIF types
// (TP-Link answers the untyped one with a fault), one for what PCs, NAS and
// printers call themselves, and the OASIS dialect.
var questions = []question{
	{"Probe untyped", probe(open2005, `<d:Probe><d:Types/><d:Scopes/></d:Probe>`), 3, 2, true},
	{"Probe NetworkVideoTransmitter", probe(open2005, typesOpen+`"http://www.onvif.org/ver10/network/wsdl">dp0:NetworkVideoTransmitter</d:Types></d:Probe>`), 2, 1, true},
	{"Probe Device", probe(open2005, typesOpen+`"http://www.onvif.org/ver10/device/wsdl">dp0:Device</d:Types></d:Probe>`), 2, 1, false},
	{"Probe wsdp:Device", probe(open2005, computerTypes), 1, 1, false},
	{"Probe 2009", probe(open2009, `<d:Probe/>`), 1, 0, false},
}

func probe(open, body string) string {
	return strings.Replace(open, "ACTION", "Probe", 1) + body + closing
}

// bytes fills in the message id, a bare UUID.
func (q question) bytes(token string) []byte {
	return []byte(strings.Replace(q.template, "TOKEN", token, 1))
}

func requests() []discovery.Request {
	var list []discovery.Request
	for _, q := range questions {
		destinations := []string{"239.255.255.250:3702"}
		if q.sends6 > 0 {
			destinations = append(destinations, "[ff02::c]:3702")
		}
		if q.unicast {
			destinations = append(destinations, "unicast:3702")
		}
		for _, to := range destinations {
			list = append(list, discovery.Request{Name: q.name, Bytes: q.bytes(fixedToken), To: to})
		}
	}
	return list
}
