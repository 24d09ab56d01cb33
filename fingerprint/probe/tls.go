package probe

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// errHandshake: the two sides did not come to a TLS session.
var errHandshake = errors.New("no TLS session")

// tls reads the certificate that a port shows. It is read, never trusted, and
// no request follows.
func (a *asking) tls(ctx context.Context) error {
	s, err := a.openTLS(ctx, false)
	if s != nil {
		s.Close()
	}
	if len(a.answer.Records) > 0 {
		return nil
	}
	return err
}

// session is a TLS session with a host.
type session struct {
	*tls.Conn
	deadline time.Time
}

// attempt is what one connection in TLS came to.
type attempt struct {
	session *session // nil when no session came about
	flight  flight   // what the server said in the clear
	err     error
}

// openTLS opens a TLS session and notes the certificate, which is kept even
// when no session comes about. Each further attempt is a connection more, so
// it makes one only where it can help: another version after an alert that
// says so, our own wider hello after any other refusal, and, for need, a key
// exchange without signatures where only the signature was at fault.
func (a *asking) openTLS(ctx context.Context, need bool) (*session, error) {
	t := a.handshake(ctx, lenient(tls.VersionTLS10, tls.VersionTLS12, everyCipher()))
	switch {
	case t.session != nil, !t.flight.any(), t.flight.foreign:
	case t.flight.leaf != nil:
		if need && signatureAtFault(t.flight.leaf) {
			t = a.handshake(ctx, lenient(tls.VersionTLS10, tls.VersionTLS12, plainKeyExchange())).orElse(t)
		}
	case t.flight.alert == alertProtocolVersion:
		t = a.handshake(ctx, lenient(tls.VersionTLS13, tls.VersionTLS13, nil))
		if t.session == nil && t.flight.leaf == nil {
			t = a.hello(ctx, oldHello()).orElse(t)
		}
	default:
		for _, hello := range [][]byte{wideHello(), oldHello()} {
			if t = a.hello(ctx, hello).orElse(t); t.flight.leaf != nil {
				break
			}
		}
	}
	if t.flight.leaf != nil && (a.q.Probe == "tls" || a.q.Probe == "https") {
		a.noteCertificate(t.flight)
	}
	return t.session, t.err
}

// orElse keeps an earlier attempt when this one learnt nothing more.
func (t attempt) orElse(earlier attempt) attempt {
	if t.session != nil || t.flight.leaf != nil || earlier.flight.leaf == nil && t.flight.any() {
		return t
	}
	return earlier
}

// handshake makes one attempt with the standard library.
func (a *asking) handshake(ctx context.Context, config *tls.Config) attempt {
	conn, err := a.dial(ctx)
	if err != nil {
		return attempt{err: err}
	}
	seen := &tap{Conn: conn}
	var keys bytes.Buffer
	config.KeyLogWriter = &keys // of this one connection, see sealedLeaf
	client := tls.Client(seen, config)
	err = client.Handshake()
	a.answer.Answered = a.answer.Answered || len(seen.read) > 0
	if err == nil {
		state := client.ConnectionState()
		f := flight{version: state.Version, over: true}
		if len(state.PeerCertificates) > 0 {
			f.leaf = state.PeerCertificates[0].Raw
		}
		seen.done = true
		return attempt{session: &session{client, conn.deadline}, flight: f}
	}
	defer conn.Close()
	if leaf := sealedLeaf(seen.read, keys.Bytes()); leaf != nil {
		f := flight{version: tls.VersionTLS13, leaf: leaf, over: true}
		return attempt{flight: f, err: a.handshakeError(f, err)}
	}
	f := readFlight(conn, seen.read, earlier(conn.deadline, time.Now().Add(silence)))
	return attempt{flight: f, err: a.handshakeError(f, err)}
}

// hello makes one attempt with a hello of our own: it goes as far as the
// certificate, then takes leave.
func (a *asking) hello(ctx context.Context, hello []byte) attempt {
	conn, err := a.dial(ctx)
	if err != nil {
		return attempt{err: err}
	}
	defer conn.Close()
	if _, err := conn.Write(hello); err != nil {
		return attempt{err: fmt.Errorf("write to %s: %w", a.host(), err)}
	}
	f := readFlight(conn, nil, conn.deadline)
	a.answer.Answered = a.answer.Answered || f.any()
	conn.Write(closeNotify)
	return attempt{flight: f, err: a.handshakeError(f, f.err)}
}

// handshakeError words why there is no session: as TLS's own failure once the
// server has spoken, as the connection's before.
func (a *asking) handshakeError(f flight, err error) error {
	switch {
	case f.foreign:
		return fmt.Errorf("%s does not speak TLS: %w", a.host(), errHandshake)
	case err == nil || f.any():
		return fmt.Errorf("TLS with %s: %w: %v", a.host(), errHandshake, err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("TLS with %s: %w: closed without an answer", a.host(), errHandshake)
	}
	return fmt.Errorf("TLS with %s: %w", a.host(), err)
}

// lenient is a client that speaks with anything the library still knows. The
// versions stay below 1.3 where they can, since there the certificate passes
// in the clear and is read even when the library refuses it.
func lenient(lowest, highest uint16, ciphers []uint16) *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, // the certificate is evidence, not trust
		MinVersion:         lowest, MaxVersion: highest, CipherSuites: ciphers,
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
	}
}

func everyCipher() []uint16 {
	var ids []uint16
	for _, c := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ids = append(ids, c.ID)
	}
	return ids
}

// plainKeyExchange are the suites in which the server signs nothing.
func plainKeyExchange() []uint16 {
	var ids []uint16
	for _, c := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if bytes.HasPrefix([]byte(c.Name), []byte("TLS_RSA_")) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// signatureAtFault tells whether the library could live with the certificate,
// so that an exchange without signatures is worth a connection.
func signatureAtFault(leaf []byte) bool {
	cert, err := x509.ParseCertificate(leaf)
	if err != nil {
		return false
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() >= 1024
}

// tap keeps what passes of the handshake.
type tap struct {
	net.Conn
	read []byte
	done bool
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	if !t.done && len(t.read) < maxFlight {
		t.read = append(t.read, b[:n]...)
	}
	return n, err
}

// readFlight reads on until the certificate or the refusal is complete.
func readFlight(conn net.Conn, read []byte, deadline time.Time) flight {
	conn.SetReadDeadline(deadline)
	buf := make([]byte, 4<<10)
	for {
		f := parseFlight(read)
		if f.complete() || len(read) >= maxFlight {
			return f
		}
		n, err := conn.Read(buf)
		read = append(read, buf[:n]...)
		if err != nil {
			f = parseFlight(read)
			if f.err = err; errors.Is(err, os.ErrDeadlineExceeded) && f.leaf != nil {
				f.err = nil
			}
			return f
		}
	}
}
