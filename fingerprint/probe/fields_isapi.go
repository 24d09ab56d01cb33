package probe

import (
	"bytes"
	"strings"

	"camcensus/discovery"
)

// isapiNames maps the elements of an ISAPI deviceInfo or activateStatus to
// fields. The JSON form uses the same names.
var isapiNames = [...]struct{ element, field string }{
	{"model", "model"},
	{"serialnumber", "serial"},
	{"firmwareversion", "firmware"},
	{"firmwarereleaseddate", "firmware_date"},
	{"devicetype", "device_type"},
	{"devicename", "device_name"},
	{"devicedescription", "device_description"},
	{"deviceid", "device_id"},
	{"activated", "activated"},
	{"statusstring", "status_string"},
	{"substatuscode", "substatus"},
	{"manufacturer", "manufacturer"},
	{"hardwareversion", "hardware_version"},
	{"systemcontact", "system_contact"},
	{"oemcode", "oem_code"},
	{"telecontrolid", "telecontrol_id"},
	{"decordchannelnums", "channels"},
}

func isapiFields(raw []byte) []discovery.Field {
	head, body := documentIn(raw)
	c := newCollector(16)
	isapiDocument(c, body)
	head.describes(c)
	headFieldsOf(c, &head)
	return c.fields
}

func isapiDocument(c *collector, body []byte) {
	if body = bytes.TrimLeft(body, "\r\n\t "); len(body) > 0 && body[0] == '{' {
		jsonLeaves(body, func(leaf jsonLeaf) bool {
			if !leaf.listed {
				isapiLeaf(c, leaf.name, leaf.value, leaf.depth == 2 && is(leaf.parent, "deviceinfo"))
			}
			return true
		})
	} else {
		s := scanner{
			leaf: func(e element) { isapiLeaf(c, e.name, e.text, ofDevice(e)) },
			open: func(name, attributes []byte) { isapiRoot(c, name, attributes) },
		}
		s.scan(body)
		s.damage(c)
	}
	c.addText("body", bodyText(body))
}

// isapiRoot keeps the name and the namespace of the outermost element.
func isapiRoot(c *collector, name, attributes []byte) {
	if c.has("root") {
		return
	}
	c.add("root", name)
	eachAttribute(attributes, func(key, value []byte) {
		if hasPrefixFold(key, "xmlns") {
			c.addOnce("namespace", value)
		}
	})
}

// ofDevice tells an element of the device's own description, of what is left of
// one, or of its events.
func ofDevice(e element) bool {
	switch {
	case len(e.parent) == 0:
		return true
	case len(e.grandparent) == 0:
		return is(e.parent, "deviceinfo") || is(e.parent, "eventnotificationalert")
	}
	return is(e.parent, "extensions") && is(e.grandparent, "eventnotificationalert")
}

// lists tells a document of several things.
func (c *collector) lists() bool {
	for i := range c.fields {
		if c.fields[i].Name == "root" {
			return strings.HasSuffix(strings.ToLower(c.fields[i].Value), "list")
		}
	}
	return false
}

// isapiLeaf keeps one element. own tells that it stands in the device's own
// description: a recorder's list of channels gives the models of its cameras.
func isapiLeaf(c *collector, name, value []byte, own bool) {
	if is(name, "macaddress") {
		if mac, ok := parseMAC(value); ok && !c.lists() {
			c.addOnce("mac", mac)
		}
		return
	}
	if is(name, "@xmlns") { // XML that a client turned into JSON
		c.addOnce("namespace", value)
		return
	}
	for _, known := range isapiNames {
		if is(name, known.element) {
			if !c.has(known.field) && (own || !isDevice(known.field)) {
				c.add(known.field, value)
			}
			return
		}
	}
}
