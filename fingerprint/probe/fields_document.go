package probe

import (
	"bytes"
	"strings"
)

// isapiPaths are the addresses of Hikvision's programming interface, of the
// one that it grew from (PSIA), of its older plug-in's and of Prama's.
var isapiPaths = [...]string{"/isapi/", "/psia/", "/sdk/", "/pramaapi/"}

// isapiNamespaces stand in the namespace of an ISAPI document, whoever writes it.
var isapiNamespaces = [...]string{"hikvision.com/", "isapi.org/", "isapi.com/", "std-cgi.", "psialliance"}

// documentKind tells whose document a body is that came as a plain web answer:
// isapi, onvif, upnp, or "" for a page. A path says only which parser reads what
// could be one; a page under it stays a page, and so does another's document.
func documentKind(path string, body []byte) string {
	name, attributes := rootOf(body)
	switch {
	case len(name) == 0:
		if asksISAPI(path) && startsJSON(body) {
			return "isapi"
		}
	case is(name, "html"):
	case is(name, "envelope"), len(name) > len("response") && hasPrefixFold(name[len(name)-len("response"):], "response"):
		if isONVIF(path, body) {
			return "onvif"
		}
	case is(name, "root"), is(name, "devicetype"):
		head := body[:min(len(body), maxProlog)]
		if indexFold(attributes, "urn:schemas-upnp-org:device-1-0") >= 0 || indexFold(head, "<devicetype>urn:") >= 0 ||
			indexFold(head, "<servicetype>urn:schemas-upnp-org:") >= 0 {
			return "upnp"
		}
	case is(name, "usercheck"), asksISAPI(path), isISAPI(attributes):
		return "isapi"
	}
	return ""
}

// onvifAnswers are what a device's answers are called, without their ending.
var onvifAnswers = [...]string{"getdeviceinformation", "getscopes", "getcapabilities", "getservices", "getservicecapabilities",
	"gethostname", "getsystemdateandtime", "getnetworkinterfaces", "getendpointreference", "getwsdlurl"}

// isONVIF tells an answer of ONVIF's from another's SOAP. What stands in its body
// belongs to a namespace of ONVIF's, or is a fault of a program that declares one;
// under ONVIF's own address the known names do, for devices that declare nothing.
func isONVIF(path string, body []byte) bool {
	head := body[:min(len(body), maxProlog)]
	inner := behindTag(head, "body")
	if inner == nil { // without its envelope
		inner = head[max(bytes.Index(head, []byte("?>")), 0):]
	}
	inner = bytes.TrimLeft(inner, "\r\n\t ")
	for bytes.HasPrefix(inner, []byte("<!--")) {
		end := after(inner, 0, "-->")
		if end < 0 {
			return false
		}
		inner = bytes.TrimLeft(inner[end:], "\r\n\t ")
	}
	_, tag, _ := bytes.Cut(inner, []byte{'<'})
	tag, _, _ = bytes.Cut(tag, []byte{'>'})
	name, attributes := splitTag(bytes.TrimSuffix(tag, []byte("/")))
	fault := is(name, "fault")
	switch prefix, _, ok := bytes.Cut(tag[:len(tag)-len(attributes)], []byte{':'}); {
	case fault:
		if indexFold(head, "www.onvif.org/ver") >= 0 {
			return true
		}
	case ok:
		if declares(head, "xmlns:"+string(prefix)) {
			return true
		}
	case declares(tag, "xmlns"), !bytes.Contains(tag, []byte("xmlns")) && declares(head, "xmlns"):
		return true
	}
	if !asks(path, "/onvif/") {
		return false
	}
	for _, known := range onvifAnswers {
		if len(name) == len(known)+len("response") && hasPrefixFold(name, known) {
			return true
		}
	}
	return fault
}

// declares tells whether the attribute binds a namespace of ONVIF's.
func declares(head []byte, attribute string) bool {
	for _, quote := range [...]string{`="`, `='`} {
		if i := bytes.Index(head, []byte(attribute+quote)); i >= 0 {
			return indexFold(head[i:min(len(head), i+len(attribute)+40)], "www.onvif.org/") >= 0
		}
	}
	return false
}

// behindTag returns what follows the first start tag of that local name.
func behindTag(b []byte, lower string) []byte {
	for {
		i := bytes.IndexByte(b, '<')
		if i < 0 {
			return nil
		}
		end := tagEnd(b, i)
		if end < 0 {
			return nil
		}
		name, _ := splitTag(b[i+1 : end])
		if b = b[end+1:]; is(name, lower) {
			return b
		}
	}
}

// isDevice tells the fields in which a device describes itself.
func isDevice(field string) bool {
	switch field {
	case "manufacturer", "model", "serial", "firmware", "hardware_id", "hardware_version", "mac":
		return true
	}
	return false
}

// refuses tells an answer of status 4xx or 5xx.
func (r *response) refuses() bool { return len(r.status) > 0 && r.status[0] >= '4' }

// describes forgets the device that a refusal (4xx, 5xx) describes: servers echo
// and template what was asked.
func (r *response) describes(c *collector) {
	if !r.refuses() {
		return
	}
	c.drop(func(field string) bool {
		return isDevice(field) || strings.HasPrefix(field, "wsd.")
	})
}

func asksISAPI(path string) bool {
	for _, prefix := range isapiPaths {
		if asks(path, prefix) {
			return true
		}
	}
	return false
}

// asks tells whether a path, or the path of a whole address, begins so.
func asks(path, lower string) bool {
	if strings.Contains(path, "://") {
		path = string(urlPath([]byte(path)))
	}
	return hasPrefixFold([]byte(strings.TrimLeft(path, "/")), lower[1:])
}

func isISAPI(attributes []byte) bool {
	for _, part := range isapiNamespaces {
		if indexFold(attributes, part) >= 0 {
			return true
		}
	}
	return false
}

func startsJSON(body []byte) bool {
	body = bytes.TrimLeft(body, "\r\n\t ")
	return len(body) > 0 && body[0] == '{'
}

// maxProlog bounds what stands before the outermost element's content: programs
// made with gSOAP declare some 3 KiB of namespaces in its tag.
const maxProlog = 8 << 10

// rootOf returns the local name and the attributes of the outermost element;
// nothing where the body is no markup. The head of a part (a stream of events)
// may stand before it.
func rootOf(body []byte) (name, attributes []byte) {
	body = bytes.TrimLeft(body, "\r\n\t ")
	if bytes.HasPrefix(body, []byte("--")) {
		body = body[max(bytes.IndexByte(body[:min(len(body), maxProlog)], '<'), 0):]
	}
	for prolog := body[:min(len(body), maxProlog)]; len(prolog) > 1 && prolog[0] == '<'; {
		end := 0
		switch {
		case bytes.HasPrefix(prolog, []byte("<!--")):
			end = after(prolog, 0, "-->")
		case prolog[1] == '?' || prolog[1] == '!':
			end = after(prolog, 0, ">")
		default:
			if end = tagEnd(prolog, 0); end < 0 {
				return nil, nil
			}
			return splitTag(bytes.TrimSuffix(prolog[1:end], []byte("/")))
		}
		if end < 0 {
			return nil, nil
		}
		prolog = bytes.TrimLeft(prolog[end:], "\r\n\t ")
	}
	return nil, nil
}

// documentFields reads a web answer's body that is another kind's document, so
// that a rule on isapi.model reads it too, wherever it came from. The text of the
// document is the answer's body.
func (r *response) documentFields(c *collector, path string, body []byte) {
	kind := documentKind(path, body)
	document := newCollector(16)
	switch kind {
	case "isapi":
		isapiDocument(document, body)
	case "onvif":
		onvifDocument(document, body)
	case "upnp":
		upnpDocument(document, body)
	}
	r.describes(document)
	if kind == "upnp" && r.refuses() {
		return
	}
	c.embed(kind, document)
}

// headFieldsOf reads the HTTP head that was recorded with a document.
func headFieldsOf(c *collector, r *response) {
	if len(r.headers) == 0 {
		return
	}
	head := newCollector(8)
	r.headFields(head)
	r.capitals(head)
	c.embed("http", head)
}

// embed keeps what another kind's part of the answer says under that kind's name.
func (c *collector) embed(kind string, part *collector) {
	for _, f := range part.fields {
		switch f.Name {
		case "body":
		case "mac", "truncated":
			c.addOnce(f.Name, []byte(f.Value))
		default:
			if strings.HasPrefix(f.Name, "wsd.") {
				c.addText(f.Name, f.Value)
				continue
			}
			c.addText(kind+"."+f.Name, f.Value)
		}
	}
}

// documentIn returns the document of a record whose kind is a document, and the
// head that a capture may hold before it.
func documentIn(raw []byte) (head response, body []byte) {
	raw = bytes.TrimLeft(raw, "\r\n\t \x00")
	body = raw
	for range maxAnswers {
		if line, _ := cutLine(raw); !isStatusLine(line) && !looksLikeHeader(line) {
			break
		}
		head = parseResponse(raw)
		if body, raw = head.decodedBody(), head.rest; len(body) > 0 {
			break
		}
	}
	return head, decoded(body, charsetOf("", body))
}
