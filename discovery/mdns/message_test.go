package mdns

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/miekg/dns"

	"camcensus/discovery"
)

func value(fields []discovery.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func TestFields(t *testing.T) {
	axis := `{"instance":"AXIS P0000 - ACCC8E000001","service":"_axis-video._tcp","host":"axis-accc8e000001.local","port":80,"txt":["macaddress=ACCC8E000001","=x","plain","Bad Key=1"]}`
	tests := []struct{ name, raw, field, want string }{
		{"instance", axis, "instance", "AXIS P0000 - ACCC8E000001"},
		{"service", axis, "service", "_axis-video._tcp"},
		{"host", axis, "host", "axis-accc8e000001.local"},
		{"port", axis, "port", "80"},
		{"text", axis, "txt", "macaddress=ACCC8E000001"},
		{"text by key", axis, "txt.macaddress", "ACCC8E000001"},
		{"MAC", axis, "mac", "ac:cc:8e:00:00:01"},
		{"Arecont's MAC", `{"txt":["MAC=AV0A0B0C-FW10000.00-1-0100/1000-AV1"]}`, "mac", "00:1a:07:0a:0b:0c"},
		{"NAS's MAC", `{"txt":["mac_address=00:11:32:0a:0b:0c"]}`, "mac", "00:11:32:0a:0b:0c"},
		{"pairing id is no MAC", `{"service":"_hap._tcp","txt":["id=11:22:33:44:55:66"]}`, "mac", ""},
		{"no JSON", `{"instance":`, "instance", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := value(Fields("mdns", []byte(test.raw)), test.field); got != test.want {
				t.Errorf("%s = %q, want %q", test.field, got, test.want)
			}
		})
	}
}

func packed(t testing.TB, ttl uint32, records ...string) []byte {
	t.Helper()
	m := new(dns.Msg)
	m.Response = true
	for _, r := range records {
		rr, err := dns.NewRR(r)
		if err != nil {
			t.Fatal(err)
		}
		rr.Header().Ttl = ttl
		m.Answer = append(m.Answer, rr)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var axisRecords = []string{
	`_axis-video._tcp.local. IN PTR AXIS\ P0000\ v1\.2\ \195\156._axis-video._tcp.local.`,
	`AXIS\ P0000\ v1\.2\ \195\156._Axis-Video._TCP.local. IN SRV 0 0 80 Axis-1.local.`,
	`AXIS\ P0000\ v1\.2\ \195\156._axis-video._tcp.local. IN TXT "macaddress=ACCC8E000001" "a\"b"`,
	`axis-1.LOCAL. IN A 10.77.0.80`,
	`_services._dns-sd._udp.local. IN PTR _printer._tcp.local.`,
}

func TestParseJoinsRecordsInAnyCaseAndUnescapes(t *testing.T) {
	a, ok := parse(packed(t, 120, axisRecords...))
	if !ok || len(a.services) != 1 {
		t.Fatalf("%+v", a)
	}
	s := a.services[0]
	if s.Instance != "AXIS P0000 v1.2 Ü" || s.Service != "_axis-video._tcp" || s.Host != "Axis-1.local" || s.Port != 80 || len(s.TXT) != 2 || s.TXT[1] != `a"b` {
		t.Errorf("%+v", s)
	}
	if hosts := a.hosts["axis-1.local"]; len(hosts) != 1 || hosts[0].String() != "10.77.0.80" {
		t.Errorf("hosts %v", a.hosts)
	}
	if len(a.types) != 1 || a.types[0] != "_printer._tcp" {
		t.Errorf("types %v", a.types)
	}
}

func TestGoodbyesAndQuestionsAreNoEvidence(t *testing.T) {
	if a, ok := parse(packed(t, 0, axisRecords...)); !ok || len(a.services) != 0 || !a.goodbye {
		t.Errorf("goodbye of the host is %+v", a)
	}
	if a, ok := parse(packed(t, 0, axisRecords[0])); !ok || a.goodbye {
		t.Errorf("goodbye of one service is %+v", a)
	}
	if a, ok := parse(questions(cameraServices)); !ok || !a.query {
		t.Errorf("a question is %+v", a)
	}
}

func TestQuestionFitsOneFrame(t *testing.T) {
	var many []string
	for range maxFound {
		many = append(many, "_abcdefghijklmnopqrstuvw._tcp")
	}
	if n := len(questions(append(many, cameraServices...))); n == 0 || n > 1232 {
		t.Errorf("%d bytes", n)
	}
}

func TestServiceTypeRefusesWhatIsNone(t *testing.T) {
	for name, want := range map[string]string{
		"_rtsp._tcp.local": "_rtsp._tcp", "_http._tcp.local.": "_http._tcp", "_CGI._tcp": "_CGI._tcp",
		"x._http._tcp.local.": "", "_a b._tcp.local.": "", "_http._tcp.example.com.": "", "": "", "_._tcp.local.": "",
		`_a\000b._tcp.local.`: "",
	} {
		if got, _ := serviceType(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(packed(f, 120, axisRecords...))
	f.Add(packed(f, 0, axisRecords...))
	f.Add(questions(cameraServices))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, _ := parse(raw)
		if len(a.services) > maxServices || len(a.hosts) > maxServices {
			t.Errorf("%d services, %d hosts", len(a.services), len(a.hosts))
		}
		for _, s := range a.services {
			record := s.record()
			if record == nil {
				continue
			}
			if !json.Valid(record) {
				t.Errorf("record %q", record)
			}
			for _, field := range Fields("mdns", record) {
				if !utf8.ValidString(field.Value) || strings.ContainsRune(field.Value, 0) {
					t.Errorf("%s holds %q", field.Name, field.Value)
				}
			}
		}
	})
}

func FuzzFields(f *testing.F) {
	f.Add([]byte(`{"instance":"a","service":"_http._tcp","port":80,"txt":["mac=AV0A0B0C","k=v"]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, field := range Fields("mdns", raw) {
			if !utf8.ValidString(field.Value) {
				t.Errorf("%s holds %q", field.Name, field.Value)
			}
		}
	})
}
