package ssdp

import (
	"strings"

	"camcensus/discovery"
	"camcensus/discovery/facts"
)

// maxBlock bounds one datagram's header block.
const maxBlock = 8 << 10

const maxHeaders = 64

// Everything ssdp can send is here: two searches. There is no SUBSCRIBE and no
// SOAP action in this program, and ssdp:all, which draws an answer for every
// service of every host, is not asked.
const (
	searchRoot = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\nST: upnp:rootdevice\r\n\r\n"
	searchAxis = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\nST: urn:axis-com:service:BasicService:1\r\n\r\n"
)

func requests() []discovery.Request {
	return []discovery.Request{
		{Name: "M-SEARCH rootdevice", Bytes: []byte(searchRoot), To: "239.255.255.250:1900"},
		{Name: "M-SEARCH BasicService", Bytes: []byte(searchAxis), To: "239.255.255.250:1900"},
	}
}

type header struct{ name, value string }

// message is one datagram: its first line and its headers in order.
type message struct {
	start   string
	headers []header
}

// parse reads a header block with any line ends. Lines without a header name,
// as some tools print them, are told by their value.
func parse(raw []byte) message {
	text := facts.Document(raw, maxBlock)
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	text, _, _ = strings.Cut(text, "\n\n")
	lines := strings.Split(text, "\n")
	m := message{start: strings.TrimSpace(lines[0])}
	rest := lines[1:]
	if name, _, ok := strings.Cut(m.start, ":"); ok && facts.Name(name) != "" {
		rest = lines // recorded without its first line
	}
	for _, line := range rest {
		if len(m.headers) >= maxHeaders {
			break
		}
		if n := len(m.headers); n > 0 && line != "" && (line[0] == ' ' || line[0] == '\t') && !strings.Contains(line, ":") {
			m.headers[n-1].value += " " + strings.TrimSpace(line) // folded
			continue
		}
		if h, ok := readHeader(strings.TrimSpace(line)); ok {
			m.headers = append(m.headers, h)
		}
	}
	return m
}

func readHeader(line string) (header, bool) {
	if h, ok := namelessHeader(line); ok {
		return h, true
	}
	name, value, ok := strings.Cut(line, ":")
	h := header{facts.Name(name), strings.TrimSpace(value)}
	return h, ok && h.name != ""
}

func namelessHeader(line string) (header, bool) {
	lower := strings.ToLower(line)
	switch {
	case strings.HasPrefix(lower, "http://"), strings.HasPrefix(lower, "https://"):
		return header{"location", line}, true
	case strings.HasPrefix(lower, "uuid:"):
		return header{"usn", line}, true
	case strings.HasPrefix(lower, "upnp:"), strings.HasPrefix(lower, "urn:"):
		return header{"st", line}, true
	case strings.Contains(lower, "upnp/1") && !strings.Contains(line, ":"):
		return header{"server", line}, true
	}
	return header{}, false
}

func (m message) get(name string) string {
	for _, h := range m.headers {
		if h.name == name {
			return h.value
		}
	}
	return ""
}

// isSearch reports somebody's question, which tells that its sender lives.
func (m message) isSearch() bool { return strings.HasPrefix(strings.ToUpper(m.start), "M-SEARCH ") }

func (m message) isNotify() bool { return strings.HasPrefix(strings.ToUpper(m.start), "NOTIFY ") }

func (m message) isAnswer() bool { return strings.HasPrefix(strings.ToUpper(m.start), "HTTP/1.") }

func (m message) isGoodbye() bool {
	return m.isNotify() && strings.EqualFold(m.get("nts"), "ssdp:byebye")
}

// Fields reads the facts off one answer or announcement.
func Fields(kind string, raw []byte) []discovery.Field {
	m := parse(raw)
	if m.isSearch() {
		return nil
	}
	var l facts.List
	l.Add("startline", m.start)
	for _, h := range m.headers {
		switch h.name {
		case "st", "nt", "nts", "usn", "server", "location":
			l.Add(h.name, h.value)
		default:
			l.Add("header."+h.name, h.value)
		}
	}
	if mac, ok := endpointMAC(m.get("usn")); ok {
		l.Add("mac", mac)
	}
	return l.Fields()
}

// axisPrefix stands before the MAC in the USN of Axis devices. Others use the
// prefix with something longer after it.
const axisPrefix = "uuid:upnp-basicdevice-1_0-"

func endpointMAC(usn string) (string, bool) {
	device, _, _ := strings.Cut(strings.ToLower(usn), "::")
	if tail, ok := strings.CutPrefix(device, axisPrefix); ok {
		return facts.MAC(tail)
	}
	return facts.UUIDMAC(device)
}
