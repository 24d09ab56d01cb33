package probe

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"camcensus/discovery"
	"camcensus/fingerprint"
)

var root = fingerprint.Question{Probe: "http", Path: "/"}

func TestHTTPRequestNamesTheToolAndCarriesNoLogin(t *testing.T) {
	s := serve(t, says("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"IP Camera(A1)\"\r\nContent-Length: 0\r\n\r\n"))
	a := s.ask(t, time.Second, root)
	if a.Status != 401 || a.Failure != "" || !a.Open {
		t.Fatalf("answer %+v", a)
	}
	requests := s.requests()
	if len(requests) != 1 {
		t.Fatalf("%d requests after a 401", len(requests))
	}
	head := requests[0]
	for _, want := range []string{"GET / HTTP/1.1\r\n", "\r\nHost: 127.0.0.1:", "\r\nConnection: close\r\n", "\r\nUser-Agent: camcensus/test (+soc@site.example)\r\n"} {
		if !strings.Contains(head, want) {
			t.Errorf("request lacks %q:\n%s", want, head)
		}
	}
	for _, never := range []string{"Authorization", "Cookie", "Expect", "Transfer-Encoding"} {
		if strings.Contains(head, never) {
			t.Errorf("request carries %s", never)
		}
	}
}

func TestHTTPAnswersAreKeptAsReceived(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	for name, c := range map[string]struct {
		answer    string
		raw       string // "" for the answer itself
		failure   string
		truncated bool
		status    int
	}{
		"HTTP/1.0 until close":              {answer: "HTTP/1.0 200 OK\r\nServer: thttpd/2.25b\r\n\r\n<html>old</html>", status: 200},
		"line feeds alone":                  {answer: "HTTP/1.1 200 OK\nServer: Webs\n\n<title>x</title>", status: 200},
		"chunked stays chunked":             {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", status: 200},
		"said to be chunked and is not":     {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n<html>", status: 200},
		"interim answer first":              {answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", status: 200},
		"no header at all":                  {answer: "<html><title>HTTP/0.9</title></html>"},
		"another protocol's banner":         {answer: "SSH-2.0-dropbear_2019.78\r\n"},
		"shorter than promised":             {answer: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", status: 200},
		"a negative length":                 {answer: "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nbody", status: 200},
		"not UTF-8":                         {answer: "HTTP/1.1 200 OK\r\n\r\n\xd6\xd0\xce\xc4", status: 200},
		"longer than promised":              {answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", status: 200},
		"a body without end is cut":         {answer: "HTTP/1.1 200 OK\r\n\r\n" + long, raw: "HTTP/1.1 200 OK\r\n\r\n" + long[:discovery.MaxRecordBody], truncated: true, status: 200},
		"a head without end is cut":         {answer: "HTTP/1.1 200 OK\r\nX: " + long, raw: ("HTTP/1.1 200 OK\r\nX: " + long)[:maxHead], truncated: true, status: 200},
		"a picture stream is not looked at": {answer: "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n" + long, raw: "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n", truncated: true, status: 200},
		"nothing at all":                    {answer: "", failure: fingerprint.FailedMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t, says(c.answer)).ask(t, 2*time.Second, root)
			if a.Failure != c.failure || a.Status != c.status {
				t.Errorf("failure %q (%v), status %d", a.Failure, a.Err, a.Status)
			}
			if c.answer == "" {
				return
			}
			if len(a.Records) != 1 {
				t.Fatalf("%d records", len(a.Records))
			}
			want := c.raw
			if want == "" {
				want = c.answer
			}
			r := a.Records[0]
			if got := string(r.Bytes()); got != want || r.Truncated != c.truncated || r.Kind != "http" || r.Path != "/" {
				t.Errorf("record of %d bytes (want %d), truncated %v: %.80q", len(got), len(want), r.Truncated, got)
			}
		})
	}
}

func TestHTTPFailuresHaveTheirReason(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := uint16(closed.Addr().(*net.TCPAddr).Port)
	closed.Close()
	if a := directProber(time.Second).Ask(t.Context(), loopback, fingerprint.Question{Probe: "http", Port: port, Path: "/"}); a.Failure != fingerprint.FailedRefused || a.Open || a.Connections != 1 {
		t.Errorf("refused: %+v", a)
	}
	resets := serve(t, func(_ int, conn net.Conn, _ string) { conn.(*net.TCPConn).SetLinger(0) })
	if a := resets.ask(t, time.Second, root); a.Failure != fingerprint.FailedReset || !a.Open {
		t.Errorf("reset: %+v", a)
	}
	alert := serve(t, says("\x15\x03\x01\x00\x02\x02\x46"))
	if a := alert.ask(t, time.Second, root); a.Failure != fingerprint.FailedTLS || len(a.Records) != 0 {
		t.Errorf("TLS where none was asked for: %+v", a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	silent := serve(t, func(_ int, conn net.Conn, _ string) { cancel(); io.Copy(io.Discard, conn) })
	a := directProber(5*time.Second).Ask(ctx, loopback, fingerprint.Question{Probe: "http", Port: silent.port(), Path: "/"})
	if a.Failure != fingerprint.FailedCancelled || a.Took > 2*time.Second {
		t.Errorf("cancelled: %+v", a)
	}
}

// pipes dials a host that lives at the other end of a pipe, so that time can
// be the test's own.
type pipes func(conn net.Conn)

func (p pipes) DialTCP(context.Context, netip.AddrPort, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go p(theirs)
	return ours, nil
}

func TestSlowAnswersEndWithTheTimeout(t *testing.T) {
	drip := func(head, each string, every time.Duration) pipes {
		return func(conn net.Conn) {
			defer conn.Close()
			readHead(conn)
			io.WriteString(conn, head)
			for {
				time.Sleep(every)
				if _, err := io.WriteString(conn, each); err != nil {
					return
				}
			}
		}
	}
	hold := func(answer string) pipes {
		return func(conn net.Conn) {
			defer conn.Close()
			readHead(conn)
			io.WriteString(conn, answer)
			io.Copy(io.Discard, conn)
		}
	}
	for name, c := range map[string]struct {
		host     pipes
		failure  string
		answered bool
		records  int
		atMost   time.Duration
	}{
		"a head that never ends":             {drip("HTTP/1.1 200 OK\r\n", "X: y\r\n", 500*time.Millisecond), fingerprint.FailedTimeout, true, 1, 3 * time.Second},
		"a promised body that stalls":        {hold("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), fingerprint.FailedTimeout, true, 1, 3 * time.Second},
		"a chunked body that stalls":         {hold("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), fingerprint.FailedTimeout, true, 1, 3 * time.Second},
		"a whole answer on a held line":      {hold("HTTP/1.1 200 OK\r\n\r\nwhole"), "", true, 1, 1100 * time.Millisecond},
		"a body that drips for ever":         {drip("HTTP/1.1 200 OK\r\n\r\n", "x", 500*time.Millisecond), "", true, 1, 3 * time.Second},
		"a port that accepts and is silent":  {hold(""), fingerprint.FailedTimeout, false, 0, 3 * time.Second},
		"a whole length ends it at once":     {hold("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "", true, 1, time.Millisecond},
		"the last chunk ends it at once":     {hold("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"), "", true, 1, time.Millisecond},
		"no body by status ends it at once":  {hold("HTTP/1.1 204 No Content\r\n\r\n"), "", true, 1, time.Millisecond},
		"a drip of chunks ends at the bound": {drip("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", strings.Repeat("1\r\na\r\n", 400), 10*time.Millisecond), "", true, 1, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := directProber(3 * time.Second)
				p.wire = func(string) dialer { return c.host }
				a := p.Ask(t.Context(), Target{IP: netip.MustParseAddr("192.0.2.7")}, fingerprint.Question{Probe: "http", Port: 80, Path: "/"})
				time.Sleep(time.Minute) // the host notices that we are gone
				if a.Failure != c.failure || a.Answered != c.answered || len(a.Records) != c.records || a.Took > c.atMost {
					t.Errorf("failure %q (%v), answered %v, %d records, took %v", a.Failure, a.Err, a.Answered, len(a.Records), a.Took)
				}
			})
		})
	}
}

func TestRedirectsAreNotedNotFollowed(t *testing.T) {
	for name, c := range map[string]struct {
		location string
		later    []fingerprint.Question
		hints    []uint16
	}{
		"own login page":          {"/doc/page/login.asp", []fingerprint.Question{{Probe: "http", Path: "/doc/page/login.asp"}}, nil},
		"relative":                {"index.asp", []fingerprint.Question{{Probe: "http", Path: "/index.asp"}}, nil},
		"own HTTPS":               {"https://127.0.0.1/", []fingerprint.Question{{Probe: "https", Port: 443, Path: "/"}}, []uint16{443}},
		"own HTTPS, other port":   {"https://127.0.0.1:8443", []fingerprint.Question{{Probe: "https", Port: 8443, Path: "/"}}, []uint16{8443}},
		"another host":            {"http://192.0.2.1/", nil, nil},
		"another host by name":    {"https://cloud.example/login", nil, nil},
		"a name in the address":   {"http://127.0.0.1@192.0.2.1/", nil, nil},
		"a path that is not ours": {"/cgi-bin/reboot.cgi", nil, nil},
		"a query":                 {"/index.asp?cmd=reboot", nil, nil},
		"back to itself":          {"/", nil, nil},
		"another scheme":          {"file:///etc/passwd", nil, nil},
		"a picture":               {"/control/userimage.html", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, says("HTTP/1.1 302 Found\r\nLocation: "+c.location+"\r\nContent-Length: 0\r\n\r\n"))
			a := s.ask(t, time.Second, root)
			for i := range c.later {
				if c.later[i].Port == 0 {
					c.later[i].Port = s.port()
				}
			}
			if !slices.Equal(a.Later, c.later) || !slices.Equal(a.Hints, c.hints) || a.Status != 302 {
				t.Errorf("later %+v, hints %v, status %d", a.Later, a.Hints, a.Status)
			}
			if n := len(s.requests()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}
