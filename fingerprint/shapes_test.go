package fingerprint_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// An answer reaches us in many shapes: what it says is the same in all.
// grade is the least that an answer must give: "" (nobody may be accused),
// "suspected" or a maker's name.
type shaped struct {
	name, kind, path, raw, grade string
}

// answers of one kind each, from listed makers and from others that look like
// them.
var webAnswers = []shaped{
	{"the server's name", "http", "/", "HTTP/1.1 200 OK\r\nServer: App-webs/\r\nContent-Type: text/html\r\n\r\n<html><head><title></title></head></html>", "Hikvision"},
	{"a page that leads to the log-in", "http", "/", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><head><script>window.location.href = \"/doc/page/login.asp?_\" + t;</script></head></html>", policy.SuspectedV},
	{"a refresh that leads to the log-in", "http", "/", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><head><meta http-equiv=\"refresh\" content=\"0; url=/doc/page/login.asp\"></head></html>", policy.SuspectedV},
	{"a redirect to the log-in", "http", "/", "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.7:80/doc/page/login.asp\r\nContent-Type: text/html\r\n\r\n", policy.SuspectedV},
	{"a log-in area named after a serial number", "http", "/", "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/html\r\nWWW-Authenticate: Digest realm=\"Login to 4K01FD2PAJ00001\", qop=\"auth\", nonce=\"1\"\r\n\r\n", "Dahua"},
	{"two log-in areas", "http", "/", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"/\"\r\nWWW-Authenticate: Digest realm=\"IP Camera(C2183)\", nonce=\"1\"\r\nContent-Type: text/html\r\n\r\n", policy.SuspectedV},
	{"the scripts of a page", "http", "/", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><head><script src=\"/jsCore/rpcCore.js\"></script></head></html>", policy.SuspectedV},
	{"a shared server", "http", "/", "HTTP/1.1 200 OK\r\nServer: Webs\r\nContent-Type: text/html\r\n\r\n<html><head><title>WEB SERVICE</title></head></html>", ""},
	{"a shop", "http", "/", "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/html\r\nWWW-Authenticate: Basic realm=\"Login to the shop\"\r\n\r\n<p>We sell Hikvision and Dahua, /doc/page/login.asp</p>", ""},
}

// webShapes alter a web answer without altering what it says.
var webShapes = map[string]func(head, body string) string{
	"as it came":           func(h, b string) string { return h + b },
	"HTTP/1.0":             func(h, b string) string { return strings.Replace(h, "HTTP/1.1", "HTTP/1.0", 1) + b },
	"names in lower case":  func(h, b string) string { return eachName(h, strings.ToLower) + b },
	"names in capitals":    func(h, b string) string { return eachName(h, strings.ToUpper) + b },
	"bare line feeds":      func(h, b string) string { return strings.ReplaceAll(h, "\r\n", "\n") + b },
	"no blank after colon": func(h, b string) string { return blankAfterColon.ReplaceAllString(h, "$1:$2") + b },
	"tabs and blanks":      func(h, b string) string { return blankAfterColon.ReplaceAllString(h, "$1:\t  $2 \t") + b },
	"lines reversed":       func(h, b string) string { return reversed(h) + b },
	"an interim answer":    func(h, b string) string { return "HTTP/1.1 100 Continue\r\n\r\n" + h + b },
	"a second answer":      func(h, b string) string { return h + b + "HTTP/1.1 400 Bad Request\r\n\r\n" },
	"a byte order mark":    func(h, b string) string { return h + "\ufeff" + b },
	"empty lines first":    func(h, b string) string { return "\r\n\r\n" + h + b },
	"in chunks": func(h, b string) string {
		half := len(b) / 2
		return with(h, "Transfer-Encoding: chunked") + fmt.Sprintf("%x\r\n%s\r\n%X;x=y\r\n%s\r\n0\r\n\r\n", half, b[:half], len(b)-half, b[half:])
	},
	"in gzip": func(h, b string) string {
		return with(h, "Content-Encoding: gzip") + packed(b, func(w *bytes.Buffer) writeCloser { return gzip.NewWriter(w) })
	},
	"in gzip, cut": func(h, b string) string {
		text := packed(b, func(w *bytes.Buffer) writeCloser { return gzip.NewWriter(w) })
		return with(h, "Content-Encoding: gzip") + text[:len(text)-6]
	},
	"in deflate": func(h, b string) string {
		return with(h, "Content-Encoding: deflate") + packed(b, func(w *bytes.Buffer) writeCloser { return zlib.NewWriter(w) })
	},
	"in UTF-16":                  func(h, b string) string { return h + wide(b, false) },
	"in UTF-16, high byte first": func(h, b string) string { return h + wide(b, true) },
	"Chinese in GB2312": func(h, b string) string {
		return strings.Replace(h, "text/html", "text/html; charset=gb2312", 1) + strings.Replace(b, "<head>", "<head><meta name=\"a\" content=\"\xca\xd3\xc6\xb5\xbc\xe0\xbf\xd8\">", 1)
	},
	"the page cut short": func(h, b string) string { return h + strings.TrimSuffix(strings.TrimSuffix(b, "</html>"), "</head>") },
}

type writeCloser interface {
	Write([]byte) (int, error)
	Close() error
}

func packed(text string, open func(*bytes.Buffer) writeCloser) string {
	var b bytes.Buffer
	w := open(&b)
	w.Write([]byte(text))
	w.Close()
	return b.String()
}

func wide(text string, bigEndian bool) string {
	var b []byte
	for _, u := range append([]uint16{0xfeff}, utf16.Encode([]rune(text))...) {
		if bigEndian {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

var (
	headerName      = regexp.MustCompile(`(?m)^[A-Za-z-]+:`)
	blankAfterColon = regexp.MustCompile(`(?m)^([A-Za-z-]+): (.*?)$`)
)

func eachName(head string, change func(string) string) string {
	return headerName.ReplaceAllStringFunc(head, change)
}

func reversed(head string) string {
	lines := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
	slices.Reverse(lines[1:])
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func with(head, line string) string { return strings.TrimSuffix(head, "\r\n") + line + "\r\n\r\n" }

// TestWebAnswersInEveryShape: header order and case, codings, charsets and
// cuts change nothing of what a web answer says, and accuse nobody.
func TestWebAnswersInEveryShape(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	for _, a := range webAnswers {
		end := strings.Index(a.raw, "\r\n\r\n") + 4
		for shape, change := range webShapes {
			s := a
			s.raw = change(a.raw[:end], a.raw[end:])
			s.check(t, rules, ps, shape)
		}
	}
}

var streamAnswers = []shaped{
	{"one log-in area", "rtsp", "/", "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm=\"IP Camera(C2875)\", nonce=\"1\", stale=\"FALSE\"\r\n\r\n", policy.SuspectedV},
	{"digest and basic", "rtsp", "/", "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm=\"Hikvision\", nonce=\"1\", stale=\"FALSE\"\r\nWWW-Authenticate: Basic realm=\"/\"\r\n\r\n", policy.SuspectedV},
	{"basic and digest on one line", "rtsp", "/", "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm=\"cam\", Digest realm=\"Login to 4K01FD2PAJ00001\", nonce=\"1\"\r\n\r\n", "Dahua"},
	{"a description", "rtsp", "/", "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Type: application/sdp\r\n\r\nv=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=Media Server\r\na=packetization-supported:DH\r\nm=video 0 RTP/AVP 96\r\n", policy.SuspectedV},
	{"a library", "rtsp", "/", "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm=\"LIVE555 Streaming Media\", nonce=\"1\"\r\n\r\n", ""},
}

// TestVideoAnswersInEveryShape is the same for the answers of video servers.
func TestVideoAnswersInEveryShape(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	for _, a := range streamAnswers {
		end := strings.Index(a.raw, "\r\n\r\n") + 4
		head, body := a.raw[:end], a.raw[end:]
		for shape, raw := range map[string]string{
			"as it came":               head + body,
			"names in lower case":      eachName(head, strings.ToLower) + body,
			"bare line feeds":          strings.ReplaceAll(a.raw, "\r\n", "\n"),
			"lines reversed":           reversed(head) + body,
			"behind another answer":    "RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: OPTIONS, DESCRIBE\r\n\r\n" + a.raw,
			"before another answer":    a.raw + "RTSP/1.0 400 Bad Request\r\nCSeq: 3\r\n\r\n",
			"no blank after the colon": blankAfterColon.ReplaceAllString(head, "$1:$2") + body,
		} {
			s := a
			s.raw = raw
			s.check(t, rules, ps, shape)
		}
	}
}

const (
	soapInfo = `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:tds="http://www.onvif.org/ver10/device/wsdl"><s:Body><tds:GetDeviceInformationResponse><tds:Manufacturer>MAKER</tds:Manufacturer><tds:Model>MODEL</tds:Model><tds:FirmwareVersion>FIRMWARE</tds:FirmwareVersion><tds:SerialNumber>1</tds:SerialNumber></tds:GetDeviceInformationResponse></s:Body></s:Envelope>`
	soapHere = `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:tds="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Body><tds:ProbeMatches><tds:ProbeMatch><tds:Types>dn:NetworkVideoTransmitter</tds:Types><tds:Scopes>onvif://www.onvif.org/hardware/MODEL onvif://www.onvif.org/name/MAKER</tds:Scopes><tds:XAddrs>http://192.0.2.9/onvif/device_service</tds:XAddrs></tds:ProbeMatch></tds:ProbeMatches></s:Body></s:Envelope>`
	isapiInf = `<?xml version="1.0" encoding="UTF-8"?><DeviceInfo version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema"><deviceName>Hall</deviceName><model>MODEL</model><serialNumber>1</serialNumber><manufacturer>MAKER</manufacturer></DeviceInfo>`
	upnpDesc = `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceType>urn:schemas-upnp-org:device:Basic:1</deviceType><manufacturer>MAKER</manufacturer><modelName>MODEL</modelName><modelNumber>MODEL</modelNumber></device></root>`
)

func fill(template, maker, model, firmware string) string {
	return strings.NewReplacer("MAKER", maker, "MODEL", model, "FIRMWARE", firmware).Replace(template)
}

var documents = []shaped{
	{"onvif: maker and model", "onvif", "/onvif/device_service", fill(soapInfo, "HIKVISION", "DS-2CD2085G1-I", "V5.6.1 build 190813"), "Hikvision"},
	{"onvif: a label, the firmware's form", "onvif", "/onvif/device_service", fill(soapInfo, "Amcrest", "XYZ-1", "2.800.00AC003.0.R"), policy.SuspectedV},
	{"onvif: another maker", "onvif", "/onvif/device_service", fill(soapInfo, "ACME", "IPC-1", "V1"), ""},
	{"wsd: maker and model", "wsd", "", fill(soapHere, "HIKVISION", "DS-2CD2085G1-I", ""), "Hikvision"},
	{"wsd: a relabel", "wsd", "", fill(soapHere, "Camera", "CMIP9342-28", ""), policy.SuspectedV},
	{"wsd: a name alone", "wsd", "", fill(soapHere, "Dahua", "IPC", ""), ""},
	{"isapi: model", "isapi", "/ISAPI/System/deviceInfo", fill(isapiInf, "", "DS-7608NI-I2", ""), "Hikvision"},
	{"isapi: a dialect alone", "isapi", "/ISAPI/System/deviceInfo", fill(isapiInf, "ACME", "X1", ""), ""},
	{"upnp: maker and model", "upnp", "/desc.xml", fill(upnpDesc, "Dahua Technology", "IPC-HDW4431C-A", ""), "Dahua"},
	{"upnp: another maker", "upnp", "/desc.xml", fill(upnpDesc, "ACME", "X1", ""), ""},
}

var (
	prefixed  = regexp.MustCompile(`(</?)(s|tds):`)
	bareTag   = regexp.MustCompile(`(</?)([A-Za-z]+)`)
	leafText  = regexp.MustCompile(`>([^<>]+)</`)
	betweens  = regexp.MustCompile(`><`)
	prefixDef = regexp.MustCompile(`xmlns:(s|tds)=`)
)

// TestDocumentsInEveryShape: prefixes, namespaces, line breaks, charsets and
// the HTTP head before it change nothing of what an XML answer says.
func TestDocumentsInEveryShape(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	rename := func(s, d string) func(string) string {
		return func(raw string) string {
			raw = prefixed.ReplaceAllStringFunc(raw, func(m string) string {
				return strings.NewReplacer("s:", s, "tds:", d).Replace(m)
			})
			return prefixDef.ReplaceAllString(raw, "xmlns:x$1=")
		}
	}
	for _, a := range documents {
		for shape, change := range map[string]func(string) string{
			"as it came":     func(raw string) string { return raw },
			"other prefixes": rename("SOAP-ENV:", "ns0:"),
			"no prefixes":    rename("", ""),
			"a prefix on all": func(raw string) string {
				return bareTag.ReplaceAllString(prefixed.ReplaceAllString(raw, "$1"), "${1}p:$2")
			},
			"line by line":      func(raw string) string { return betweens.ReplaceAllString(raw, ">\r\n\t<") },
			"blanks in texts":   func(raw string) string { return leafText.ReplaceAllString(raw, ">\r\n  $1\r\n </") },
			"a byte order mark": func(raw string) string { return "\ufeff" + raw },
			"no declaration":    func(raw string) string { return raw[strings.Index(raw, "?>")+2:] },
			"zeroes behind":     func(raw string) string { return raw + "\x00\x00" },
			"behind an HTTP head": func(raw string) string {
				if a.kind == "wsd" {
					return raw // a datagram has none
				}
				return "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n\r\n" + raw
			},
			"in UTF-16": func(raw string) string {
				if a.kind == "wsd" {
					return raw // no device was seen to send it
				}
				return wide(strings.Replace(raw, "UTF-8", "UTF-16", 1), false)
			},
		} {
			s := a
			s.raw = change(a.raw)
			s.check(t, rules, ps, shape)
		}
	}
}

func (a shaped) check(t *testing.T, rules *fingerprint.Ruleset, ps []*policy.Policy, shape string) {
	t.Helper()
	id := rules.Identify(evidenceOf([]discovery.Record{{Kind: a.kind, Path: a.path, Port: 80, Raw: a.raw}}))
	accused := flagged(ps, id)
	switch {
	case a.grade == "" && accused:
		t.Errorf("%s, %s: accused: %+v", a.name, shape, id.Reasons)
	case a.grade == policy.SuspectedV && !accused:
		t.Errorf("%s, %s: not suspected: %+v\n%q", a.name, shape, id.Reasons, a.raw)
	case a.grade != "" && a.grade != policy.SuspectedV && id.Manufacturer != a.grade:
		t.Errorf("%s, %s: named %q, is %s: %+v\n%q", a.name, shape, id.Manufacturer, a.grade, id.Reasons, a.raw)
	}
}

// TestOneAndTwoProtocols: a device heard over one protocol gets what that
// protocol is worth, over two that agree the whole, and a gateway's address or
// an icon adds nothing.
func TestOneAndTwoProtocols(t *testing.T) {
	rules, ps := shippedRules(t), judged(t) // the first is ca-hikvision-2025
	tlsHik := on("tls", 443, "subject.o", "HIKVISION", "subject.cn", "www.hikvision.com")
	icon := on("favicon", 80, "mmh3", "999357577")
	login := on("http", 80, "location", "/doc/page/login.asp")
	for _, c := range []struct {
		name    string
		answers []said
		verdict string
		maker   string
	}{
		{"the native protocol", []said{on("sadp", 37020, "types", "inquiry", "model", "IPC", "serial", "1", "port.sdk", "8000")}, policy.SuspectedV, "Hikvision"},
		{"a box that copied the native protocol", []said{on("sadp", 37020, "types", "inquiry", "model", "FN1110-L", "serial", "24003C3437510A34373635")}, policy.Unknown, ""},
		{"the web server", []said{hikWeb}, policy.SuspectedV, "Hikvision"},
		{"the certificate", []said{tlsHik}, policy.SuspectedV, "Hikvision"},
		{"the log-in page", []said{login}, policy.SuspectedV, ""},
		{"the address of a maker of cameras", []said{mac(hikvisionMAC)}, policy.SuspectedV, ""},
		{"the address of a maker of much", []said{mac(huaweiMAC)}, policy.Unclassified, ""},
		{"the icon", []said{icon}, policy.Unknown, ""},
		{"a typed name", []said{on("wsd", 3702, "type", "NetworkVideoTransmitter", "scope.name", "HIKVISION")}, policy.Unknown, ""},
		{"web server and certificate", []said{hikWeb, tlsHik}, policy.Banned, "Hikvision"},
		{"web server and address", []said{hikWeb, mac(hikvisionMAC)}, policy.Banned, "Hikvision"},
		{"native protocol and log-in page", []said{hikSADP, login}, policy.Banned, "Hikvision"},
		{"native protocol and address, both forgeable", []said{hikSADP, mac(hikvisionMAC)}, policy.SuspectedV, "Hikvision"},
		{"web server and icon", []said{hikWeb, icon}, policy.SuspectedV, "Hikvision"},
		{"two answers of one firmware", []said{hikWeb, on("rtsp", 554, "realm", "IP Camera(C2183)")}, policy.SuspectedV, "Hikvision"},
	} {
		id := rules.Identify(evidence(c.answers...))
		verdict := policy.Judge(ps[0], id, "", time.Time{}, time.Time{}).Verdict
		if verdict != c.verdict || id.Manufacturer != c.maker {
			t.Errorf("%s: %s, %q; must be %s, %q: %+v", c.name, verdict, id.Manufacturer, c.verdict, c.maker, id.Reasons)
		}
	}
}

// TestAnswersAsOthersWroteThemDown: a published answer is often kept in another
// form than the device sent it in; it says the same.
func TestAnswersAsOthersWroteThemDown(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	const (
		realm   = `realm="Login to 4K01FD2PAJ00001"`
		device  = `{"mac":"3c:ef:8c:00:00:01","method":"client.notifyDevInfo","params":{"deviceInfo":{"DeviceClass":"IPC","DeviceType":"IPC-HDW4433C-A"}}}`
		inquiry = `<Types>inquiry</Types><DeviceDescription>CMIP9342-28</DeviceDescription><CommandPort>8000</CommandPort>`
		scopes  = "onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/hardware/DS-2CD2085G1-I"
		upnp    = "SERVER: Linux, UPnP/1.0, ZheJiang Dahua Technology CO.,LTD. Upnp SDK\r\n"
	)
	datagram := append([]byte("\x20\x00\x00\x00DHIP"), make([]byte, 24)...)
	datagram = append(datagram, device...)
	for _, a := range []shaped{
		{"a folded header", "http", "/", "HTTP/1.1 401 X\r\nWWW-Authenticate: Digest qop=\"auth\",\r\n\t" + realm + "\r\n\r\n", "Dahua"},
		{"a folded header of video", "rtsp", "/", "RTSP/1.0 401 X\r\nCSeq: 1\r\nWWW-Authenticate: Digest\r\n " + realm + ",\r\n nonce=\"1\"\r\n\r\n", "Dahua"},
		{"blanks about the equals sign", "http", "/", "HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm = \"Login to 4K01FD2PAJ00001\"\r\n\r\n", "Dahua"},
		{"the question before the answer", "http", "/", "GET / HTTP/1.1\r\nHost: x\r\n\r\nHTTP/1.1 200 OK\r\nServer: App-webs/\r\n\r\n", "Hikvision"},
		{"line ends written out", "http", "/", `HTTP/1.1 200 OK\r\nServer: App-webs/\r\n\r\n`, "Hikvision"},
		{"a question alone", "http", "/", "GET /doc/page/login.asp HTTP/1.1\r\nHost: hikvision\r\n\r\n", ""},
		{"a realm of another name", "http", "/", "HTTP/1.1 401 X\r\nWWW-Authenticate: Digest xrealm=\"Login to 4K01FD2PAJ00001\"\r\n\r\n", ""},

		{"DHIP in hexadecimal", "dhip", "", hex.EncodeToString(datagram), "Dahua"},
		{"DHIP in base64", "dhip", "", base64.StdEncoding.EncodeToString(datagram), "Dahua"},
		{"SADP without its root", "sadp", "", inquiry, "Hikvision"},
		{"SADP in base64", "sadp", "", base64.StdEncoding.EncodeToString([]byte("<ProbeMatch>" + inquiry + "</ProbeMatch>")), "Hikvision"},
		{"SADP as JSON", "sadp", "", `{"ProbeMatch":{"Types":"inquiry","DeviceDescription":"CMIP9342-28","CommandPort":"8000"}}`, "Hikvision"},
		{"JSON of another's", "sadp", "", `{"Types":"search","DeviceDescription":"X1"}`, ""},
		{"UPnP without its first line", "ssdp", "", upnp + "ST: upnp:rootdevice\r\n\r\n", "Dahua"},
		{"UPnP with a folded line", "ssdp", "", "HTTP/1.1 200 OK\r\n" + strings.Replace(upnp, "1.0, Zhe", "1.0,\r\n Zhe", 1) + "\r\n", "Dahua"},

		{"scopes as a list", "wsd", "", scopes, "Hikvision"},
		{"a match as JSON", "wsd", "", `{"types":["dn:NetworkVideoTransmitter"],"scopes":["` + strings.ReplaceAll(scopes, " ", `","`) + `"]}`, "Hikvision"},
		{"a match without its envelope", "wsd", "", "<d:ProbeMatches><d:ProbeMatch><d:Scopes>" + scopes + "</d:Scopes></d:ProbeMatch></d:ProbeMatches>", "Hikvision"},
		{"a piece of an envelope", "wsd", "", "pes>" + scopes + "</d:Scopes></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>", ""},
		{"scopes of two devices", "wsd", "", scopes + " onvif://www.onvif.org/hardware/DS-2CD2085G1-Z", ""},
		{"GetScopes", "onvif", "", `<s:Envelope><s:Body><tds:GetScopesResponse><tds:Scopes><tt:ScopeItem>onvif://www.onvif.org/hardware/DS-2CD2085G1-I</tt:ScopeItem></tds:Scopes></tds:GetScopesResponse></s:Body></s:Envelope>`, "Hikvision"},
		{"GetScopes with a name alone", "onvif", "", `<s:Envelope><s:Body><tds:Scopes><tt:ScopeItem>onvif://www.onvif.org/name/HIKVISION</tt:ScopeItem></tds:Scopes></s:Body></s:Envelope>`, ""},
		{"GetDeviceInformation as JSON", "onvif", "", `{"Manufacturer":"HIKVISION","Model":"DS-2CD2085G1-I","FirmwareVersion":"V5.6.1 build 190813"}`, "Hikvision"},
		{"ISAPI as JSON with attributes", "isapi", "", `{"DeviceInfo":{"@xmlns":"http://www.hikvision.com/ver20/XMLSchema","model":"X-1"}}`, policy.SuspectedV},

		{"a name in one line", "tls", "", `{"subject":"Subject: /C=CN/O=HIKVISION/CN=www.hikvision.com"}`, "Hikvision"},
		{"a name in long words", "tls", "", `{"subject":"commonName=x/organizationName=HIKVISION/countryName=CN"}`, "Hikvision"},
		{"a name in lines", "tls", "", `{"subject":"C=CN\nO=HIKVISION\nCN=x"}`, "Hikvision"},
		{"a name as an object", "tls", "", `{"subject":{"CN":"x","O":["Hikvision Digital, Ltd","HIKVISION"]}}`, "Hikvision"},
		{"a name as pairs", "tls", "", `{"subject":[[["countryName","CN"]],[["organizationName","HIKVISION"]]]}`, "Hikvision"},
		{"a name under another key", "tls", "", `{"subject_dn":"CN=x,O=HIKVISION"}`, "Hikvision"},
		{"a name as openssl prints it", "tls", "", "depth=0 C = CN\nsubject=C = CN, O = HIKVISION, CN = x\nissuer=C = CN, O = HIKVISION\n", "Hikvision"},
		{"a name that mentions another", "tls", "", `{"subject":"CN=x,O=Shop, O Hikvision dealer"}`, ""},

		{"a service of zeroconf", "mdns", "", `{"name":"AXIS P1346 - 00408C000001._axis-video._tcp.local.","type":"_axis-video._tcp.local.","properties":{"macaddress":"00408C000001"}}`, "Axis"},
		{"a service with TXT as an object", "mdns", "", `{"instance":"AXIS P1346 - 00408C000001","service":"_axis-video._tcp","port":"80","txt":{"macaddress":"00408C000001"}}`, "Axis"},
		{"a request with a list", "dhcp", "", `{"hostname":5,"vendor_class":"AXIS,Network Camera,P1346,5.0","parameters":[1,3]}`, "Axis"},
	} {
		a.check(t, rules, ps, "written down")
	}
}
