package wsd

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
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

func values(fields []discovery.Field, name string) []string {
	var list []string
	for _, f := range fields {
		if f.Name == name {
			list = append(list, f.Value)
		}
	}
	return list
}

func envelope(body string) string {
	return `<s:Envelope xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Body>` + body + `</s:Body></s:Envelope>`
}

func match(inner string) string {
	return envelope(`<d:ProbeMatches><d:ProbeMatch>` + inner + `</d:ProbeMatch></d:ProbeMatches>`)
}

func TestFields(t *testing.T) {
	hikvision := string(fixture(t, "hikvision_probematch.xml"))
	tests := []struct {
		name  string
		raw   string
		field string
		want  []string
	}{
		{"action", hikvision, "action", []string{"probematches"}},
		{"dialect", hikvision, "namespace", []string{"2005"}},
		{"types by local name", hikvision, "type", []string{"NetworkVideoTransmitter", "Device"}},
		{"name with percent escapes", hikvision, "scope.name", []string{"HIKVISION DS-2CD2385G1-I"}},
		{"hardware", hikvision, "scope.hardware", []string{"DS-2CD2385G1-I"}},
		{"MAC of scope and endpoint is one", hikvision, "mac", []string{"58:50:ed:0a:0b:0c"}},
		{"ports of addresses", hikvision, "port.http", []string{"80"}},
		{"both addresses", hikvision, "xaddr", []string{"http://10.77.0.21/onvif/device_service", "http://[fe80::5a50:edff:fe0a:b0c]/onvif/device_service"}},
		{"port in an address", string(fixture(t, "tapo_probematch.xml")), "port.http", []string{"2020"}},
		{"TP-Link's constant head", string(fixture(t, "tapo_probematch.xml")), "mac", []string{"c0:06:c3:0a:0b:0e"}},
		{"random endpoint", string(fixture(t, "axis_probematch.xml")), "mac", nil},
		{"https", string(fixture(t, "axis_probematch.xml")), "port.https", []string{"443"}},
		{"hello", string(fixture(t, "dahua_hello.xml")), "action", []string{"hello"}},
		{"extension", string(fixture(t, "dahua_hello.xml")), "scope.extension", []string{"unique_identifier"}},
		{"fault", string(fixture(t, "hikvision_fault.xml")), "fault", []string{"MatchingRuleNotSupported: the xml format error"}},
		{"fault's action", string(fixture(t, "hikvision_fault.xml")), "action", []string{"fault"}},
		{"address that is none", string(fixture(t, "service_uri_probematch.xml")), "port.http", nil},
		{"address that is none is kept", string(fixture(t, "service_uri_probematch.xml")), "xaddr", []string{"SERVICE_URI"}},
		{"bogus scope token", string(fixture(t, "hikvision_relabel_probematch.xml")), "scope.hardware", []string{"DFI6256TE"}},
		{"trailing NULs", hikvision + "\x00\x00\x00", "scope.hardware", []string{"DS-2CD2385G1-I"}},
		{"blank lines before", "\r\n\r\n" + hikvision, "action", []string{"probematches"}},
		{"byte order mark", "\xef\xbb\xbf" + hikvision, "action", []string{"probematches"}},
		{"XML 1.1", strings.Replace(hikvision, `version="1.0"`, `version="1.1"`, 1), "action", []string{"probematches"}},
		{"charset utf8", strings.Replace(hikvision, "UTF-8", "utf8", 1), "action", []string{"probematches"}},
		{"undeclared prefixes", strings.ReplaceAll(hikvision, "xmlns:", "x"), "action", []string{"probematches"}},
		{"raw ampersand", strings.Replace(hikvision, "city/hangzhou", "a&b", 1), "scope.location", []string{"a&b"}},
		{"GB 2312 declared", "<?xml version=\"1.0\" encoding=\"GB2312\"?>" + match("<d:Scopes>onvif://www.onvif.org/name/\xd6\xd0\xb9\xfa</d:Scopes>"), "scope.name", []string{"中国"}},
		{"Latin-1 under UTF-8", match("<d:Scopes>onvif://www.onvif.org/location/Montr\xe9al</d:Scopes>"), "scope.location", []string{"Montréal"}},
		{"control characters", match("<d:Scopes>onvif://www.onvif.org/name/a\x01\x02b</d:Scopes>"), "scope.name", []string{"ab"}},
		{"maker in short", match("<d:Scopes>onvif://www.onvif.org/mfr/Amcrest_Technologies</d:Scopes>"), "scope.manufacturer", []string{"Amcrest_Technologies"}},
		{"category in capitals", match("<d:Scopes>onvif://www.onvif.org/Manufacturer/A onvif://www.onvif.org/Model/B</d:Scopes>"), "scope.hardware", []string{"B"}},
		{"newlines between scopes", match("<d:Scopes>\n onvif://www.onvif.org/name/A\n onvif://www.onvif.org/hardware/B\n</d:Scopes>"), "scope.hardware", []string{"B"}},
		{"unescaped space", match("<d:Scopes>onvif://www.onvif.org/name/Front Door onvif://www.onvif.org/hardware/B</d:Scopes>"), "scope.name", []string{"Front Door"}},
		{"MAC in dashes and any case", match("<d:Scopes>onvif://www.onvif.org/mac/14-22-3B-0A-0B-0C</d:Scopes>"), "mac", []string{"14:22:3b:0a:0b:0c"}},
		{"mismatched end tag", match("<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/name/A"), "scope.name", []string{"A"}},
		{"mismatched end tag only hints", match("<d:Scopes>onvif://www.onvif.org/name/A</d:ProbeMatch>"), "truncated", []string{"true"}},
		{"a scope of no device only hints", match("<d:Scopes>onvif://www.onvif.org/name/A onvif://www.onviware/B</d:Scopes>"), "truncated", []string{"true"}},
		{"a scope without end only hints", match("<d:Scopes>onvif://www.onvif.org/name/" + strings.Repeat("A", 600) + "</d:Scopes>"), "truncated", []string{"true"}},
		{"another scheme's scope is sound", match("<d:Scopes>onvif://www.onvif.org/name/A odm:name:x http:123</d:Scopes>"), "truncated", nil},
		{"truncated within scopes", hikvision[:strings.Index(hikvision, "onvif://www.onvif.org/name/")+30], "scope.hardware", []string{"DS-2CD2385G1-I"}},
		{"truncated scope itself", hikvision[:strings.Index(hikvision, "onvif://www.onvif.org/name/")+30], "scope.name", nil},
		{"SOAP 1.1 fault", `<E:Envelope><E:Body><E:Fault><faultcode>E:Client</faultcode><faultstring>no</faultstring></E:Fault></E:Body></E:Envelope>`, "fault", []string{"Client: no"}},
		{"two matches", match(`<d:Types>a:X</d:Types></d:ProbeMatch><d:ProbeMatch><d:Types>a:Y</d:Types>`), "type", []string{"X", "Y"}},
		{"no SOAP", "M-SEARCH * HTTP/1.1\r\n", "action", nil},
		{"Bosch's mirrored endpoint", match("<a:EndpointReference><a:Address>urn:uuid:00075f0a-0b0c-0c0b-0a5f-0700075f0a0b</a:Address></a:EndpointReference>"), "mac", []string{"00:07:5f:0a:0b:0c"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := values(Fields("wsd", []byte(test.raw)), test.field); !slices.Equal(got, test.want) {
				t.Errorf("%s = %q, want %q", test.field, got, test.want)
			}
		})
	}
}

func TestSplitGivesEveryMatchAnEnvelopeOfItsOwn(t *testing.T) {
	one := func(n string) string {
		return `<d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:` + n + `</a:Address></a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types></d:ProbeMatch>`
	}
	raw := envelope(`<d:ProbeMatches>` + one("1") + "\n" + one("2") + one("3") + `</d:ProbeMatches>`)
	parts := Split([]byte(raw))
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	for n, part := range parts {
		e, ok := Parse(part)
		if !ok || e.Truncated || len(e.Matches) != 1 || e.Matches[0].EPR != "urn:uuid:"+string(rune('1'+n)) || e.Action != "probematches" {
			t.Errorf("part %d is %+v", n, e)
		}
	}
	if whole := fixture(t, "axis_probematch.xml"); !bytes.Equal(Split(whole)[0], whole) {
		t.Error("a single match is not as received")
	}
}

func TestTruncatedSplitKeepsWhatWasComplete(t *testing.T) {
	raw := match(`<d:Types>a:X</d:Types></d:ProbeMatch><d:ProbeMatch><d:Types>a:Y</d:Types>`)
	raw = raw[:strings.Index(raw, "a:Y")+1]
	parts := Split([]byte(raw))
	if len(parts) != 2 || !slices.Equal(values(Fields("wsd", parts[0]), "type"), []string{"X"}) {
		t.Fatalf("%q", parts)
	}
}

func TestMessageIDsAreOneHoweverTheyAreWritten(t *testing.T) {
	const id = "a86f9421-b764-4256-8762-5ed0d8602a9c"
	for _, echo := range []string{"uuid:" + id, "urn:uuid:" + strings.ToUpper(id), " " + id + "\n"} {
		if bareID(echo) != id {
			t.Errorf("%q is not recognised", echo)
		}
	}
}

func TestDepthAndCountsAreBounded(t *testing.T) {
	for name, raw := range map[string]string{
		"depth":   strings.Repeat("<a>", 20000),
		"matches": "<Envelope>" + strings.Repeat("<ProbeMatch/>", 4000),
		"scopes":  match("<Scopes>" + strings.Repeat("onvif://www.onvif.org/name/a ", 2000) + "</Scopes>"),
	} {
		if n := len(Fields("wsd", []byte(raw))); n > 300 {
			t.Errorf("%s: %d fields", name, n)
		}
		if n := len(Split([]byte(raw))); n > maxMatches {
			t.Errorf("%s: %d parts", name, n)
		}
	}
}

// A maker may speak a form of its own: its name before the elements, its own
// namespace, and the match's content straight in the list.
func TestMakersOwnForm(t *testing.T) {
	const space = "http://www.uniview.com/Ver10/Device/wsdl"
	form := func(declared, list, inner string) string {
		return `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" ` + declared +
			`><s:Header><a:Action>` + space + `/UniviewProbeMatches</a:Action></s:Header><s:Body><` + list + `>` + inner + `</` + list + `></s:Body></s:Envelope>`
	}
	const content = `<tns:Scopes>onvif://www.onvif.org/manufacturer/UNIVIEW onvif://www.onvif.org/macaddr/88263f000001 ` +
		`onvif://www.onvif.org/hardware/IPC2124LE</tns:Scopes><tns:XAddrs>http://192.0.2.6:8080/LAPI/V1.0/System/DeviceInfo</tns:XAddrs>`
	own := form(`xmlns:tns="`+space+`"`, "tns:UniviewProbeMatches", content)
	tests := []struct {
		name, raw, field string
		want             []string
	}{
		{"action", own, "action", []string{"probematches"}},
		{"dialect", own, "dialect", []string{space}},
		{"maker", own, "scope.manufacturer", []string{"UNIVIEW"}},
		{"model", own, "scope.hardware", []string{"IPC2124LE"}},
		{"address", own, "mac", []string{"88:26:3f:00:00:01"}},
		{"port", own, "port.http", []string{"8080"}},
		{"no truncation", own, "truncated", nil},
		{"match within the list", form(`xmlns:tns="`+space+`"`, "tns:UniviewProbeMatches", "<tns:UniviewProbeMatch>"+content+"</tns:UniviewProbeMatch>"), "scope.hardware", []string{"IPC2124LE"}},
		{"default namespace", form(`xmlns="`+space+`"`, "UniviewProbeMatches", content), "dialect", []string{space}},
		{"undeclared prefix tells nothing", form("", "tns:UniviewProbeMatches", content), "dialect", nil},
		{"a namespace declared beside the match is no dialect", form(`xmlns:tns="`+space+`"`, "d:ProbeMatches", "<d:ProbeMatch>"+content+"</d:ProbeMatch>"), "dialect", nil},
		{"maker among the types", match("<d:Scopes>onvif://www.onvif.org/type/manufacturer/FOSCAM onvif://www.onvif.org/type/ptz</d:Scopes>"), "scope.manufacturer", []string{"FOSCAM"}},
		{"type beside it", match("<d:Scopes>onvif://www.onvif.org/type/manufacturer/FOSCAM onvif://www.onvif.org/type/ptz</d:Scopes>"), "scope.type", []string{"ptz"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := values(Fields("wsd", []byte(test.raw)), test.field); !slices.Equal(got, test.want) {
				t.Errorf("%s = %q, want %q", test.field, got, test.want)
			}
		})
	}
	if parts := Split([]byte(own)); len(parts) != 1 {
		t.Errorf("%d parts", len(parts))
	}
	if heard := Hear([]byte(own)); len(heard) != 1 || heard[0].Kind != "wsd" {
		t.Errorf("heard %+v", heard)
	}
	two := strings.Replace(own, "</s:Body>", `<tns:UniviewProbeMatches><tns:Scopes>onvif://www.onvif.org/hardware/NVR301</tns:Scopes></tns:UniviewProbeMatches></s:Body>`, 1)
	var models []string
	for _, part := range Split([]byte(two)) {
		models = append(models, values(Fields("wsd", part), "scope.hardware")...)
	}
	if !slices.Equal(models, []string{"IPC2124LE", "NVR301"}) {
		t.Errorf("models of the parts: %q", models)
	}
}

func FuzzFields(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.xml")
	for _, name := range files {
		f.Add(fixture(f, filepath.Base(name)))
	}
	f.Add([]byte(match("<d:Scopes>\xd6\xd0</d:Scopes></d:ProbeMatch><d:ProbeMatch>")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, part := range Split(raw) {
			check(t, Fields("wsd", part))
		}
		Hear(raw)
	})
}

func check(t *testing.T, fields []discovery.Field) {
	t.Helper()
	if len(fields) > 256 {
		t.Errorf("%d fields", len(fields))
	}
	for _, field := range fields {
		if !utf8.ValidString(field.Value) || strings.ContainsFunc(field.Value, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			t.Errorf("%s holds %q", field.Name, field.Value)
		}
	}
}
