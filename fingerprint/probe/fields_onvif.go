package probe

import (
	"bytes"

	"camcensus/discovery"
	"camcensus/discovery/facts"
)

// onvifFields reads a SOAP answer of the device service, before or after
// authentication (ONVIF Core section 8).
func onvifFields(raw []byte) []discovery.Field {
	head, body := documentIn(raw)
	c := newCollector(16)
	onvifDocument(c, body)
	head.describes(c)
	headFieldsOf(c, &head)
	return c.fields
}

func onvifDocument(c *collector, body []byte) {
	o := onvifReader{collector: c}
	if startsJSON(body) { // as a client printed it
		jsonLeaves(body, func(leaf jsonLeaf) bool {
			e := element{name: leaf.name, parent: leaf.parent, text: leaf.value}
			if leaf.depth > 2 && !is(leaf.parent, deviceInformation) {
				e.grandparent = leaf.parent // of no matter what name
			}
			if !leaf.listed {
				o.leaf(e)
			}
			return true
		})
	}
	s := scanner{leaf: o.leaf, open: o.open}
	s.scan(body)
	s.damage(c)
	if o.described > max(o.envelopes, 1) {
		c.drop(isDevice) // a list of devices
	}
	c.addText("body", bodyText(body))
}

type onvifReader struct {
	*collector
	namespace []byte // of the service entry being read (GetServices)
	// how many answers were opened, and how many device descriptions in them
	envelopes, described int
}

// deviceInformation is the element that a device describes itself in.
const deviceInformation = "getdeviceinformationresponse"

func (o *onvifReader) open(name, attributes []byte) {
	switch {
	case is(name, "envelope"):
		o.envelopes++
	case is(name, deviceInformation):
		o.described++
	}
	eachAttribute(attributes, func(name, value []byte) {
		if hasPrefixFold(name, "xmlns") && o.count("namespace") < maxAttributes {
			o.addOnce("namespace", value)
		}
	})
}

// device keeps one element of a GetDeviceInformation answer, or of what was kept
// of one. Anything deeper is told of another device, such as one in a list.
func (o *onvifReader) device(e element) {
	switch {
	case is(e.name, "manufacturer"):
		o.add("manufacturer", e.text)
	case is(e.name, "model"):
		o.add("model", e.text)
	case is(e.name, "firmwareversion"):
		o.add("firmware", e.text)
	case is(e.name, "serialnumber"):
		o.add("serial", e.text)
	case is(e.name, "hardwareid"):
		o.add("hardware_id", e.text)
	}
}

func (o *onvifReader) leaf(e element) {
	if len(e.grandparent) == 0 && !is(e.parent, "device") || is(e.parent, deviceInformation) && is(e.grandparent, "body") {
		o.device(e)
	}
	switch {
	case is(e.name, "text") && is(e.parent, "reason"), is(e.name, "faultstring"),
		is(e.name, "value") && (is(e.parent, "subcode") || is(e.parent, "code")), is(e.name, "faultcode"):
		o.addOnce("fault", e.text)
	case is(e.name, "xaddr"):
		o.service(e)
	case is(e.name, "namespace"):
		o.namespace = e.text
	case is(e.name, "tz"):
		o.add("timezone", e.text)
	case is(e.name, "name") && is(e.parent, "hostnameinformation"):
		o.add("hostname", e.text)
		if hasPrefixFold(e.text, "axis-") {
			o.mac(e.text[len("axis-"):])
		}
	case is(e.name, "wsdlurl"):
		o.add("wsdl_url", e.text)
	case is(e.name, "guid"), is(e.name, "address") && is(e.parent, "endpointreference"):
		o.add("epr", e.text)
	case is(e.name, "scopeitem"):
		o.scope(e.text)
	case is(e.name, "hwaddress"):
		o.mac(e.text)
	}
}

// scope keeps one scope of GetScopes under the name that it has in a ProbeMatch.
func (o *onvifReader) scope(b []byte) {
	field, value, ok := facts.Scope(string(b))
	if !ok {
		return
	}
	o.addOnce("wsd."+field, []byte(value))
	if field == facts.ScopeMAC {
		o.addOnce("mac", []byte(value))
	}
}

func (o *onvifReader) mac(b []byte) {
	if mac, ok := parseMAC(b); ok {
		o.addOnce("mac", mac)
	}
}

// service keeps the address of one ONVIF service and, as path.NAME, its path:
// how a maker names them is a mark of its firmware.
func (o *onvifReader) service(e element) {
	if len(e.text) == 0 || o.count("xaddr") >= 16 {
		return
	}
	o.add("xaddr", e.text)
	name := e.parent
	if is(e.parent, "service") {
		name = serviceOf(o.namespace)
		o.namespace = nil
	}
	path := urlPath(e.text)
	if !isToken(name) || len(path) == 0 {
		return
	}
	o.add("path."+text(bytes.ToLower(name), maxName), path)
}

// serviceOf reads "media" off http://www.onvif.org/ver10/media/wsdl.
func serviceOf(namespace []byte) []byte {
	namespace = bytes.TrimSuffix(bytes.TrimRight(namespace, "/"), []byte("/wsdl"))
	return namespace[bytes.LastIndexByte(namespace, '/')+1:]
}

// urlPath is what stands behind the authority of an address.
func urlPath(address []byte) []byte {
	if i := bytes.Index(address, []byte("://")); i >= 0 {
		address = address[i+3:]
	}
	i := bytes.IndexByte(address, '/')
	if i < 0 {
		return nil
	}
	return address[i:]
}
