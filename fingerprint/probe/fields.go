package probe

import (
	"slices"

	"camcensus/discovery"
)

// Bounds of what one record may yield. Whatever a device sends is hostile:
// nothing here grows with it beyond these.
const (
	maxFields     = 192 // fields of one record
	maxValue      = 512 // bytes of one value
	maxHeadValue  = 1024
	maxName       = 48 // bytes of a name that the device chose
	maxTitle      = 256
	maxRaw        = 256 << 10 // bytes of a record that are looked at
	maxBody       = discovery.MaxRecordBody
	maxAnswers    = 8 // concatenated responses in one record
	maxHeaders    = 64
	maxAttributes = 64 // Hikvision's ONVIF answers declare 36 namespaces, the telling ones last
)

// Fields reads the named facts off one probe record's bytes (docs/fields.md
// lists them by kind). It never panics, whatever the bytes are, and bounds
// what it returns. path is what was asked; it decides nothing but which
// parser reads an answer that could be two things.
func Fields(kind, path string, raw []byte) []discovery.Field {
	if len(raw) > maxRaw {
		raw = raw[:maxRaw]
	}
	switch kind {
	case "http", "https":
		return httpFields(path, raw)
	case "rtsp":
		return rtspFields(raw)
	case "tls":
		return tlsFields(raw)
	case "onvif":
		return onvifFields(raw)
	case "isapi":
		return isapiFields(raw)
	case "upnp":
		return upnpFields(raw)
	case "favicon":
		return faviconFields(raw)
	}
	return nil
}

// collector gathers fields within the bounds.
type collector struct {
	fields []discovery.Field
}

func newCollector(capacity int) *collector {
	return &collector{fields: make([]discovery.Field, 0, capacity)}
}

// add keeps one value, cleaned; empty ones and those beyond the bounds are
// dropped.
func (c *collector) add(name string, value []byte) { c.addUpTo(name, value, maxValue) }

func (c *collector) addUpTo(name string, value []byte, limit int) {
	if len(c.fields) >= maxFields {
		return
	}
	if s := text(value, limit); s != "" {
		c.fields = append(c.fields, discovery.Field{Name: name, Value: s})
	}
}

// addText keeps a value that is clean already.
func (c *collector) addText(name, value string) {
	if value != "" && len(c.fields) < maxFields {
		c.fields = append(c.fields, discovery.Field{Name: name, Value: value})
	}
}

// addOnce keeps a value unless the same field holds it already.
func (c *collector) addOnce(name string, value []byte) {
	s := text(value, maxValue)
	for i := range c.fields {
		if c.fields[i].Name == name && c.fields[i].Value == s {
			return
		}
	}
	c.addText(name, s)
}

// has tells whether a field of that name was kept.
func (c *collector) has(name string) bool {
	for i := range c.fields {
		if c.fields[i].Name == name {
			return true
		}
	}
	return false
}

// count is how many fields of that name were kept.
func (c *collector) count(name string) int {
	n := 0
	for i := range c.fields {
		if c.fields[i].Name == name {
			n++
		}
	}
	return n
}

// drop forgets the fields whose name the test names.
func (c *collector) drop(named func(string) bool) {
	c.fields = slices.DeleteFunc(c.fields, func(f discovery.Field) bool { return named(f.Name) })
}
