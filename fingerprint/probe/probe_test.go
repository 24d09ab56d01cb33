package probe

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/lab"
)

func TestMain(m *testing.M) { lab.Isolate(m) }

// direct dials without a wire: what is tested here is what passes over the
// connection.
type direct struct{}

func (direct) DialTCP(ctx context.Context, to netip.AddrPort, _ string) (net.Conn, error) {
	return (&net.Dialer{Timeout: 900 * time.Millisecond}).DialContext(ctx, "tcp", to.String())
}

func directProber(timeout time.Duration) *Prober {
	p := New(Options{Timeout: timeout, UserAgent: "camcensus/test (+soc@site.example)"})
	p.wire = func(string) dialer { return direct{} }
	return p
}

// server plays a device: talk gets each accepted connection.
type server struct {
	listener net.Listener
	mu       sync.Mutex
	heard    []string // each connection's first request head
	count    int
}

func serve(t *testing.T, talk func(n int, conn net.Conn, request string)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{listener: l}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.count++
			n := s.count
			s.mu.Unlock()
			done.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				request := readHead(conn)
				s.mu.Lock()
				s.heard = append(s.heard, request)
				s.mu.Unlock()
				talk(n, conn, request)
			})
		}
	})
	t.Cleanup(func() { l.Close(); done.Wait() })
	return s
}

// readHead reads a request's head and, by its Content-Length, its body.
func readHead(conn net.Conn) string {
	var b strings.Builder
	r := bufio.NewReader(conn)
	length := 0
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "content-length") {
			length, _ = number([]byte(strings.TrimSpace(value)))
		}
		if err != nil || strings.TrimSpace(line) == "" {
			body := make([]byte, length)
			io.ReadFull(r, body)
			return b.String() + string(body)
		}
	}
}

func (s *server) port() uint16 {
	return uint16(s.listener.Addr().(*net.TCPAddr).Port)
}

func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.heard...)
}

var loopback = Target{IP: netip.MustParseAddr("127.0.0.1"), Interface: "lo"}

func (s *server) ask(t *testing.T, timeout time.Duration, q fingerprint.Question) Answer {
	t.Helper()
	q.Port = s.port()
	return directProber(timeout).Ask(t.Context(), loopback, q)
}

// says answers every request with the same bytes and hangs up.
func says(answer string) func(int, net.Conn, string) {
	return func(_ int, conn net.Conn, _ string) { io.WriteString(conn, answer) }
}

func raws(a Answer) []string {
	var out []string
	for _, r := range a.Records {
		out = append(out, r.Kind+" "+string(r.Bytes()))
	}
	return out
}
