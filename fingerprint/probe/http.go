package probe

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"camcensus/fingerprint"
)

// http asks a web server for one of the fixed paths, in the clear.
func (a *asking) http(ctx context.Context) error {
	raw, truncated, err := a.fetch(ctx, nil)
	a.keepWeb("http", raw, truncated)
	if err == nil && looksLikeTLS(raw) {
		return fmt.Errorf("%s answers in TLS: %w", a.host(), errHandshake)
	}
	return err
}

// https asks the same inside TLS, and reads the certificate on the way.
func (a *asking) https(ctx context.Context) error {
	s, err := a.openTLS(ctx, true)
	if err != nil {
		return err
	}
	defer s.Close()
	raw, truncated, err := a.exchange(s, s.deadline, a.httpRequest(nil), true)
	a.keepWeb("https", raw, truncated)
	return err
}

// fetch puts the question's request over HTTP, inside TLS when the question
// says so, and returns the answer as received.
func (a *asking) fetch(ctx context.Context, authorization []byte) ([]byte, bool, error) {
	if a.q.TLS {
		s, err := a.openTLS(ctx, true)
		if err != nil {
			return nil, false, err
		}
		defer s.Close()
		return a.exchange(s, s.deadline, a.httpRequest(authorization), true)
	}
	conn, err := a.dial(ctx)
	if err != nil {
		return nil, false, err
	}
	defer conn.Close()
	return a.exchange(conn, conn.deadline, a.httpRequest(authorization), true)
}

// httpRequest is the question's request as sent. authorization is a whole
// header line, only ever the answer to a digest challenge.
func (a *asking) httpRequest(authorization []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: */*\r\n", a.request.Method, a.request.Path, a.host(), a.userAgent)
	if a.request.Method == "POST" {
		fmt.Fprintf(&b, "Content-Type: %s\r\nContent-Length: %d\r\n", a.request.Type, len(a.request.Body))
	}
	b.Write(authorization)
	b.WriteString("Connection: close\r\n\r\n")
	b.WriteString(a.request.Body)
	return b.Bytes()
}

// keepWeb notes a web server's answer and what it leads to.
func (a *asking) keepWeb(kind string, raw []byte, truncated bool) {
	if len(raw) == 0 || looksLikeTLS(raw) {
		return
	}
	a.note(kind, raw, truncated)
	r := answerIn(raw)
	a.readStatus(r)
	if location := r.get("location"); len(location) > 0 {
		a.readRedirect(string(location))
	}
}

// answerIn is the first answer that is not an interim one.
func answerIn(raw []byte) response {
	r := parseResponse(raw)
	for i := 0; i < 4 && len(r.status) > 0 && r.status[0] == '1'; i++ {
		next := r.rest
		if len(next) == 0 {
			next = r.body
		}
		r = parseResponse(next)
	}
	return r
}

func (a *asking) readStatus(r response) {
	if n, ok := number(r.status); ok && n <= 999 {
		a.answer.Status = n
	}
}

// readRedirect notes where a redirect leads, if that is this same host and one
// of the fixed paths. It is never followed here.
func (a *asking) readRedirect(location string) {
	if len(location) > 1024 {
		return
	}
	u, err := url.Parse(location)
	if err != nil || u.User != nil {
		return
	}
	q := fingerprint.Question{Probe: a.q.Probe, Port: a.q.Port, Path: u.Path}
	if u.Host != "" || u.Scheme != "" {
		if (u.Scheme != "http" && u.Scheme != "https") || !a.isTarget(u.Hostname()) {
			return
		}
		q.Probe, q.Port = u.Scheme, portOf(u)
		if q.Port == 0 {
			return
		}
	}
	if q.Port != a.q.Port && !slices.Contains(a.answer.Hints, q.Port) {
		a.answer.Hints = append(a.answer.Hints, q.Port)
	}
	if q.Path == "" {
		q.Path = "/"
	}
	if !strings.HasPrefix(q.Path, "/") {
		q.Path = "/" + q.Path
	}
	if r, ok := requestFor(q); ok && r.Method == "GET" && u.RawQuery == "" && q != (fingerprint.Question{Probe: a.q.Probe, Port: a.q.Port, Path: a.q.Path}) {
		a.answer.Later = append(a.answer.Later, q)
	}
}

func (a *asking) isTarget(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().WithZone("") == a.target.IP.Unmap().WithZone("")
}

func portOf(u *url.URL) uint16 {
	if u.Port() == "" {
		return map[string]uint16{"http": 80, "https": 443}[u.Scheme]
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// looksLikeTLS tells a TLS alert or handshake from an HTTP answer.
func looksLikeTLS(raw []byte) bool {
	return len(raw) >= 3 && (raw[0] == recordAlert || raw[0] == recordHandshake) && raw[1] == 3 && raw[2] <= 4
}
