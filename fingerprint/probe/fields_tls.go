package probe

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"camcensus/discovery"
)

// certificate is a tls record's JSON, DESIGN section 9.
type certificate struct {
	Subject   distinguished   `json:"subject"`
	Issuer    distinguished   `json:"issuer"`
	SANs      json.RawMessage `json:"sans"`
	Serial    string          `json:"serial"`
	NotBefore string          `json:"not_before"`
	NotAfter  string          `json:"not_after"`
	SHA256    string          `json:"sha256"`
}

// distinguished is a name as one text, also where a tool wrote it as an object or
// as lists of pairs.
type distinguished string

func (d *distinguished) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(d))
	}
	var parts []string
	add := func(key, value string) { parts = append(parts, key+"="+strings.ReplaceAll(value, ",", `\,`)) }
	var object map[string]any
	var pairs [][][2]string
	switch {
	case json.Unmarshal(raw, &object) == nil:
		for key, value := range object {
			switch value := value.(type) {
			case string:
				add(key, value)
			case []any:
				for _, v := range value {
					if s, ok := v.(string); ok {
						add(key, s)
					}
				}
			}
		}
		slices.Sort(parts)
	case json.Unmarshal(raw, &pairs) == nil: // as Python's ssl tells it
		for _, set := range pairs {
			for _, pair := range set {
				add(pair[0], pair[1])
			}
		}
	}
	*d = distinguished(strings.Join(parts, ","))
	return nil
}

// attributeTypes are the long names of what RFC 4514 abbreviates.
var attributeTypes = map[string]string{
	"commonname": "cn", "organizationname": "o", "organization": "o", "organizationalunitname": "ou",
	"organizationalunit": "ou", "localityname": "l", "stateorprovincename": "st", "s": "st", "countryname": "c",
	"e": "emailaddress", "email": "emailaddress", "common_name": "cn", "organizational_unit": "ou",
}

// tlsFields reads a leaf certificate's names. They are what the device says
// of itself: read, never trusted.
func tlsFields(raw []byte) []discovery.Field {
	var cert certificate
	c := newCollector(16)
	if err := json.Unmarshal(raw, &cert); err != nil || cert.Subject == "" && cert.Issuer == "" {
		// One key of a wrong type must not cost the others.
		jsonLeaves(raw, func(leaf jsonLeaf) bool {
			switch string(leaf.name) {
			case "subject", "subject_dn":
				cert.Subject = distinguished(leaf.value)
			case "issuer", "issuer_dn":
				cert.Issuer = distinguished(leaf.value)
			case "serial":
				cert.Serial = string(leaf.value)
			}
			return true
		})
		for line := range bytes.Lines(raw[:min(len(raw), maxBody)]) { // as openssl prints it
			line = bytes.TrimSpace(line)
			switch {
			case hasPrefixFold(line, "subject=") || hasPrefixFold(line, "subject:"):
				cert.Subject = distinguished(line)
			case hasPrefixFold(line, "issuer=") || hasPrefixFold(line, "issuer:"):
				cert.Issuer = distinguished(line)
			}
		}
	}
	nameFields(c, "subject", string(cert.Subject))
	nameFields(c, "issuer", string(cert.Issuer))
	for _, san := range alternativeNames(cert.SANs) {
		c.addOnce("san", []byte(san))
	}
	c.add("serial", []byte(cert.Serial))
	c.add("not_before", []byte(cert.NotBefore))
	c.add("not_after", []byte(cert.NotAfter))
	c.add("sha256", []byte(strings.ToLower(cert.SHA256)))
	return c.fields
}

func alternativeNames(raw json.RawMessage) []string {
	var names []string
	if json.Unmarshal(raw, &names) != nil {
		var one string
		if json.Unmarshal(raw, &one) == nil && one != "" {
			names = []string{one}
		}
	}
	return names[:min(len(names), maxAttributes)]
}

// nameFields keeps a distinguished name whole and by its parts, of which only
// those that name somebody are kept.
func nameFields(c *collector, field, name string) {
	name = name[:min(len(name), 4*maxHeadValue)]
	c.addUpTo(field, []byte(name), maxHeadValue)
	name = strings.ReplaceAll(name, " subject: ", ",") // two names run together
	name = strings.ReplaceAll(strings.TrimSpace(name), "\n", ",")
	if head := min(len(name), len(field)+1); len(name) > head && strings.EqualFold(name[:len(field)], field) && (name[len(field)] == ':' || name[len(field)] == '=') {
		name = strings.TrimSpace(name[head:]) // as a tool prints it
	}
	for range maxAttributes {
		if name == "" {
			return
		}
		var part string
		part, name = cutName(name)
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		key = strings.ToLower(strings.TrimSpace(key))
		value = strings.Trim(strings.TrimSpace(strings.ReplaceAll(value, `\`, "")), `"`)
		if short := attributeTypes[key]; short != "" {
			key = short
		}
		switch key {
		case "cn", "o", "ou", "l", "st", "c", "serialnumber", "emailaddress":
			c.addOnce(field+"."+key, []byte(value))
		}
		if key == "cn" && field == "subject" {
			if mac, ok := macIn([]byte(value)); ok {
				c.addOnce("mac", mac)
			}
		}
	}
}

// cutName splits at the next unescaped comma, plus or semicolon (RFC 4514), or at the
// slash of the older one-line form.
func cutName(name string) (part, rest string) {
	oneLine := strings.HasPrefix(name, "/") || strings.Contains(name, "/organizationName=") || strings.Contains(name, "/countryName=")
	name = strings.TrimPrefix(name, "/")
	quoted := false
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case oneLine && c == '/' && startsAttribute(name[i+1:]):
			return name[:i], name[i:]
		case !oneLine && (c == ',' || c == '+' || c == ';') && startsAttribute(name[i+1:]):
			return name[:i], strings.TrimLeft(name[i+1:], " ")
		}
	}
	return name, ""
}

// startsAttribute tells the comma between two attributes from one inside a
// company's name, which many devices leave unescaped.
func startsAttribute(rest string) bool {
	rest = rest[:min(len(rest), 40)]
	rest = strings.TrimLeft(rest, " ")
	i := strings.IndexByte(rest, '=')
	if i <= 0 {
		return false
	}
	for j := 0; j < i; j++ {
		if !isAlnum(rest[j]) && rest[j] != '.' && rest[j] != ' ' {
			return false
		}
	}
	return true
}

// faviconFields reads the two hashes of a favicon record.
func faviconFields(raw []byte) []discovery.Field {
	c := newCollector(2)
	if bare := bytes.TrimSpace(raw); len(bare) <= 12 {
		if digits := bytes.TrimPrefix(bare, []byte{'-'}); len(digits) > 0 && bytes.Trim(digits, "0123456789") == nil {
			c.add("mmh3", signed32(bare))
		}
	}
	jsonLeaves(raw, func(leaf jsonLeaf) bool {
		switch {
		case is(leaf.name, "mmh3") && len(leaf.value) <= 12:
			c.add("mmh3", signed32(leaf.value))
		case is(leaf.name, "md5") && len(leaf.value) == 32:
			c.add("md5", bytes.ToLower(leaf.value))
		}
		return true
	})
	return c.fields
}

// signed32 writes a hash that was given unsigned as the signed number that
// search engines use.
func signed32(value []byte) []byte {
	n := uint64(0)
	for _, d := range value {
		if !isDigit(d) {
			return value
		}
		n = n*10 + uint64(d-'0')
	}
	if n > 1<<31-1 && n < 1<<32 {
		return []byte("-" + strconv.FormatUint(1<<32-n, 10))
	}
	return value
}
