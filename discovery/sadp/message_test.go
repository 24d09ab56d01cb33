package sadp

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"camcensus/discovery"
)

func fixture(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/hikvision.xml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func values(fields []discovery.Field, name string) []string {
	var list []string
	for _, f := range fields {
		if f.Name == name {
			list = append(list, f.Value)
		}
	}
	return list
}

func TestFields(t *testing.T) {
	raw := string(fixture(t))
	tests := []struct{ name, raw, field, want string }{
		{"model", raw, "model", "DS-2CD2385G1-I"},
		{"serial", raw, "serial", "DS-2CD2385G1-I20200414AAWRE10203040"},
		{"MAC in colons", raw, "mac", "58:50:ed:0a:0b:0c"},
		{"firmware", raw, "firmware", "V5.6.2build 190701"},
		{"signal processor", raw, "dsp", "V7.3 build 190626"},
		{"own brand", raw, "oemcode", "1"},
		{"SDK port", raw, "port.sdk", "8000"},
		{"digital channels", raw, "channels.digital", "1"},
		{"analog channels, none", raw, "channels.analog", "0"},
		{"activated", raw, "activated", "true"},
		{"activated, misspelt", strings.Replace(raw, "<Activated>true", "<Activated>flase", 1), "activated", "false"},
		{"no IPv4", strings.Replace(raw, "10.77.0.21", "0.0.0.0", 1), "ip", ""},
		{"OEM text that says nothing", strings.Replace(raw, "<Types>", "<OEMInfo>N/A</OEMInfo><Types>", 1), "oeminfo", ""},
		{"OEM text", strings.Replace(raw, "<Types>", "<OEMinfo>LTS</OEMinfo><Types>", 1), "oeminfo", "LTS"},
		{"text for a product code", strings.Replace(raw, "141945", "CS-CB2", 1), "devicetype", "CS-CB2"},
		{"unescaped ampersand", strings.Replace(raw, "DS-2CD2385G1-I<", "A&B<", 1), "model", "A&B"},
		{"escaped ampersand", strings.Replace(raw, "DS-2CD2385G1-I<", "A&amp;B<", 1), "model", "A&B"},
		{"no declaration, CRLF", strings.ReplaceAll(raw[strings.Index(raw, "<ProbeMatch"):], "\n", "\r\n"), "model", "DS-2CD2385G1-I"},
		{"one line", strings.ReplaceAll(raw, "\n", ""), "model", "DS-2CD2385G1-I"},
		{"truncated keeps what was complete", raw[:strings.Index(raw, "<SoftwareVersion>")+20], "mac", "58:50:ed:0a:0b:0c"},
		{"truncated value is no value", raw[:strings.Index(raw, "<SoftwareVersion>")+20], "firmware", ""},
		{"GBK text", strings.Replace(raw, "DS-2CD2385G1-I<", "\xd6\xd0\xb9\xfa<", 1), "model", "中国"},
		{"trailing NULs", raw + "\x00\x00", "model", "DS-2CD2385G1-I"},
		{"salt is never a fact", raw, "salt", ""},
		{"somebody's question", inquiry, "types", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := strings.Join(values(Fields("sadp", []byte(test.raw)), test.field), ",")
			if got != test.want {
				t.Errorf("%s = %q, want %q", test.field, got, test.want)
			}
		})
	}
}

func TestOnlyAnswersToInquiriesAreEvidence(t *testing.T) {
	raw := fixture(t)
	if h := Hear(raw); len(h) != 1 || h[0].Kind != "sadp" || !strings.EqualFold(h[0].Token, "e8ecfe09-90e4-44c0-842b-000000000001") {
		t.Errorf("an answer is %+v", h)
	}
	for _, other := range [][]byte{bytes.Replace(raw, []byte(">inquiry<"), []byte(">getcode<"), 1), request(inquiry, fixedToken)} {
		if h := Hear(other); len(h) != 1 || h[0].Kind != "" {
			t.Errorf("%.60q is %+v", other, h)
		}
	}
	if h := Hear([]byte("hello")); h != nil {
		t.Errorf("noise is %+v", h)
	}
}

// JSON of a client may have one name in two spellings; which counts is the
// same each time.
func TestOneNameInTwoSpellingsIsReadAlikeEachTime(t *testing.T) {
	raw := []byte(`{"types": "inquiry", "deviceDescription": "B", "DeviceDescription": "A", "devicedescription": "C"}`)
	for range 50 {
		if got := values(Fields("sadp", raw), "model"); !slices.Equal(got, []string{"A"}) {
			t.Fatalf("model = %q", got)
		}
	}
}

func TestSaltIsNotKept(t *testing.T) {
	kept := withoutSalt(fixture(t))
	if bytes.Contains(kept, []byte("0000000000000000")) || !bytes.Contains(kept, []byte("<Salt></Salt>")) {
		t.Errorf("%s", kept)
	}
	if !slices.Equal(Fields("sadp", kept), Fields("sadp", fixture(t))) {
		t.Error("facts differ without the salt")
	}
}

func FuzzFields(f *testing.F) {
	f.Add(fixture(f))
	f.Add([]byte("<ProbeMatch><Types>inquiry</Types><Salt>12"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, field := range Fields("sadp", raw) {
			if !utf8.ValidString(field.Value) {
				t.Errorf("%s holds %q", field.Name, field.Value)
			}
		}
		Hear(raw)
	})
}
