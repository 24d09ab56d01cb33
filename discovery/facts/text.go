package facts

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Document brings an XML document as devices send them to plain UTF-8 text
// that a parser can take: the byte order mark, the declaration (whatever its
// version), NULs and other control characters are gone, and text that is no
// UTF-8 is decoded by the declared charset, else as GB 2312 where all its high
// bytes pair up, else as Latin-1. At most max bytes of raw are looked at.
func Document(raw []byte, max int) string {
	if len(raw) > max {
		raw = raw[:max]
	}
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	raw = bytes.TrimLeft(raw, "\x00 \t\r\n")
	label := ""
	if bytes.HasPrefix(raw, []byte("<?xml")) {
		if end := bytes.Index(raw[:min(len(raw), 256)], []byte("?>")); end > 0 {
			label = declaredCharset(string(raw[:end]))
			raw = raw[end+2:]
		}
	}
	return dropControls(decode(raw, label))
}

func declaredCharset(declaration string) string {
	_, rest, ok := strings.Cut(declaration, "encoding")
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, " \t=")
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	label, _, _ := strings.Cut(rest[1:], rest[:1])
	return label
}

func decode(raw []byte, label string) string {
	if utf8.Valid(raw) {
		return string(raw)
	}
	if enc, name := charset.Lookup(label); enc != nil && name != "utf-8" {
		if s, ok := decodeWith(enc, raw); ok {
			return s
		}
	}
	if paired(raw) {
		if s, ok := decodeWith(simplifiedchinese.GBK, raw); ok {
			return s
		}
	}
	if cut := lastWhole(raw); utf8.Valid(raw[:cut]) { // cut within a character
		return string(raw[:cut])
	}
	s, _ := decodeWith(charmap.ISO8859_1, raw)
	return s
}

func decodeWith(enc encoding.Encoding, raw []byte) (string, bool) {
	out, err := enc.NewDecoder().Bytes(raw)
	if err != nil {
		return strings.ToValidUTF8(string(raw), ""), false
	}
	return string(out), !bytes.ContainsRune(out, utf8.RuneError)
}

// paired reports whether high bytes come in twos, as in GB 2312.
func paired(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] < 0x80 {
			continue
		}
		if raw[i] < 0xa1 || i+1 == len(raw) || raw[i+1] < 0xa1 {
			return false
		}
		i++
	}
	return true
}

// lastWhole is the length of raw without a character cut off at its end.
func lastWhole(raw []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(raw); back++ {
		if utf8.RuneStart(raw[len(raw)-back]) {
			return len(raw) - back
		}
	}
	return len(raw)
}

func dropControls(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0x7f || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, s)
}

// Unwrapped undoes the writing of a binary datagram as text, in hexadecimal
// digits or in base64, where what it stands for holds mark; else raw comes back.
func Unwrapped(raw []byte, mark string) []byte {
	if bytes.Contains(raw, []byte(mark)) {
		return raw
	}
	dense := bytes.Map(func(r rune) rune {
		if r == ' ' || r == ':' || r == '\n' || r == '\r' || r == '\t' {
			return -1
		}
		return r
	}, raw)
	plain := make([]byte, len(dense))
	if n, err := hex.Decode(plain, dense); err == nil && bytes.Contains(plain[:n], []byte(mark)) {
		return plain[:n]
	}
	if n, err := base64.StdEncoding.Decode(plain, dense); err == nil && bytes.Contains(plain[:n], []byte(mark)) {
		return plain[:n]
	}
	return raw
}
