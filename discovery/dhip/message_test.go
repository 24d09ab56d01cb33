package dhip

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"camcensus/discovery"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func value(fields []discovery.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func TestFields(t *testing.T) {
	neutral := fixture(t, "dahua_neutral.bin")
	spaced := bytes.ReplaceAll(neutral[headerSize:], []byte(`":`), []byte(`" : `))
	unclosed := bytes.Replace(neutral[headerSize:], []byte(`13.R","`), []byte(`13.R, "`), 1)
	long := append(append(append([]byte{}, neutral[:headerSize]...), "{\x00\x00\x00extra"...), neutral[headerSize:]...)
	tests := []struct {
		name        string
		raw         []byte
		field, want string
	}{
		{"model", neutral, "model", "IPC-HDW1431T1-S4"},
		{"class", neutral, "class", "IPC"},
		{"vendor", neutral, "vendor", "Private"},
		{"serial", neutral, "serial", "6C01E93PAG00001"},
		{"firmware", neutral, "firmware", "2.800.0000000.13.R"},
		{"MAC", neutral, "mac", "08:ed:ed:0a:0b:0c"},
		{"IPv4 address, not IPv6", neutral, "ip", "10.77.0.31"},
		{"SDK port", neutral, "port.sdk", "37777"},
		{"cameras behind a recorder", neutral, "channels.remote", "0"},
		{"state of setup", neutral, "init", "2714"},
		{"length that holds a brace", fixture(t, "lorex.bin"), "vendor", "Lorex"},
		{"other SDK port", fixture(t, "lorex.bin"), "port.sdk", "35000"},
		{"door station", fixture(t, "dahua_door_station.bin"), "class", "VTO"},
		{"access terminal", fixture(t, "intelbras_terminal.bin"), "manufacturer", "Intelbras"},
		{"bare JSON", neutral[headerSize:], "model", "IPC-HDW1431T1-S4"},
		{"spaced keys", spaced, "model", "IPC-HDW1431T1-S4"},
		{"trailing newline and NUL", append(bytes.Clone(neutral), '\n', 0), "vendor", "Private"},
		{"header longer than usual", long, "model", "IPC-HDW1431T1-S4"},
		{"quote that is missing", unclosed, "firmware", "2.800.0000000.13.R"},
		{"what follows the missing quote", unclosed, "channels.video", "1"},
		{"truncated", neutral[:len(neutral)-60], "model", "IPC-HDW1431T1-S4"},
		{"truncated within a value", neutral[:bytes.Index(neutral, []byte("1431T1"))], "model", ""},
		{"no JSON", []byte("hello"), "model", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := value(Fields("dhip", test.raw), test.field); got != test.want {
				t.Errorf("%s = %q, want %q", test.field, got, test.want)
			}
		})
	}
	if fixture(t, "lorex.bin")[16] != '{' {
		t.Error("the trap is gone from the fixture")
	}
}

func TestSearchIsExact(t *testing.T) {
	b := search()
	if !bytes.HasPrefix(b, []byte(" \x00\x00\x00DHIP")) {
		t.Errorf("magic in another order: % x", b[:8])
	}
	if n := binary.LittleEndian.Uint32(b[16:]); int(n) != len(b)-headerSize || n != binary.LittleEndian.Uint32(b[24:]) {
		t.Errorf("length %d of %d", n, len(b)-headerSize)
	}
}

func TestEvidenceIsTheJSONAlone(t *testing.T) {
	h := Hear(fixture(t, "dahua.bin"))
	if len(h) != 1 || h[0].Kind != "dhip" || h[0].Raw[0] != '{' || h[0].Raw[len(h[0].Raw)-1] != '}' {
		t.Errorf("%+v", h)
	}
	if h := Hear(search()); len(h) != 1 || h[0].Kind != "" {
		t.Errorf("a question is %+v", h)
	}
}

func FuzzFields(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.bin")
	for _, name := range files {
		f.Add(fixture(f, filepath.Base(name)))
	}
	f.Add([]byte(`{"DeviceType" : "a, "Vendor":"b"`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, field := range Fields("dhip", raw) {
			if !utf8.ValidString(field.Value) || strings.ContainsRune(field.Value, 0) {
				t.Errorf("%s holds %q", field.Name, field.Value)
			}
		}
		Hear(raw)
	})
}
