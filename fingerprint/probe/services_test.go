package probe

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"camcensus/fingerprint"
)

func TestRTSPAsksOptionsThenDescribeOnOneConnection(t *testing.T) {
	const options = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: OPTIONS, DESCRIBE, PLAY, PAUSE, SETUP, TEARDOWN\r\n\r\n"
	const describe = "RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\nWWW-Authenticate: Digest realm=\"IP Camera(E7788)\", nonce=\"0123\"\r\n\r\n"
	var second string
	s := serve(t, func(_ int, conn net.Conn, _ string) {
		io.WriteString(conn, options)
		second = readHead(conn)
		io.WriteString(conn, describe)
	})
	a := s.ask(t, 2*time.Second, fingerprint.Question{Probe: "rtsp", Path: "/"})
	if want := []string{"rtsp " + options + describe}; !slices.Equal(raws(a), want) || a.Status != 401 || a.Requests != 2 || a.Connections != 1 || a.Failure != "" {
		t.Errorf("%q, status %d, failure %q", raws(a), a.Status, a.Failure)
	}
	first := s.requests()[0]
	url := fmt.Sprintf("rtsp://127.0.0.1:%d/", s.port())
	if !strings.HasPrefix(first, "OPTIONS "+url+" RTSP/1.0\r\nCSeq: 1\r\n") || !strings.HasPrefix(second, "DESCRIBE "+url+" RTSP/1.0\r\nCSeq: 2\r\n") || strings.Contains(first+second, "Authorization") {
		t.Errorf("requests:\n%s%s", first, second)
	}
}

func TestRTSPAnswersOfEveryKind(t *testing.T) {
	sdp := "v=0\r\ns=Media Presentation\r\n"
	described := fmt.Sprintf("RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
	for name, c := range map[string]struct {
		answers []string
		records int
		status  int
		failure string
	}{
		"hangs up after a 401": {[]string{"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n"}, 1, 401, ""},
		"gives the session":    {[]string{"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", described}, 1, 200, ""},
		"speaks HTTP":          {[]string{"HTTP/1.0 405 Method Not Allowed\r\nServer: x\r\n\r\n"}, 1, 405, ""},
		"speaks something else": {[]string{"220 mail.example ESMTP\r\n"}, 0, 0,
			fingerprint.FailedMalformed},
		"says nothing": {nil, 0, 0, fingerprint.FailedMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(_ int, conn net.Conn, _ string) {
				for i, answer := range c.answers {
					if i > 0 {
						readHead(conn)
					}
					io.WriteString(conn, answer)
				}
			})
			a := s.ask(t, 2*time.Second, fingerprint.Question{Probe: "rtsp", Path: "/"})
			if len(a.Records) != c.records || a.Status != c.status || a.Failure != c.failure {
				t.Errorf("%d records, status %d, failure %q (%v)", len(a.Records), a.Status, a.Failure, a.Err)
			}
			if c.records == 1 && string(a.Records[0].Bytes()) != strings.Join(c.answers, "") {
				t.Errorf("record %q", a.Records[0].Bytes())
			}
		})
	}
}

func page(status, kind, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", status, kind, len(body), body)
}

func TestONVIFKeepsTheEnvelope(t *testing.T) {
	const fault = `<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault/></s:Body></s:Envelope>`
	s := serve(t, says(page("401 Unauthorized", "application/soap+xml", fault)))
	a := s.ask(t, time.Second, fingerprint.Question{Probe: "onvif", Path: "/onvif/device_service#GetDeviceInformation"})
	if !slices.Equal(raws(a), []string{"onvif " + fault}) || a.Status != 401 || a.Failure != "" {
		t.Errorf("%q status %d failure %q", raws(a), a.Status, a.Failure)
	}
	head := s.requests()[0]
	for _, want := range []string{
		"POST /onvif/device_service HTTP/1.1\r\n", "Content-Length: 200\r\n",
		`Content-Type: application/soap+xml; charset=utf-8; action="http://www.onvif.org/ver10/device/wsdl/GetDeviceInformation"`,
		`<s:Body><GetDeviceInformation xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body>`,
	} {
		if !strings.Contains(head, want) {
			t.Errorf("request lacks %q:\n%s", want, head)
		}
	}
	if strings.Contains(head, "Security") || strings.Contains(head, "Authorization") || len(s.requests()) != 1 {
		t.Errorf("a login was tried: %q", s.requests())
	}
	page404 := page("404 Not Found", "text/html", "<html>no such page</html>")
	a = serve(t, says(page404)).ask(t, time.Second, fingerprint.Question{Probe: "onvif", Path: "/onvif/device_service#GetServices"})
	if !slices.Equal(raws(a), []string{"http " + page404}) || a.Status != 404 {
		t.Errorf("%q", raws(a))
	}
}

func TestISAPIKeepsXMLOrTheRefusal(t *testing.T) {
	const xml = `<?xml version="1.0" encoding="UTF-8"?><ActivateStatus version="2.0"><Activated>true</Activated></ActivateStatus>`
	a := serve(t, says(page("200 OK", "application/xml", xml))).ask(t, time.Second, fingerprint.Question{Probe: "isapi", Path: "/SDK/activateStatus"})
	if !slices.Equal(raws(a), []string{"isapi " + xml}) || a.Records[0].Path != "/SDK/activateStatus" {
		t.Errorf("%q", raws(a))
	}
	refusal := "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"IP Camera(E1)\", nonce=\"1\"\r\nContent-Length: 0\r\n\r\n"
	s := serve(t, says(refusal))
	a = s.ask(t, time.Second, fingerprint.Question{Probe: "isapi", Path: "/ISAPI/System/deviceInfo"})
	if !slices.Equal(raws(a), []string{"http " + refusal}) || len(s.requests()) != 1 {
		t.Errorf("%q after %d requests", raws(a), len(s.requests()))
	}
	html := page("200 OK", "text/html", "<html>every path is this page</html>")
	a = serve(t, says(html)).ask(t, time.Second, fingerprint.Question{Probe: "isapi", Path: "/SDK/activateStatus"})
	if !slices.Equal(raws(a), []string{"http " + html}) {
		t.Errorf("%q", raws(a))
	}
}

func TestUPnPKeepsTheDescription(t *testing.T) {
	const xml = `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><manufacturer>Example</manufacturer></device></root>`
	a := serve(t, says(page("200 OK", "text/xml", xml))).ask(t, time.Second, fingerprint.Question{Probe: "upnp", Path: "/rootdesc1.xml"})
	if !slices.Equal(raws(a), []string{"upnp " + xml}) || a.Failure != "" {
		t.Errorf("%q %v", raws(a), a.Err)
	}
	a = serve(t, says(page("200 OK", "text/html", "<html></html>"))).ask(t, time.Second, fingerprint.Question{Probe: "upnp", Path: "/rootdesc1.xml"})
	if len(a.Records) != 0 || a.Failure != fingerprint.FailedMalformed {
		t.Errorf("%q %q", raws(a), a.Failure)
	}
}

func TestFaviconIsHashedAsShodanDoes(t *testing.T) {
	icon := make([]byte, 318)
	for i := range icon {
		icon[i] = byte(i * 7)
	}
	sum := md5.Sum(icon) // the mmh3 beside it is that of an independent implementation
	want := fmt.Sprintf(`favicon {"mmh3":%d,"md5":"%s"}`, 669512511, hex.EncodeToString(sum[:]))
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(icon)
	z.Close()
	for name, answer := range map[string]string{
		"plain":   page("200 OK", "image/x-icon", string(icon)),
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n13e\r\n" + string(icon) + "\r\n0\r\n\r\n",
		"gzip":    fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", zipped.Len(), zipped.String()),
	} {
		a := serve(t, says(answer)).ask(t, time.Second, fingerprint.Question{Probe: "favicon", Path: "/favicon.ico"})
		if !slices.Equal(raws(a), []string{want}) {
			t.Errorf("%s: %q, want %q", name, raws(a), want)
		}
	}
	for name, answer := range map[string]string{
		"a page instead": page("200 OK", "text/html", "<html></html>"),
		"none":           page("404 Not Found", "text/html", "no"),
		"too long":       page("200 OK", "image/x-icon", strings.Repeat("i", 100<<10)),
	} {
		if a := serve(t, says(answer)).ask(t, time.Second, fingerprint.Question{Probe: "favicon", Path: "/favicon.ico"}); len(a.Records) != 0 || a.Failure != "" {
			t.Errorf("%s: %q, failure %q", name, raws(a), a.Failure)
		}
	}
}

func credentialsFile(t *testing.T, mode os.FileMode, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "logins.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

const accounts = `- networks: [127.0.0.0/8]
  onvif: {username: viewer, password: "pa<ss"}
  isapi: {username: viewer, password: secret}
`

func TestCredentialsThatOthersCanReadAreRefused(t *testing.T) {
	if _, err := LoadCredentials(credentialsFile(t, 0o600, accounts)); err != nil {
		t.Error(err)
	}
	for name, path := range map[string]string{
		"group":      credentialsFile(t, 0o640, accounts),
		"world":      credentialsFile(t, 0o604, accounts),
		"directory":  t.TempDir(),
		"absent":     filepath.Join(t.TempDir(), "none.yml"),
		"no network": credentialsFile(t, 0o600, "- onvif: {username: a, password: b}\n"),
		"no login":   credentialsFile(t, 0o600, "- networks: [10.0.0.0/8]\n"),
		"wrong key":  credentialsFile(t, 0o600, "- networks: [10.0.0.0/8]\n  telnet: {username: a, password: b}\n"),
		"no prefix":  credentialsFile(t, 0o600, "- networks: [camera]\n  onvif: {username: a, password: b}\n"),
	} {
		if _, err := LoadCredentials(path); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func loginProber(t *testing.T) *Prober {
	t.Helper()
	credentials, err := LoadCredentials(credentialsFile(t, 0o400, accounts))
	if err != nil {
		t.Fatal(err)
	}
	if !credentials.For(loopback.IP) || credentials.For(netip.MustParseAddr("192.0.2.1")) {
		t.Fatal("the networks are not kept apart")
	}
	p := New(Options{Timeout: 2 * time.Second, Credentials: credentials})
	p.wire = func(string) dialer { return direct{} }
	return p
}

func TestLoginsGoByDigestToCamerasAloneAndOnce(t *testing.T) {
	s := serve(t, func(_ int, conn net.Conn, request string) {
		if strings.Contains(request, "\r\nAuthorization: ") {
			io.WriteString(conn, page("401 Unauthorized", "text/html", "wrong"))
			return
		}
		io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Digest realm=\"IP Camera(E1)\", nonce=\"abc\", qop=\"auth\"\r\nContent-Length: 0\r\n\r\n")
	})
	p := loginProber(t)
	camera := loopback
	camera.Class = fingerprint.ClassCamera
	q := fingerprint.Question{Probe: "isapi", Port: s.port(), Path: "/ISAPI/System/deviceInfo", Login: true}
	if a := p.Ask(t.Context(), loopback, q); a.Failure != fingerprint.FailedScope {
		t.Errorf("a host of no class was given a login: %+v", a)
	}
	without := q
	without.Login = false
	p.Ask(t.Context(), camera, without)
	if sent := strings.Join(s.requests(), ""); strings.Contains(sent, "Authorization") {
		t.Fatalf("a login without being asked for one:\n%s", sent)
	}
	if a := p.Ask(t.Context(), camera, q); a.Status != 401 || a.Requests != 2 {
		t.Errorf("status %d after %d requests: %v", a.Status, a.Requests, a.Err)
	}
	a := p.Ask(t.Context(), camera, q)
	if a.Failure != fingerprint.FailedScope {
		t.Errorf("a second try after a refusal: %+v", a)
	}
	logins := regexp.MustCompile(`Authorization: .*`).FindAllString(strings.Join(s.requests(), ""), -1)
	if len(logins) != 1 || !strings.HasPrefix(logins[0], `Authorization: Digest username="viewer", realm="IP Camera(E1)", nonce="abc", uri="/ISAPI/System/deviceInfo", qop=auth`) || strings.Contains(logins[0], "secret") {
		t.Errorf("logins sent: %q", logins)
	}
}

func TestBasicIsNeverAnswered(t *testing.T) {
	s := serve(t, says("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"))
	camera := loopback
	camera.Class = fingerprint.ClassRecorder
	a := loginProber(t).Ask(t.Context(), camera, fingerprint.Question{Probe: "isapi", Port: s.port(), Path: "/ISAPI/System/deviceInfo", Login: true})
	if len(s.requests()) != 1 || strings.Contains(s.requests()[0], "Authorization") || a.Err == nil {
		t.Errorf("%q, %v", s.requests(), a.Err)
	}
}

// TestDigestIsThatOfTheStandard takes the example of RFC 2069 (its errata have the
// right response), which needs no nonce of the client.
func TestDigestIsThatOfTheStandard(t *testing.T) {
	challenge := parseResponse([]byte("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"\r\n\r\n"))
	header, err := digestHeader(challenge, Login{"Mufasa", "CircleOfLife"}, "GET", "/dir/index.html")
	if err != nil || !strings.Contains(string(header), `response="1949323746fe6a43ef61f9606e7febea"`) {
		t.Errorf("%s %v", header, err)
	}
	broken := parseResponse([]byte("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"a\x01b\\\", nonce=\"n\"\r\n\r\n"))
	if header, _ := digestHeader(broken, Login{"u", "p"}, "GET", "/"); bytes.Count(header, []byte("\r\n")) > 1 {
		t.Errorf("a realm broke the header: %q", header)
	}
}

func TestONVIFLoginIsSignedWithTheDevicesOwnTime(t *testing.T) {
	s := serve(t, func(n int, conn net.Conn, request string) {
		if strings.Contains(request, "GetSystemDateAndTime") {
			io.WriteString(conn, page("200 OK", "application/soap+xml", `<s:Envelope><tt:UTCDateTime><tt:Time><tt:Hour>3</tt:Hour><tt:Minute>4</tt:Minute><tt:Second>5</tt:Second></tt:Time><tt:Date><tt:Year>2001</tt:Year><tt:Month>2</tt:Month><tt:Day>1</tt:Day></tt:Date></tt:UTCDateTime></s:Envelope>`))
			return
		}
		io.WriteString(conn, page("200 OK", "application/soap+xml", `<s:Envelope><tds:Manufacturer>Example</tds:Manufacturer></s:Envelope>`))
	})
	camera := loopback
	camera.Class = fingerprint.ClassDoorbell
	a := loginProber(t).Ask(t.Context(), camera, fingerprint.Question{Probe: "onvif", Port: s.port(), Path: "/onvif/device_service#GetDeviceInformation", Login: true})
	if a.Status != 200 || len(a.Records) != 1 || a.Requests != 2 {
		t.Fatalf("%+v", a)
	}
	requests := s.requests()
	if strings.Contains(requests[0], "Security") || !strings.Contains(requests[1], "<Created xmlns=\""+wsu+"\">2001-02-01T03:04:05Z</Created>") || !strings.Contains(requests[1], "#PasswordDigest") {
		t.Errorf("requests:\n%s", strings.Join(requests, "\n"))
	}
	if strings.Contains(strings.Join(requests, ""), "pa<ss") || strings.Contains(strings.Join(requests, ""), "pa&lt;ss") {
		t.Error("the password itself was sent")
	}
}
