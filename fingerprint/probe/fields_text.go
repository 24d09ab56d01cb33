package probe

import (
	"bytes"
	"html"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"camcensus/discovery"
)

// text makes a field's value of bytes off the wire.
func text(b []byte, limit int) string {
	return discovery.CleanText(bytes.TrimSpace(b), limit)
}

// bodyText makes the body field: line breaks and tabs become blanks, so that
// a rule need not know how a page was wrapped.
func bodyText(b []byte) string {
	b = bytes.TrimSpace(b)
	if len(b) > maxBody {
		b = b[:maxBody]
	}
	if len(b) == 0 {
		return ""
	}
	flat := make([]byte, len(b))
	ascii := true
	for i, c := range b {
		switch {
		case c < 0x20 || c == 0x7f:
			c = ' '
		case c >= 0x80:
			ascii = false
		}
		flat[i] = c
	}
	if ascii {
		return string(flat)
	}
	return discovery.CleanText(flat, maxBody)
}

// decoded returns the bytes as UTF-8 where a byte order mark or a declared
// charset says that they are something simple else. GBK is CleanText's work.
func decoded(b []byte, charset string) []byte {
	switch {
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		return b[3:]
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return fromUTF16(b[2:], false)
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return fromUTF16(b[2:], true)
	}
	if isLatin(charset) && !utf8.Valid(b) {
		return fromLatin1(b)
	}
	return b
}

func isLatin(charset string) bool {
	return strings.EqualFold(charset, "iso-8859-1") || strings.EqualFold(charset, "latin1") ||
		strings.EqualFold(charset, "windows-1252") || strings.EqualFold(charset, "us-ascii")
}

func fromLatin1(b []byte) []byte {
	out := make([]byte, 0, len(b)+len(b)/8)
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}

// fromUTF16 decodes UTF-16 of either byte order; a lone last byte is dropped.
func fromUTF16(b []byte, bigEndian bool) []byte {
	units := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		low, high := b[i], b[i+1]
		if bigEndian {
			low, high = high, low
		}
		units = append(units, uint16(low)|uint16(high)<<8)
	}
	return []byte(string(utf16.Decode(units)))
}

// charsetOf finds charset=NAME in a content type or in the first bytes of a
// page.
func charsetOf(contentType string, page []byte) string {
	if i := indexFold([]byte(contentType), "charset="); i >= 0 {
		return charsetName([]byte(contentType[i+len("charset="):]))
	}
	if len(page) > 1024 {
		page = page[:1024]
	}
	if i := indexFold(page, "charset="); i >= 0 {
		return charsetName(page[i+len("charset="):])
	}
	if i := indexFold(page, "encoding="); i >= 0 {
		return charsetName(page[i+len("encoding="):])
	}
	return ""
}

func charsetName(b []byte) string {
	b = bytes.TrimLeft(b, `"' `)
	end := 0
	for end < len(b) && end < 24 && (isAlnum(b[end]) || b[end] == '-' || b[end] == '_') {
		end++
	}
	return string(b[:end])
}

// unescaped resolves character references, twice where a page escaped them
// twice, and folds runs of blanks.
func unescaped(b []byte) []byte {
	if bytes.IndexByte(b, '&') >= 0 {
		s := html.UnescapeString(string(b))
		if strings.IndexByte(s, '&') >= 0 {
			s = html.UnescapeString(s)
		}
		b = []byte(strings.ReplaceAll(s, "\u00a0", " "))
	}
	return folded(b)
}

// folded trims and turns each run of blanks and line breaks into one blank.
func folded(b []byte) []byte {
	b = bytes.TrimSpace(b)
	plain := true
	for i, c := range b {
		if c < 0x20 || c == ' ' && b[i-1] == ' ' {
			plain = false
			break
		}
	}
	if plain {
		return b
	}
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c <= 0x20 {
			if len(out) > 0 && out[len(out)-1] != ' ' {
				out = append(out, ' ')
			}
			continue
		}
		out = append(out, c)
	}
	return out
}

// indexFold finds an ASCII literal, which is given in lower case, whatever
// the case of b.
func indexFold(b []byte, lower string) int {
	upper := lower[0]
	if upper >= 'a' && upper <= 'z' {
		upper -= 'a' - 'A'
	}
	for i := 0; i+len(lower) <= len(b); i++ {
		if (b[i] == lower[0] || b[i] == upper) && hasPrefixFold(b[i:], lower) {
			return i
		}
	}
	return -1
}

// hasPrefixFold compares with an ASCII literal given in lower case.
func hasPrefixFold(b []byte, lower string) bool {
	if len(b) < len(lower) {
		return false
	}
	for i := 0; i < len(lower); i++ {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
