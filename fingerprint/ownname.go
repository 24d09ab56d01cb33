package fingerprint

import (
	"fmt"
	"strings"
)

// ownNames are the rules that every maker has without a file that spells them
// out: a field that begins with its name. Owners leave the fields of the last
// row as the maker set them, or type something else.
var ownNames = []struct {
	id     string
	group  groupAt
	fields []string
	means  string // completed with the maker's name
}{
	{"/own-name", signFirmware, []string{
		"http.server", "http.realm", "rtsp.server", "rtsp.realm", "ssdp.server",
		"upnp.manufacturer", "onvif.manufacturer", "wsd.scope.manufacturer", "isapi.manufacturer", "dhcp.vendor_class",
		"mdns.txt.usb_mfg", "mdns.txt.manufacturer", "mdns.txt.vendor",
	}, "It gives %s as its own name."},
	{"/own-name-certificate", signCertificate, []string{"tls.subject.o"}, "Its certificate names %s."},
	{"/own-name-typed", signTyped, []string{"http.title", "wsd.scope.name", "mdns.instance"}, "A name that its owner may have changed begins with %s."},
}

// ownNames adds them. They are weak, as nobody recorded the habit. A listed
// maker, its affiliates and a firm that sells their devices speak through their
// files alone, and so does a maker whose name is a common word.
func (c *compiler) ownNames() {
	common := map[string]bool{}
	for _, f := range c.files {
		common[f.Maker] = common[f.Maker] || f.Common
	}
	for at, m := range c.set.makers {
		if m.listed || m.of != none || len(m.relabels) > 0 || common[m.name] {
			continue
		}
		longer := c.longerNames(m.name)
		for row, o := range ownNames {
			r := &rule{
				id: slug(m.name) + o.id, maker: at, grade: weak, group: o.group, own: uint8(row + 1),
				means: fmt.Sprintf(o.means, m.name), label: o.group == signTyped, all: 1,
				match: []*clause{{bit: 1, fields: o.fields, pattern: namePattern(m.name)}},
			}
			for _, name := range longer {
				r.match = append(r.match, &clause{bit: 2, fields: o.fields, pattern: namePattern(name)})
				r.veto = 2
			}
			for _, k := range r.match {
				k.rule = r
			}
			c.set.rules = append(c.set.rules, r)
		}
	}
}

// longerNames are the names of other makers that begin with a name, as Cisco
// Meraki with Cisco.
func (c *compiler) longerNames(name string) []string {
	lower := strings.ToLower(name)
	var out []string
	for _, m := range c.set.makers {
		if m.name != name && bearsName(m.name, lower) {
			out = append(out, m.name)
		}
	}
	return out
}
