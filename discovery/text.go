package discovery

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// CleanText turns bytes from a device into text that may be kept and shown:
// valid UTF-8, no control or invisible formatting characters (each run of
// them is one space, NUL is dropped), trimmed, at most max bytes long, cut at
// a character. Bytes that are not UTF-8 are read as GBK when they look like
// it and as Windows-1252 otherwise, the two that cameras use for names.
func CleanText(b []byte, max int) string {
	if max <= 0 || len(b) == 0 {
		return ""
	}
	// Leading blanks and NUL padding are no reason to lose the text behind
	// them, but there is an end to what is looked at.
	if limit := 4*max + 64; len(b) > limit {
		b = b[:limit]
	}
	if plain(b) {
		return cut(strings.Trim(string(b), " "), max)
	}
	b = wholeRunes(b)
	text := ""
	if utf8.Valid(b) {
		text = string(b)
	} else {
		text = legacyText(b)
	}
	return cut(strings.TrimSpace(printable(text)), max)
}

// Damaged reports whether a text message holds control characters that no XML
// document may hold (XML 1.0 section 2.2): it was altered on its way or is
// forged, so that what it lacks may have said otherwise. Padding with NUL at
// its end is none.
func Damaged(b []byte) bool {
	for i := len(b); i > 0 && b[i-1] == 0; i-- {
		b = b[:i-1]
	}
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return true
		}
	}
	return false
}

// plain reports whether b is printable ASCII throughout.
func plain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// wholeRunes drops a UTF-8 sequence that the end of b cuts off.
func wholeRunes(b []byte) []byte {
	for back := 1; back < utf8.UTFMax && back <= len(b); back++ {
		tail := b[len(b)-back:]
		if utf8.RuneStart(tail[0]) {
			if tail[0] >= 0xc2 && !utf8.FullRune(tail) && utf8.Valid(b[:len(b)-back]) {
				return b[:len(b)-back]
			}
			return b
		}
	}
	return b
}

func legacyText(b []byte) string {
	var from encoding.Encoding = charmap.Windows1252
	if looksGBK(b) {
		from = simplifiedchinese.GBK
	}
	text, err := from.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "")
	}
	return strings.ReplaceAll(string(text), string(utf8.RuneError), "")
}

// looksGBK holds when every byte above ASCII belongs to a pair whose both
// bytes are: Chinese names do, an accented letter among ASCII does not.
func looksGBK(b []byte) bool {
	for i := 0; i < len(b); i++ {
		if b[i] < 0x80 {
			continue
		}
		if i+1 == len(b) {
			return i > 1 // a pair cut off at the end
		}
		if b[i] == 0x80 || b[i] == 0xff || b[i+1] < 0x80 || b[i+1] == 0xff {
			return false
		}
		i++
	}
	return true
}

// printable maps each run of control, formatting, private and separator
// characters to one space and drops NUL.
func printable(s string) string {
	var out strings.Builder
	out.Grow(len(s))
	gap := false
	for _, r := range s {
		switch {
		case r == 0 || r == utf8.RuneError:
		case r == ' ':
			gap = false
			out.WriteByte(' ')
		case !unicode.IsGraphic(r) || unicode.IsSpace(r):
			if !gap {
				out.WriteByte(' ')
			}
			gap = true
		default:
			gap = false
			out.WriteRune(r)
		}
	}
	return out.String()
}

// cut shortens s to at most max bytes without splitting a character.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return strings.TrimRight(s[:max], " ")
}
