package discovery

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCleanText(t *testing.T) {
	tests := []struct {
		name string
		in   string
		max  int
		want string
	}{
		{"plain", "DS-2CD2385G1-I", 64, "DS-2CD2385G1-I"},
		{"trimmed", "  name \r\n", 64, "name"},
		{"NUL padding", "IPC\x00\x00\x00", 64, "IPC"},
		{"control characters are one space", "a\r\n\tb", 64, "a b"},
		{"UTF-8 stays", "Caméra d’entrée", 64, "Caméra d’entrée"},
		{"GBK", "\xc9\xe3\xcf\xf1\xbb\xfa 1", 64, "摄像机 1"},
		{"Windows-1252", "Entr\xe9e", 64, "Entrée"},
		{"cut at a character", "ééé", 5, "éé"},
		{"UTF-8 cut off by a short read", "caf\xc3", 64, "caf"},
		{"direction overrides", "abc\u202edef", 64, "abc def"},
		{"nothing", "", 64, ""},
		{"no room", "abc", 0, ""},
		{"escape sequences", "\x1b[31mred", 64, "[31mred"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := CleanText([]byte(tt.in), tt.max); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzCleanText(f *testing.F) {
	f.Add([]byte("plain"), 10)
	f.Add([]byte("\xc9\xe3\xcf\xf1\xbb"), 6)
	f.Add([]byte("\x00\x1b\u2028é"), 3)
	f.Fuzz(func(t *testing.T, b []byte, max int) {
		max %= 1 << 12
		got := CleanText(b, max)
		if !utf8.ValidString(got) || len(got) > 0 && len(got) > max || strings.TrimSpace(got) != got || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("CleanText(%q, %d) = %q", b, max, got)
		}
	})
}

func TestDamaged(t *testing.T) {
	for text, want := range map[string]bool{
		"":                          false,
		"<a>\r\n\t\u5357\u4eac</a>": false,
		"<a/>\x00\x00":              false,
		"<a>\x00</a>":               true,
		"<a>\x1b[0m</a>":            true,
	} {
		if got := Damaged([]byte(text)); got != want {
			t.Errorf("Damaged(%q) = %v", text, got)
		}
	}
}
