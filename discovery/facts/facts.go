// Package facts turns what a device sent into fields: it collects them within
// bounds, brings text of any charset to UTF-8, and knows how a MAC address is
// written. Every protocol's Fields is built on it.
package facts

import (
	"strconv"
	"strings"

	"camcensus/discovery"
)

// Bounds of one record's fields.
const (
	MaxFields = 256     // fields kept of one record
	MaxValue  = 1 << 10 // bytes of one value
	maxTotal  = 32 << 10
)

// List collects fields. The zero value is ready. What exceeds the bounds is
// dropped, and so are empty values and exact repeats.
type List struct {
	fields []discovery.Field
	total  int
}

// Add appends one field whose value comes from the device.
func (l *List) Add(name, value string) {
	if len(l.fields) >= MaxFields || l.total >= maxTotal {
		return
	}
	value = discovery.CleanText([]byte(value), MaxValue)
	if value == "" || l.has(name, value) {
		return
	}
	l.total += len(name) + len(value)
	l.fields = append(l.fields, discovery.Field{Name: name, Value: value})
}

// AddMAC appends a MAC address in its usual form, if it is one of a host.
func (l *List) AddMAC(name, value string) {
	if mac, ok := MAC(value); ok {
		l.Add(name, mac)
	}
}

// AddPort appends a port number between 1 and 65535.
func (l *List) AddPort(name, value string) {
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 16)
	if err == nil && n > 0 {
		l.Add(name, strconv.FormatUint(n, 10))
	}
}

// AddNumber appends a number that is not negative.
func (l *List) AddNumber(name, value string) {
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 63)
	if err == nil {
		l.Add(name, strconv.FormatUint(n, 10))
	}
}

// Fields returns what was collected, in order.
func (l *List) Fields() []discovery.Field { return l.fields }

func (l *List) has(name, value string) bool {
	for _, f := range l.fields {
		if f.Name == name && f.Value == value {
			return true
		}
	}
	return false
}

// Name makes a field name's last part out of a key that a device chose: lower
// case letters, digits, '-', '_' and '.', at most 48 bytes. Other keys give "".
func Name(key string) string {
	key = strings.ToLower(strings.TrimSpace(key))
	if key == "" || len(key) > 48 {
		return ""
	}
	for _, c := range []byte(key) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return ""
		}
	}
	return key
}
