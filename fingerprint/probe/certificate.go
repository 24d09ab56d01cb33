package probe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"camcensus/discovery"
)

// leaf is a tls record, DESIGN section 9.
type leaf struct {
	Subject   string   `json:"subject"`
	Issuer    string   `json:"issuer"`
	SANs      []string `json:"sans"`
	Serial    string   `json:"serial,omitempty"`
	NotBefore string   `json:"not_before,omitempty"`
	NotAfter  string   `json:"not_after,omitempty"`
	SHA256    string   `json:"sha256,omitempty"`
}

// noteCertificate keeps a certificate as evidence.
func (a *asking) noteCertificate(f flight) {
	if len(f.leaf) == 0 {
		return
	}
	line, err := json.Marshal(readLeaf(f.leaf))
	if err != nil {
		return
	}
	r := a.record("tls", line, false)
	r.Path, r.Request = "", ""
	a.answer.Records = append(a.answer.Records, r)
}

const (
	maxNames     = 32  // parts of one name, and alternative names
	maxNameValue = 256 // bytes of one
)

// readLeaf reads the names off a certificate without asking whether it is
// well made: devices sign with negative serials, wrong lengths and characters
// that crypto/x509 refuses whole. What cannot be read stays empty.
func readLeaf(certificate []byte) leaf {
	sum := sha256.Sum256(certificate)
	l := leaf{SANs: []string{}, SHA256: hex.EncodeToString(sum[:])}
	outer, _, _ := derElement(certificate)
	tbs, _, _ := derElement(outer.content)
	rest := tbs.content
	var parts []der
	for len(rest) > 0 && len(parts) < 12 {
		var e der
		var ok bool
		if e, rest, ok = derElement(rest); !ok {
			break
		}
		parts = append(parts, e)
	}
	if len(parts) > 0 && parts[0].tag == 0xa0 {
		parts = parts[1:] // the version
	}
	// serial, signature algorithm, issuer, validity, subject, key, extensions
	for i, e := range parts {
		switch {
		case i == 0:
			l.Serial = hex.EncodeToString(e.content[:min(len(e.content), 64)])
		case i == 2:
			l.Issuer = distinguishedName(e.content)
		case i == 3:
			l.NotBefore, l.NotAfter = validity(e.content)
		case i == 4:
			l.Subject = distinguishedName(e.content)
		case e.tag == 0xa3:
			l.SANs = alternatives(e.content)
		}
	}
	return l
}

// der is one element of the Distinguished Encoding Rules (X.690).
type der struct {
	tag     byte
	content []byte
}

// derElement reads one element. A length beyond the end is cut to the end, so
// that a certificate cut short still gives its beginning.
func derElement(b []byte) (e der, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return der{}, nil, false
	}
	n, head := int(b[1]), 2
	if n >= 0x80 {
		octets := n & 0x7f
		if octets == 0 || octets > 3 || len(b) < 2+octets {
			return der{}, nil, false
		}
		n, head = 0, 2+octets
		for _, c := range b[2:head] {
			n = n<<8 | int(c)
		}
	}
	end := min(len(b), head+n)
	return der{b[0], b[head:end]}, b[end:], true
}

// attributeNames are the short names of RFC 4519 and what crypto/x509 prints.
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
	"2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "T", "2.5.4.17": "POSTALCODE",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID", "1.2.840.113549.1.9.1": "emailAddress",
}

// distinguishedName writes a Name as RFC 4514 does, the last part first.
func distinguishedName(b []byte) string {
	var parts []string
	for len(b) > 0 && len(parts) < maxNames {
		set, rest, ok := derElement(b)
		if !ok {
			break
		}
		b = rest
		var pairs []string
		for inner := set.content; len(inner) > 0 && len(pairs) < 4; {
			var pair der
			if pair, inner, ok = derElement(inner); !ok {
				break
			}
			kind, value, _ := derElement(pair.content)
			text, _, _ := derElement(value)
			pairs = append(pairs, attributeName(kind.content)+"="+escaped(derText(text)))
		}
		if len(pairs) > 0 {
			parts = append(parts, strings.Join(pairs, "+"))
		}
	}
	var out strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		out.WriteString(parts[i])
		if i > 0 {
			out.WriteByte(',')
		}
	}
	return out.String()
}

func attributeName(oid []byte) string {
	dotted := objectIdentifier(oid)
	if name, ok := attributeNames[dotted]; ok {
		return name
	}
	return dotted
}

func objectIdentifier(b []byte) string {
	if len(b) == 0 || len(b) > 32 {
		return "?"
	}
	var out strings.Builder
	n, first := uint64(0), true
	for _, c := range b {
		n = n<<7 | uint64(c&0x7f)
		if c&0x80 != 0 {
			continue
		}
		if first {
			top := min(n/40, 2)
			out.WriteString(strconv.FormatUint(top, 10))
			n -= top * 40
			first = false
		}
		out.WriteByte('.')
		out.WriteString(strconv.FormatUint(n, 10))
		n = 0
	}
	return out.String()
}

// derText reads a string of any of ASN.1's kinds.
func derText(e der) string {
	const bmpString, universalString = 30, 28
	b := e.content[:min(len(e.content), 4*maxNameValue)]
	switch e.tag {
	case bmpString:
		var units []uint16
		for ; len(b) >= 2; b = b[2:] {
			units = append(units, uint16(b[0])<<8|uint16(b[1]))
		}
		b = []byte(string(utf16.Decode(units)))
	case universalString:
		var runes []rune
		for ; len(b) >= 4; b = b[4:] {
			runes = append(runes, rune(b[0])<<24|rune(b[1])<<16|rune(b[2])<<8|rune(b[3]))
		}
		b = []byte(string(runes))
	}
	return discovery.CleanText(b, maxNameValue)
}

// escaped protects the characters that structure a name (RFC 4514 section 2.4).
func escaped(s string) string {
	if !strings.ContainsAny(s, `,+"\<>;`) && !strings.HasPrefix(s, "#") {
		return s
	}
	var out strings.Builder
	for i, r := range s {
		if strings.ContainsRune(`,+"\<>;`, r) || i == 0 && r == '#' {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

func validity(b []byte) (from, to string) {
	first, rest, _ := derElement(b)
	second, _, _ := derElement(rest)
	return derTime(first), derTime(second)
}

// derTime reads UTCTime and GeneralizedTime; what it cannot read it gives as
// it stands.
func derTime(e der) string {
	const utcTime = 23
	text := discovery.CleanText(e.content, 32)
	layouts := []string{"20060102150405Z0700", "20060102150405", "200601021504Z0700"}
	if e.tag == utcTime {
		layouts = []string{"060102150405Z0700", "0601021504Z0700", "060102150405"}
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			if e.tag == utcTime && t.Year() >= 2050 {
				t = t.AddDate(-100, 0, 0) // RFC 5280 section 4.1.2.5.1
			}
			return t.UTC().Format(time.RFC3339)
		}
	}
	return text
}

// alternatives reads the subjectAltName out of the extensions.
func alternatives(b []byte) []string {
	names := []string{}
	list, _, _ := derElement(b)
	for rest := list.content; len(rest) > 0; {
		var extension der
		var ok bool
		if extension, rest, ok = derElement(rest); !ok {
			break
		}
		id, value, _ := derElement(extension.content)
		if objectIdentifier(id.content) != "2.5.29.17" {
			continue
		}
		octets, after, _ := derElement(value)
		if octets.tag == 1 { // critical
			octets, _, _ = derElement(after)
		}
		general, _, _ := derElement(octets.content)
		for each := general.content; len(each) > 0 && len(names) < maxNames; {
			var name der
			if name, each, ok = derElement(each); !ok {
				break
			}
			if text := alternativeName(name); text != "" {
				names = append(names, text)
			}
		}
	}
	return names
}

func alternativeName(name der) string {
	const email, dns, directory, uri, ip = 0x81, 0x82, 0xa4, 0x86, 0x87
	switch name.tag {
	case email, dns, uri:
		return discovery.CleanText(name.content, maxNameValue)
	case directory:
		inner, _, _ := derElement(name.content)
		return distinguishedName(inner.content)
	case ip:
		if addr, ok := netip.AddrFromSlice(name.content); ok {
			return addr.String()
		}
	}
	return ""
}
