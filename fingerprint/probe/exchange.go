package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"camcensus/discovery"
	"camcensus/fingerprint"
)

const (
	maxHead   = 16 << 10
	maxAnswer = maxHead + discovery.MaxRecordBody
	// silence ends an answer that promised no length on a connection that the
	// server forgot to close.
	silence = time.Second
	// between requests on one connection (docs/safety.md).
	between = 200 * time.Millisecond
)

// asking is one question under way.
type asking struct {
	*Prober
	target  Target
	q       fingerprint.Question
	request Request
	answer  Answer
	ready   net.Conn // an accepted connection to begin with; may be nil
	// left is how long this question may still keep the host busy. Waiting
	// for a turn on the wire does not count.
	left time.Duration
}

// dial opens one more connection of the question. The caller closes it.
func (a *asking) dial(ctx context.Context) (*timed, error) {
	if a.left <= 0 {
		return nil, fmt.Errorf("ask %s: %w", a.host(), os.ErrDeadlineExceeded)
	}
	conn := a.ready
	a.ready = nil
	if conn == nil {
		var err error
		conn, err = a.wire(a.q.Probe).DialTCP(ctx, netip.AddrPortFrom(a.target.IP, a.q.Port), a.target.Interface)
		if reason := reasonOf(ctx, err); err == nil || reason != fingerprint.FailedScope && reason != fingerprint.FailedBudget {
			a.answer.Connections++
		}
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", a.host(), err)
		}
	}
	a.answer.Open = true
	t := &timed{Conn: conn, asking: a, opened: time.Now()}
	t.deadline = t.opened.Add(a.left)
	if err := conn.SetDeadline(t.deadline); err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect to %s: %w", a.host(), err)
	}
	t.release = context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return t, nil
}

// timed is a connection that pays for its time out of the question's.
type timed struct {
	net.Conn
	asking   *asking
	opened   time.Time
	deadline time.Time
	release  func() bool
	closed   bool
}

// Close ends the connection, which lets the next one to this host begin.
func (t *timed) Close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	t.release()
	spent := time.Since(t.opened)
	t.asking.left -= spent
	t.asking.answer.Took += spent
	return t.Conn.Close()
}

// rtspHost is the target as an RTSP URL names it, always with its port.
func (a *asking) rtspHost() string {
	return netip.AddrPortFrom(a.target.IP.WithZone(""), a.q.Port).String()
}

// host is the target as a Host header and a URL name it.
func (a *asking) host() string {
	ip := a.target.IP.WithZone("")
	secure := a.q.Probe == "https" || a.q.TLS
	if a.q.Port == 80 && !secure || a.q.Port == 443 && secure {
		if ip.Is6() {
			return "[" + ip.String() + "]"
		}
		return ip.String()
	}
	return a.rtspHost()
}

// exchange writes one request and reads the answer as received.
func (a *asking) exchange(conn net.Conn, deadline time.Time, request []byte, follow bool) (raw []byte, truncated bool, err error) {
	a.answer.Requests++
	if _, err := conn.Write(request); err != nil {
		return nil, false, fmt.Errorf("write to %s: %w", a.host(), err)
	}
	raw, truncated, err = readAnswer(conn, deadline, follow)
	if len(raw) > 0 {
		a.answer.Answered = true
	}
	if err != nil {
		return raw, truncated, fmt.Errorf("read from %s: %w", a.host(), err)
	}
	return raw, truncated, nil
}

// errEmpty is an accepted connection that was closed without a word.
var errEmpty = errors.New("closed without an answer")

// errStalled is an answer that stopped before its promised end.
var errStalled = errors.New("stalled in the middle of an answer")

// readAnswer reads one HTTP or RTSP answer, head and body as received: to its
// promised end, to the close of the connection, to the bound, or to the
// deadline. follow is false when the head alone is of use.
func readAnswer(conn net.Conn, deadline time.Time, follow bool) (raw []byte, truncated bool, err error) {
	buf := make([]byte, 4<<10)
	var f framing
	for {
		n, err := conn.Read(buf)
		raw = append(raw, buf[:n]...)
		if !f.known {
			f.read(raw)
		}
		switch {
		case f.known && (!follow || f.endless):
			return raw[:f.body], len(raw) > f.body || f.endless, nil
		case f.known && f.complete(raw):
			return raw[:min(len(raw), f.body+discovery.MaxRecordBody)], len(raw) > f.body+discovery.MaxRecordBody, nil
		case f.known && len(raw) >= f.body+discovery.MaxRecordBody:
			return raw[:f.body+discovery.MaxRecordBody], true, nil
		case !f.known && len(raw) >= maxHead:
			return raw[:maxHead], true, nil
		}
		if err != nil {
			return raw, err != io.EOF, f.verdict(raw, err)
		}
		if f.known && f.length < 0 && !f.chunked {
			conn.SetReadDeadline(earlier(deadline, time.Now().Add(silence)))
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// framing is how the end of an answer is known.
type framing struct {
	known   bool // the head is complete
	body    int  // where the body begins
	next    int  // where the next chunk begins
	length  int  // promised, -1 when not
	chunked bool
	endless bool // a stream or a picture: of no use and nobody's business
}

func (f *framing) read(raw []byte) {
	skip := 0
	for {
		end := headEnd(raw[skip:])
		if end < 0 {
			return
		}
		r := parseResponse(raw[skip : skip+end])
		skip += end
		if len(r.status) > 0 && r.status[0] == '1' {
			continue // 100 Continue: the answer itself is still to come
		}
		f.known, f.body, f.next, f.length = true, skip, skip, -1
		if n, ok := number(bytes.TrimSpace(r.get("content-length"))); ok && n >= 0 {
			f.length = n
		}
		if string(r.status) == "204" || string(r.status) == "304" {
			f.length = 0
		}
		if hasPrefixFold(r.proto, "rtsp") && f.length < 0 {
			f.length = 0 // RFC 2326 section 4.4: no length, no body
		}
		f.chunked = indexFold(r.get("transfer-encoding"), "chunked") >= 0
		kind := r.get("content-type")
		f.endless = hasPrefixFold(kind, "multipart/") || hasPrefixFold(kind, "video/") || hasPrefixFold(kind, "audio/")
		return
	}
}

// headEnd is the length of the head with its empty line, -1 while it lasts.
func headEnd(raw []byte) int {
	best := -1
	for _, mark := range []string{"\r\n\r\n", "\n\n", "\n\r\n"} {
		if i := bytes.Index(raw, []byte(mark)); i >= 0 && (best < 0 || i+len(mark) < best) {
			best = i + len(mark)
		}
	}
	return best
}

func (f *framing) complete(raw []byte) bool {
	switch {
	case f.chunked:
		return f.lastChunk(raw)
	case f.length >= 0:
		return len(raw)-f.body >= f.length
	}
	return false
}

// lastChunk tells whether the chunk of length zero has arrived. It goes on
// where it stopped, so that a body of tiny chunks costs no more than another.
func (f *framing) lastChunk(raw []byte) bool {
	for f.next < len(raw) {
		i := bytes.IndexByte(raw[f.next:], '\n')
		if i < 0 {
			return false
		}
		line := bytes.TrimSpace(raw[f.next : f.next+i])
		f.next += i + 1
		if len(line) == 0 {
			continue // the line end behind a chunk
		}
		n, ok := chunkSize(line)
		if !ok {
			f.chunked = false // it only said so
			return false
		}
		if n == 0 {
			return true
		}
		f.next += n
	}
	return false
}

// verdict says what it means that the connection ended here.
func (f *framing) verdict(raw []byte, err error) error {
	promised := f.known && (f.length >= 0 || f.chunked)
	switch {
	case len(raw) == 0 && err == io.EOF:
		return errEmpty
	case err == io.EOF:
		return nil
	case len(raw) > 0 && errors.Is(err, os.ErrDeadlineExceeded) && f.known && !promised:
		return nil // it keeps the connection open after a whole answer
	case len(raw) > 0 && errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", errStalled, err)
	}
	return err
}

// record makes the evidence of an answer.
func (a *asking) record(kind string, raw []byte, truncated bool) discovery.Record {
	r := discovery.Record{
		Host: a.target.IP.String(), IP: a.target.IP.String(), Interface: a.target.Interface, Time: a.now(),
		Kind: kind, Port: int(a.q.Port), Path: a.q.Path, Truncated: truncated,
		From: netip.AddrPortFrom(a.target.IP, a.q.Port).String(),
	}
	if len(a.target.MAC) > 0 {
		r.MAC = a.target.MAC.String()
	}
	if a.request.Method != "" {
		r.Request = a.request.Method + " " + a.q.Path
	}
	if utf8.Valid(raw) {
		r.Raw = string(raw)
	} else {
		r.Base64 = raw
	}
	return r
}

// note keeps an answer as evidence.
func (a *asking) note(kind string, raw []byte, truncated bool) {
	a.answer.Records = append(a.answer.Records, a.record(kind, raw, truncated))
}

// fail sets why the question failed. What was received stays.
func (a *asking) fail(ctx context.Context, err error) {
	if err == nil {
		return
	}
	a.answer.Err = fmt.Errorf("%s: %w", a.q.Probe, err)
	a.answer.Failure = reasonOf(ctx, err)
}

func reasonOf(ctx context.Context, err error) string {
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return fingerprint.FailedCancelled
	case errors.Is(err, discovery.ErrHostBudget):
		return fingerprint.FailedBudget
	case errors.Is(err, discovery.ErrOutOfScope), errors.Is(err, discovery.ErrExcluded),
		errors.Is(err, discovery.ErrListenOnly), errors.Is(err, discovery.ErrNotSighted),
		errors.Is(err, discovery.ErrPlanned), errors.Is(err, errNoQuestion), errors.Is(err, errNoLogin):
		return fingerprint.FailedScope
	case errors.Is(err, syscall.ECONNREFUSED):
		return fingerprint.FailedRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		return fingerprint.FailedReset
	case errors.Is(err, errHandshake):
		return fingerprint.FailedTLS
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH),
		errors.As(err, &timeout) && timeout.Timeout():
		return fingerprint.FailedTimeout
	}
	return fingerprint.FailedMalformed
}

// cleanHeader keeps a configured text from breaking out of its header.
func cleanHeader(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 200)]
}
