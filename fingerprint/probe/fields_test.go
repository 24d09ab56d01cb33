package probe

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"camcensus/discovery"
)

// lines joins fields as name=value for comparing; the body is left out.
func lines(fields []discovery.Field) string {
	var b strings.Builder
	for _, f := range fields {
		if f.Name == "body" {
			continue
		}
		b.WriteString(f.Name + "=" + f.Value + "\n")
	}
	return b.String()
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

// A realm may be the MAC and nothing else, in HTTP as in RTSP. What only looks
// like one (a serial number, a digest, a block that nobody has) gives none.
func TestRealmThatIsAMAC(t *testing.T) {
	for realm, want := range map[string]string{
		"4419b66d2485":          "44:19:b6:6d:24:85",
		"4419B66D2485":          "44:19:b6:6d:24:85",
		"44-19-B6-6D-24-85":     "44:19:b6:6d:24:85",
		"44:19:b6:6d:24:85":     "44:19:b6:6d:24:85",
		"00:12:34:56:78:90":     "00:12:34:56:78:90", // written as an address: no letter is needed
		"001234567890":          "",                  // may be a serial number
		"4619b66d2485":          "",                  // given by no factory
		"4519b66d2485":          "",                  // a group's
		"fc1234abcdef":          "",                  // of no registered block
		"aaaaaaaaaaaa":          "",
		"4419b66d248":           "",
		"4419b66d24851":         "",
		"x 4419b66d2485":        "",
		"4419b66d2485 shop":     "",
		"44-19:B6-6D-24-85":     "",
		"44-19-B6-6D-24-8g":     "",
		"4419b66d24854419b66d2": "",
		"":                      "",
	} {
		for _, kind := range []string{"http", "rtsp"} {
			raw := strings.ToUpper(kind) + "/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"" + realm + "\", nonce=\"47f1\"\r\n\r\n"
			got := ""
			for _, f := range Fields(kind, "/", []byte(raw)) {
				if f.Name == "mac" {
					got += f.Value
				}
			}
			if got != want {
				t.Errorf("%s, realm %q: MAC %q, want %q", kind, realm, got, want)
			}
		}
	}
}

func TestFieldsOfHTTP(t *testing.T) {
	for _, tc := range []struct{ name, raw, want string }{
		{"ordinary answer", "HTTP/1.1 200 OK\r\nServer: App-webs/\r\nX-Frame-Options: SAMEORIGIN\r\n\r\n<html><TITLE >\n index\t page </TITLE></html>",
			"status=200\nserver=App-webs/\nheader.x-frame-options=SAMEORIGIN\ntitle=index page\n"},
		{"HTTP/1.0 with bare line feeds", "HTTP/1.0 401 Unauthorized\nServer: Boa/0.94\nWWW-Authenticate: Basic realm=\"DCS-2530L\"\n\n",
			"status=401\nserver=Boa/0.94\nauth=basic\nrealm=DCS-2530L\nbody.empty=true\n"},
		{"no status line", "Server: thttpd\r\nContent-Type: text/html\r\n\r\n<title>x</title>",
			"server=thttpd\nheader.content-type=text/html\ntitle=x\n"},
		{"nothing but a page", "<html><head><title>Network Camera</title>", "title=Network Camera\n"},
		{"page without a blank line", "HTTP/1.0 200 OK\r\nServer: a\r\n<html><title>b</title>", "status=200\nserver=a\ntitle=b\n"},
		{"two challenges in two lines", "HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm=\"IP Camera(C1)\", nonce=\"1\"\r\nWWW-Authenticate: Basic realm=\"IP Camera(C1)\"\r\n\r\n",
			"status=401\nauth=digest\nrealm=IP Camera(C1)\nauth=basic\nbody.empty=true\n"},
		{"two challenges in one line", "HTTP/1.1 401 X\r\nwww-authenticate: Basic realm=\"a\", Digest qop=\"auth\", realm=\"b \\\"c\\\"\"\r\n\r\n",
			"status=401\nauth=basic\nrealm=a\nrealm=b \"c\"\nbody.empty=true\n"},
		{"realm without quotes or end", "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=DVR\r\nWWW-Authenticate: Digest realm=\"open\r\n\r\n",
			"status=401\nauth=basic\nrealm=DVR\nauth=digest\nrealm=open\nbody.empty=true\n"},
		{"a realm that carries the MAC", "HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm=\"AXIS_ACCC8E010203\"\r\n\r\n",
			"status=401\nauth=digest\nrealm=AXIS_ACCC8E010203\nmac=ac:cc:8e:01:02:03\nbody.empty=true\n"},
		{"chunked as received", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n<title>\r\nb;x=1\r\nhello there\r\n8\r\n</title>\r\n0\r\n\r\n",
			"status=200\nheader.transfer-encoding=chunked\ntitle=hello there\n"},
		{"said to be chunked, is not", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n<title>plain</title>",
			"status=200\nheader.transfer-encoding=chunked\ntitle=plain\n"},
		{"gzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + zipped("<title>packed</title>"),
			"status=200\nheader.content-encoding=gzip\ntitle=packed\n"},
		{"latin-1", "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=ISO-8859-1\r\n\r\n<title>Cam\xe9ra r\xe9seau</title>",
			"status=200\nheader.content-type=text/html; charset=ISO-8859-1\ntitle=Caméra réseau\n"},
		{"GBK", "HTTP/1.1 200 OK\r\n\r\n<title>\xca\xd3\xc6\xb5</title>", "status=200\ntitle=视频\n"},
		{"references escaped twice", "HTTP/1.1 200 OK\r\n\r\n<title>DiskStation&amp;nbsp;-&amp;nbsp;Synology</title>",
			"status=200\ntitle=DiskStation - Synology\n"},
		{"generator, meta and refresh", "HTTP/1.1 200 OK\r\n\r\n<META NAME=\"Generator\" content='X 1'><meta content=hhdigital name=Author><meta http-equiv=refresh content=\"0; URL=/doc/page/login.asp\">",
			"status=200\ngenerator=X 1\nmeta.author=hhdigital\nrefresh=/doc/page/login.asp\n"},
		{"an interim response first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nServer: b\r\n\r\nx",
			"status=100\nstatus=200\nserver=b\n"},
		{"two responses by length", "HTTP/1.1 401 X\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nServer: b\r\n\r\n",
			"status=401\nstatus=200\nserver=b\nbody.empty=true\n"},
		{"a page that quotes a response is one response", "HTTP/1.1 200 OK\r\nServer: a\r\n\r\n<pre>\r\nHTTP/1.1 200 OK\r\nServer: Hikvision-Webs\r\n</pre>",
			"status=200\nserver=a\n"},
		{"JSON", "HTTP/1.1 200 OK\r\n\r\n{\"data\":{\"propertyList\":{\"Brand\":\"AXIS\",\"SerialNumber\":\"ACCC8E010203\",\"n\":3}}}",
			"status=200\njson.brand=AXIS\njson.serialnumber=ACCC8E010203\njson.n=3\n"},
		{"JSON of two levels", "HTTP/1.1 200 OK\r\n\r\n{\"a\":1,\"o\":{\"realm\":\"w\"},\"params\":{\"realm\":\"x}\",\"p\":{\"realm\":\"y\"}},\"l\":[\"s\",{\"realm\":\"z\"}],\"b\":true,\"cut\":{\"c\":\"d\",\"e",
			"status=200\njson.a=1\njson.realm=x}\njson.b=true\njson.c=d\n"},
		{"a list of JSON", "HTTP/1.1 200 OK\r\n\r\n[{\"realm\":\"x\"}]", "status=200\n"},
		{"nothing", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := lines(Fields("http", "/", []byte(tc.raw))); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

func TestFieldsOfOtherKinds(t *testing.T) {
	for _, tc := range []struct{ name, kind, raw, want string }{
		{"rtsp, two responses with bare line feeds", "rtsp",
			"RTSP/1.0 401 Unauthorized\nCSeq: 1\nWWW-Authenticate: Basic realm=\"MediaServer3.0\"\n\nRTSP/1.0 200 OK\nCSeq: 2\nServer: Rtsp Server/3.0\nPublic: OPTIONS, DESCRIBE",
			"status=401\nheader.cseq=1\nauth=basic\nrealm=MediaServer3.0\nstatus=200\nheader.cseq=2\nserver=Rtsp Server/3.0\npublic=OPTIONS, DESCRIBE\n"},
		{"session description", "rtsp", "RTSP/1.0 200 OK\r\nDate:  Thu\r\n\r\nv=0\no=- 1 1 IN IP4 1.2.3.4\ns=IP Camera Video\ni=videoMain\na=tool:LIVE555 v1\n",
			"status=200\ndate=Thu\ndate.padding=2\nsdp.origin=- 1 1 IN IP4 1.2.3.4\nsdp.session=IP Camera Video\nsdp.info=videoMain\nsdp.tool=LIVE555 v1\nsdp.attribute=tool:LIVE555 v1\n"},
		{"certificate", "tls", `{"subject":"CN=axis-accc8e010203,O=Axis Communications AB","issuer":"CN=CA\\, Inc.,OU=x","sans":["axis-accc8e010203"],"sha256":"AB"}`,
			"subject=CN=axis-accc8e010203,O=Axis Communications AB\nsubject.cn=axis-accc8e010203\nmac=ac:cc:8e:01:02:03\nsubject.o=Axis Communications AB\nissuer=CN=CA\\, Inc.,OU=x\nissuer.cn=CA, Inc.\nissuer.ou=x\nsan=axis-accc8e010203\nsha256=ab\n"},
		{"a company with a bare comma", "tls", `{"subject":"CN=x,O=Acme Co., Ltd,C=TW"}`, "subject=CN=x,O=Acme Co., Ltd,C=TW\nsubject.cn=x\nsubject.o=Acme Co., Ltd\nsubject.c=TW\n"},
		{"one-line form", "tls", `{"subject":"/C=US/O=A/B Corp/CN=00-07-5f-01-02-03"}`,
			"subject=/C=US/O=A/B Corp/CN=00-07-5f-01-02-03\nsubject.c=US\nsubject.o=A/B Corp\nsubject.cn=00-07-5f-01-02-03\nmac=00:07:5f:01:02:03\n"},
		{"a bridge's EUI-64", "tls", `{"subject":"CN=001788fffe010203"}`, "subject=CN=001788fffe010203\nsubject.cn=001788fffe010203\nmac=00:17:88:01:02:03\n"},
		{"certificate with a key of the wrong type", "tls", `{"subject":"CN=a","serial":5}`, "subject=CN=a\nsubject.cn=a\nserial=5\n"},
		{"device information", "onvif", `<?xml version="1.0"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><tds:GetDeviceInformationResponse><tds:Manufacturer>A &amp; B</tds:Manufacturer><tds:Model>M1</tds:Model><tds:FirmwareVersion>1</tds:FirmwareVersion><tds:SerialNumber>S</tds:SerialNumber><tds:HardwareId/></tds:Get`,
			"namespace=http://www.w3.org/2003/05/soap-envelope\nmanufacturer=A & B\nmodel=M1\nfirmware=1\nserial=S\n"},
		{"an end that closes another element", "onvif", `<Envelope><Body><GetDeviceInformationResponse><Manufacturer>A</Manufacturer></device></root>`, "manufacturer=A\ntruncated=true\n"},
		{"an end in other letters", "upnp", `<root><device><modelName>M</modelname></device></root>`, "model=M\n"},
		{"another's description run in", "onvif", `<?xml verschemas-upnp-org:device-1-0"><device><manufacturer>A</manufacturer><modelName>M</modelName><serialNumber>S</serialNumber></device></root>`,
			""},
		{"capabilities", "onvif", `<Envelope><Body><tds:GetCapabilitiesResponse><tds:Capabilities><tt:Media><tt:XAddr>http://10.0.0.1/onvif/Media</tt:XAddr><tt:X>true</tt:X></tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse></Body></Envelope>`,
			"xaddr=http://10.0.0.1/onvif/Media\npath.media=/onvif/Media\n"},
		{"services", "onvif", `<b><tds:Service><tds:Namespace>http://www.onvif.org/ver20/media/wsdl</tds:Namespace><tds:XAddr>http://10.0.0.1:8000/onvif/media2_service</tds:XAddr></tds:Service></b>`,
			"xaddr=http://10.0.0.1:8000/onvif/media2_service\npath.media=/onvif/media2_service\n"},
		{"fault", "onvif", `<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en">Sender not authorized</s:Text></s:Reason></s:Fault>`,
			"fault=s:Sender\nfault=ter:NotAuthorized\nfault=Sender not authorized\n"},
		{"hostname with the MAC", "onvif", `<r><HostnameInformation><FromDHCP>true</FromDHCP><tt:Name>axis-accc8e010203</tt:Name></HostnameInformation></r>`,
			"hostname=axis-accc8e010203\nmac=ac:cc:8e:01:02:03\n"},
		{"deviceInfo", "isapi", `<DeviceInfo version="2.0" xmlns="http://www.hikvision.com/ver20/XMLSchema"><deviceName>Door</deviceName><model>DS-1</model><macAddress>44:19:B6:01:02:03</macAddress><deviceType>IPCamera</deviceType></DeviceInfo>`,
			"root=DeviceInfo\nnamespace=http://www.hikvision.com/ver20/XMLSchema\ndevice_name=Door\nmodel=DS-1\nmac=44:19:b6:01:02:03\ndevice_type=IPCamera\n"},
		{"activateStatus as JSON", "isapi", `{"ActivateStatus":{"Activated":true}}`, "activated=true\n"},
		{"a whole response where a body was due", "isapi", "HTTP/1.1 200 OK\r\n\r\n<ActivateStatus><Activated>true</Activated></ActivateStatus>", "root=ActivateStatus\nactivated=true\n"},
		{"description", "upnp", `<root><device><deviceType>urn:a</deviceType><manufacturer>DENON</manufacturer><modelName>AVR</modelName><serialNumber>0005CD010203</serialNumber><UDN>uuid:1-2-0005cd010203</UDN><deviceList><device><deviceType>urn:b</deviceType><manufacturer>x</manufacturer></device></deviceList></device></root>`,
			"device_type=urn:a\nmanufacturer=DENON\nmodel=AVR\nserial=0005CD010203\nudn=uuid:1-2-0005cd010203\ndevice_type=urn:b\nmac=00:05:cd:01:02:03\n"},
		{"a serial of digits is no MAC", "upnp", `<device><serialNumber>000000000001</serialNumber></device>`, "serial=000000000001\n"},
		{"favicon", "favicon", `{"mmh3": 4072612736, "md5":"D41D8CD98F00B204E9800998ECF8427E"}`, "mmh3=-222354560\nmd5=d41d8cd98f00b204e9800998ecf8427e\n"},
		{"favicon as text", "favicon", `{"mmh3":"-50306417"}`, "mmh3=-50306417\n"},
		{"unknown kind", "nothing", "x", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := lines(Fields(tc.kind, "/", []byte(tc.raw))); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// corpus returns the probe records of ../shared/corpus, none when it is absent.
func corpus(tb testing.TB) []discovery.Record {
	file, err := os.Open(filepath.Join("..", "..", "..", "shared", "corpus", "cases.jsonl"))
	if err != nil {
		tb.Logf("corpus passed over: %v", err)
		return nil
	}
	defer file.Close()
	var records []discovery.Record
	s := bufio.NewScanner(file)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var c struct{ Records []discovery.Record }
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			tb.Fatal(err)
		}
		records = append(records, c.Records...)
	}
	return records
}

func TestFieldsOfCorpusAreNeverNothing(t *testing.T) {
	for _, r := range corpus(t) {
		switch r.Kind {
		case "http", "https", "tls", "rtsp", "onvif", "isapi", "upnp", "favicon":
		default:
			continue
		}
		fields := Fields(r.Kind, r.Path, r.Bytes())
		checkFields(t, fields)
		telling := 0
		for _, f := range fields {
			if f.Name != "body" && f.Name != "status" && f.Name != "body.empty" {
				telling++
			}
		}
		if telling == 0 {
			t.Errorf("%s: no field besides the body of %q", r.Host, r.Bytes())
		}
	}
}

func checkFields(tb testing.TB, fields []discovery.Field) {
	tb.Helper()
	if len(fields) > maxFields {
		tb.Fatalf("%d fields", len(fields))
	}
	for _, f := range fields {
		if f.Name == "" || f.Value == "" || len(f.Value) > maxBody || len(f.Name) > 64 {
			tb.Fatalf("field %q holds %d bytes", f.Name, len(f.Value))
		}
		if !utf8.ValidString(f.Value) || !utf8.ValidString(f.Name) {
			tb.Fatalf("field %s is no UTF-8: %q", f.Name, f.Value)
		}
		if i := strings.IndexFunc(f.Value, unicode.IsControl); i >= 0 {
			tb.Fatalf("field %s holds a control character: %q", f.Name, f.Value[i:])
		}
	}
}

func FuzzFields(f *testing.F) {
	kinds := []string{"http", "rtsp", "tls", "onvif", "isapi", "upnp", "favicon"}
	for _, r := range corpus(f) {
		for i, kind := range kinds {
			if kind == r.Kind {
				f.Add(byte(i), r.Bytes())
			}
		}
	}
	f.Add(byte(0), []byte("HTTP/1.1 200 OK\r\n\r\n<<title"))
	f.Add(byte(0), []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n<title>"))
	f.Fuzz(func(t *testing.T, kind byte, raw []byte) {
		checkFields(t, Fields(kinds[int(kind)%len(kinds)], "/", raw))
	})
}

func TestFieldsOfHostileBytesStayBounded(t *testing.T) {
	for name, raw := range map[string]string{
		"deep":       strings.Repeat("<a>", 1<<20),
		"wide":       "<r " + strings.Repeat(`xmlns:a="b" `, 1<<17) + ">" + strings.Repeat("<xaddr>http://a/b</xaddr>", 1<<16),
		"headers":    "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 1<<17),
		"challenges": "HTTP/1.1 401 X\r\nWWW-Authenticate: " + strings.Repeat("Basic realm=\"a\", ", 1<<16),
		"tags":       "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("<meta <title", 1<<16),
		"responses":  strings.Repeat("HTTP/1.1 100 C\r\n\r\n", 1<<16),
		"bomb":       "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + zipped(strings.Repeat("<title>x", 1<<23)),
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []string{"http", "rtsp", "tls", "onvif", "isapi", "upnp", "favicon"} {
				checkFields(t, Fields(kind, "/", []byte(raw)))
			}
		})
	}
}

func BenchmarkFieldsCorpus(b *testing.B) {
	var records []discovery.Record
	for _, r := range corpus(b) {
		if len(Fields(r.Kind, r.Path, r.Bytes())) > 0 {
			records = append(records, r)
		}
	}
	if len(records) == 0 {
		records = []discovery.Record{{Kind: "http", Raw: "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n<title>y</title>"}}
	}
	raws := make([][]byte, len(records))
	for i, r := range records {
		raws[i] = r.Bytes()
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := i % len(records)
		Fields(records[r].Kind, records[r].Path, raws[r])
	}
}

// TestTheLastOfManyNamespacesIsRead: Hikvision's ONVIF answers declare 36, its
// own at the end.
func TestTheLastOfManyNamespacesIsRead(t *testing.T) {
	var xml strings.Builder
	xml.WriteString(`<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"`)
	for n := range 40 {
		fmt.Fprintf(&xml, ` xmlns:n%d="urn:%d"`, n, n)
	}
	xml.WriteString(` xmlns:last="urn:last"><env:Body/></env:Envelope>`)
	for _, f := range Fields("onvif", "/onvif/device_service", []byte(xml.String())) {
		if f.Name == "namespace" && f.Value == "urn:last" {
			return
		}
	}
	t.Error("the last namespace was not read")
}
