package probe

import (
	"bytes"

	"camcensus/discovery"
)

var upnpNames = [...]struct{ element, field string }{
	{"manufacturer", "manufacturer"},
	{"manufacturerurl", "manufacturer_url"},
	{"modelname", "model"},
	{"modelnumber", "model_number"},
	{"modeldescription", "model_description"},
	{"modelurl", "model_url"},
	{"friendlyname", "friendly_name"},
	{"serialnumber", "serial"},
	{"udn", "udn"},
	{"presentationurl", "presentation_url"},
}

// upnpFields reads a device description (UPnP Device Architecture 2.3). Of a
// tree of devices the root one speaks, which stands right under the outermost
// element; the types of all are kept.
func upnpFields(raw []byte) []discovery.Field {
	head, body := documentIn(raw)
	c := newCollector(12)
	upnpDocument(c, body)
	head.describes(c)
	headFieldsOf(c, &head)
	return c.fields
}

func upnpDocument(c *collector, body []byte) {
	var serial, udn []byte
	s := scanner{leaf: func(e element) {
		if is(e.name, "devicetype") {
			if c.count("device_type") < 4 {
				c.addOnce("device_type", e.text)
			}
			return
		}
		if len(e.parent) > 0 && !is(e.parent, "device") || len(e.grandparent) > 0 && !is(e.grandparent, "root") {
			return // another's, or a device below
		}
		for _, known := range upnpNames {
			if !is(e.name, known.element) {
				continue
			}
			if c.has(known.field) {
				return
			}
			c.add(known.field, e.text)
			switch known.field {
			case "serial":
				serial = e.text
			case "udn":
				udn = e.text
			}
		}
	}}
	s.scan(body)
	s.damage(c)
	if mac, ok := upnpMAC(serial, udn); ok {
		c.add("mac", mac)
	}
}

// upnpMAC reads the MAC off a description whose serial number is one, or off
// the UDN of a device that writes it there in words (Axis). The tail of any
// other UDN is believed only when the serial number says the same.
func upnpMAC(serial, udn []byte) ([]byte, bool) {
	tail := udn[bytes.LastIndexByte(udn, '-')+1:]
	if indexFold(udn, "upnp-basicdevice-1_0-") >= 0 {
		if mac, ok := parseMAC(tail); ok {
			return mac, true
		}
	}
	mac, ok := parseMAC(serial)
	if !ok {
		return nil, false
	}
	named := len(bytes.TrimSpace(serial)) > 12 || hasLetter(bytes.TrimSpace(serial)) ||
		len(tail) == 12 && bytes.EqualFold(tail, bytes.TrimSpace(serial))
	return mac, named
}
