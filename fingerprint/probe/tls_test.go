package probe

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"camcensus/fingerprint"
)

// openssl runs s_server with a certificate made by the given options, and
// returns its port.
func openssl(t *testing.T, certificate []string, options ...string) uint16 {
	t.Helper()
	dir := t.TempDir()
	key, cert := filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
	args := append([]string{"req", "-x509", "-nodes", "-keyout", key, "-out", cert, "-days", "1"}, certificate...)
	if !slices.Contains(args, "-subj") {
		args = append(args, "-subj", "/C=CN/ST=ZheJiang/L=HangZhou/O=Example, Ltd./OU=DVRNVR/CN=ipc-00a1b2c3d4e5")
	}
	run(t, "openssl", args...)
	return sServer(t, key, cert, options...)
}

func sServer(t *testing.T, key, cert string, options ...string) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	args := append([]string{"s_server", "-accept", fmt.Sprintf("127.0.0.1:%d", port), "-key", key, "-cert", cert, "-www"}, options...)
	start(t, port, "openssl", args...)
	return uint16(port)
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v (needs the %s command)\n%s", name, strings.Join(args, " "), err, name, out)
	}
}

// start runs a server until the test ends and waits until it listens.
func start(t *testing.T, port int, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (needs the %s command)", err, name)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 1000 {
		if listening(port) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	cmd.Process.Kill()
	cmd.Wait()
	t.Fatalf("%s does not listen on %d:\n%s", name, port, out.String())
}

// listening looks the port up in the kernel's table, so that the server's
// first connection is the one under test.
func listening(port int) bool {
	table, err := os.ReadFile("/proc/thread-self/net/tcp")
	return err == nil && bytes.Contains(table, fmt.Appendf(nil, ":%04X 00000000:0000 0A", port))
}

func leafOf(t *testing.T, a Answer) leaf {
	t.Helper()
	for _, r := range a.Records {
		if r.Kind == "tls" {
			var l leaf
			if err := json.Unmarshal(r.Bytes(), &l); err != nil {
				t.Fatal(err)
			}
			return l
		}
	}
	t.Fatalf("no certificate was read: failure %q, %v", a.Failure, a.Err)
	return leaf{}
}

const wantSubject = `CN=ipc-00a1b2c3d4e5,OU=DVRNVR,O=Example\, Ltd.,L=HangZhou,ST=ZheJiang,C=CN`

// TestOldTLSIsRead asks servers as OpenSSL plays them: what matters is that
// the subject is read whatever the two libraries think of each other.
func TestOldTLSIsRead(t *testing.T) {
	weak := []string{"-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"}
	rsa := func(bits string) []string { return []string{"-newkey", "rsa:" + bits} }
	for name, c := range map[string]struct {
		certificate []string
		options     []string
		page        bool // the page inside is read as well
	}{
		"TLS 1.2":                          {rsa("2048"), []string{"-tls1_2"}, true},
		"TLS 1.3 alone":                    {rsa("2048"), []string{"-tls1_3"}, true},
		"TLS 1.0":                          {rsa("2048"), append([]string{"-tls1"}, weak...), true},
		"TLS 1.1":                          {rsa("2048"), append([]string{"-tls1_1"}, weak...), true},
		"RSA key exchange alone":           {rsa("2048"), []string{"-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"}, true},
		"finite-field Diffie-Hellman only": {rsa("2048"), []string{"-tls1_2", "-cipher", "DHE-RSA-AES256-SHA:@SECLEVEL=0"}, false},
		"Diffie-Hellman of TLS 1.0":        {rsa("2048"), []string{"-tls1", "-cipher", "DHE-RSA-AES128-SHA:@SECLEVEL=0"}, false},
		"Camellia alone":                   {rsa("2048"), []string{"-tls1_2", "-cipher", "CAMELLIA128-SHA:@SECLEVEL=0"}, false},
		"a key of 512 bits":                {rsa("512"), append([]string{"-tls1_2"}, weak...), false},
		"a key of 1024 bits, SHA-1":        {append(rsa("1024"), "-sha1"), append([]string{"-tls1_2"}, weak...), true},
		"signed with MD5":                  {append(rsa("1024"), "-md5"), append([]string{"-tls1"}, weak...), true},
		"TLS 1.3 and a negative serial":    {append(rsa("2048"), "-set_serial", "-4711"), []string{"-tls1_3"}, false},
		"TLS 1.3 with AES-128":             {append(rsa("2048"), "-set_serial", "-4711"), []string{"-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"}, false},
		"a negative serial":                {append(rsa("2048"), "-set_serial", "-4711"), []string{"-tls1_2"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			port := openssl(t, c.certificate, c.options...)
			p := directProber(3 * time.Second)
			for _, probe := range []string{"tls", "https"} {
				q := fingerprint.Question{Probe: probe, Port: port}
				if probe == "https" {
					q.Path = "/"
				}
				a := p.Ask(t.Context(), loopback, q)
				if l := leafOf(t, a); l.Subject != wantSubject || l.Issuer != wantSubject || len(l.SHA256) != 64 {
					t.Errorf("%s: %+v", probe, l)
				}
				if a.Connections > 3 {
					t.Errorf("%s took %d connections", probe, a.Connections)
				}
				if probe == "tls" && (a.Failure != "" || a.Requests != 0) {
					t.Errorf("tls: failure %q, %d requests", a.Failure, a.Requests)
				}
				if probe == "https" && c.page && (a.Status != 200 || len(a.Records) != 2) {
					t.Errorf("https: status %d, failure %q (%v), %d connections", a.Status, a.Failure, a.Err, a.Connections)
				}
				if probe == "https" && !c.page && a.Failure != fingerprint.FailedTLS {
					t.Errorf("https: failure %q", a.Failure)
				}
			}
		})
	}
}

func TestOneConnectionGivesCertificateAndPage(t *testing.T) {
	a := directProber(3*time.Second).Ask(t.Context(), loopback, fingerprint.Question{
		Probe: "https", Port: openssl(t, []string{"-newkey", "rsa:2048"}), Path: "/"})
	if a.Connections != 1 || a.Requests != 1 || len(a.Records) != 2 || a.Records[0].Kind != "tls" || a.Records[1].Kind != "https" {
		t.Errorf("%d connections, %d requests, records %v", a.Connections, a.Requests, raws(a))
	}
	if a.Records[0].Path != "" || a.Records[1].Path != "/" {
		t.Errorf("paths %q and %q", a.Records[0].Path, a.Records[1].Path)
	}
}

func TestTLSPortsThatAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		talk        func(int, net.Conn, string)
		failure     string
		connections int
	}{
		"plain HTTP":             {func(_ int, c net.Conn, _ string) { io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\n") }, fingerprint.FailedTLS, 1},
		"closes":                 {func(int, net.Conn, string) {}, fingerprint.FailedTLS, 1},
		"resets":                 {func(_ int, c net.Conn, _ string) { c.(*net.TCPConn).SetLinger(0) }, fingerprint.FailedReset, 1},
		"refuses every hello":    {func(_ int, c net.Conn, _ string) { c.Write([]byte{21, 3, 1, 0, 2, 2, 40}) }, fingerprint.FailedTLS, 3},
		"a record without end":   {func(_ int, c net.Conn, _ string) { c.Write([]byte{22, 3, 1, 255, 255, 2, 0, 0, 0}) }, fingerprint.FailedTLS, 1},
		"a message without end":  {func(_ int, c net.Conn, _ string) { c.Write([]byte{22, 3, 1, 0, 6, 2, 255, 255, 255, 3, 3}) }, fingerprint.FailedTLS, 3},
		"an empty certificate":   {func(_ int, c net.Conn, _ string) { c.Write([]byte{22, 3, 1, 0, 7, 11, 0, 0, 3, 0, 0, 0}) }, fingerprint.FailedTLS, 3},
		"nothing but warnings":   {func(_ int, c net.Conn, _ string) { c.Write(bytes.Repeat([]byte{21, 3, 1, 0, 2, 1, 112}, 3)) }, fingerprint.FailedTLS, 1},
		"a certificate and gone": {func(_ int, c net.Conn, _ string) { c.Write(flightOf([]byte{0x30, 3, 2, 1, 5})) }, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					conn.SetDeadline(time.Now().Add(5 * time.Second))
					conn.Read(make([]byte, 1024))
					c.talk(0, conn, "")
					conn.Close()
				}
			}()
			a := directProber(2*time.Second).Ask(t.Context(), loopback, fingerprint.Question{Probe: "tls", Port: uint16(l.Addr().(*net.TCPAddr).Port)})
			if a.Failure != c.failure || a.Connections != c.connections {
				t.Errorf("failure %q after %d connections: %v", a.Failure, a.Connections, a.Err)
			}
		})
	}
}

// flightOf is a server's ServerHello and Certificate of TLS 1.2, the message
// torn over two records.
func flightOf(certificate []byte) []byte {
	hello := append([]byte{2, 0, 0, 38, 3, 3}, make([]byte, 36)...)
	n := len(certificate)
	cert := append([]byte{11, byte((n + 6) >> 16), byte((n + 6) >> 8), byte(n + 6), byte((n + 3) >> 16), byte((n + 3) >> 8), byte(n + 3), byte(n >> 16), byte(n >> 8), byte(n)}, certificate...)
	messages := append(hello, cert...)
	var out []byte
	for _, part := range [][]byte{messages[:50], messages[50:]} {
		out = append(out, 22, 3, 3, byte(len(part)>>8), byte(len(part)))
		out = append(out, part...)
	}
	return out
}

func TestCertificatesAreReadLeniently(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x1234), NotBefore: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2051, 2, 3, 4, 5, 6, 0, time.UTC),
		Subject:  pkix.Name{CommonName: "axis-00a1b2c3d4e5", Organization: []string{`Cam "Works" + Co`}, Country: []string{"SE"}},
		DNSNames: []string{"axis-00a1b2c3d4e5.local"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 9), net.ParseIP("2001:db8::9")}, EmailAddresses: []string{"a@b.example"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l := readLeaf(der)
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if want := parsed.Subject.String(); l.Subject != want || l.Issuer != want {
		t.Errorf("subject %q, crypto/x509 says %q", l.Subject, want)
	}
	if l.Serial != "1234" || l.NotBefore != "1970-01-01T00:00:00Z" || l.NotAfter != "2051-02-03T04:05:06Z" {
		t.Errorf("%+v", l)
	}
	if want := []string{"axis-00a1b2c3d4e5.local", "a@b.example", "192.0.2.9", "2001:db8::9"}; !slices.Equal(l.SANs, want) {
		t.Errorf("sans %q", l.SANs)
	}
	for n := range len(der) {
		readLeaf(der[:n]) // cut anywhere it gives what there is
	}
	if cut := readLeaf(der[:len(der)-100]); cut.Subject != l.Subject {
		t.Errorf("a cut certificate gave %q", cut.Subject)
	}
}

func TestStringsOfEveryKindAreRead(t *testing.T) {
	for name, c := range map[string]struct{ hexName, want string }{
		"BMPString":            {"3015 3113 3011 0603550403 1e0a 00630061006d00e900 31", "CN=camé1"},
		"TeletexString":        {"300f 310d 300b 0603550403 1404 63e96d31", "CN=cém1"},
		"GBK in UTF8String":    {"300f 310d 300b 060355040a 0c04 d6d0cec4", "O=中文"},
		"control characters":   {"300f 310d 300b 0603550403 0c04 610a0062", "CN=a b"},
		"two values in a part": {"301a 3118 300a 0603550403 0c03 616263 300a 060355040b 0c03 646566", "CN=abc+OU=def"},
		"an unknown attribute": {"300e 310c 300a 06032a0304 0c03 616263", "1.2.3.4=abc"},
		"no string at all":     {"3009 3107 3005 0603550403", "CN="},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := hex.DecodeString(strings.ReplaceAll(c.hexName, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			e, _, ok := derElement(b)
			if got := distinguishedName(e.content); !ok || got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestExpiredCertificatesAreReadWithTheirDates(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "IPC"},
		NotBefore: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		readHead(conn)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		conn.Close()
	}()
	a := directProber(2*time.Second).Ask(t.Context(), loopback, fingerprint.Question{Probe: "https", Port: uint16(l.Addr().(*net.TCPAddr).Port), Path: "/"})
	if got := leafOf(t, a); got.NotAfter != "1980-01-01T00:00:00Z" || got.NotBefore != "1970-01-01T00:00:00Z" || a.Status != 200 {
		t.Errorf("%+v, status %d", got, a.Status)
	}
}

func FuzzTLSFlight(f *testing.F) {
	f.Add(flightOf([]byte{0x30, 3, 2, 1, 5}))
	f.Add([]byte{21, 3, 1, 0, 2, 2, 40})
	f.Add([]byte("HTTP/1.0 400 Bad Request\r\n\r\n"))
	f.Add(append(flightOf([]byte{0x30, 0x82, 1, 1}), 20, 3, 3, 0, 1, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := parseFlight(b)
		if len(got.leaf) > maxCertificate {
			t.Errorf("a leaf of %d bytes", len(got.leaf))
		}
		if got.leaf != nil {
			if _, err := json.Marshal(readLeaf(got.leaf)); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzSealedFlight(f *testing.F) {
	log := []byte("SERVER_HANDSHAKE_TRAFFIC_SECRET 00 " + strings.Repeat("ab", 32) + "\n")
	f.Add(append([]byte{22, 3, 3, 0, 44, 2, 0, 0, 40, 3, 3}, append(make([]byte, 33), 0x13, 1, 0, 0, 0, 23, 3, 3, 0, 1, 0)...), log)
	f.Fuzz(func(t *testing.T, recorded, keyLog []byte) {
		if leaf := sealedLeaf(recorded, keyLog); len(leaf) > maxCertificate {
			t.Errorf("a leaf of %d bytes", len(leaf))
		}
	})
}

func FuzzCertificate(f *testing.F) {
	f.Add([]byte{0x30, 3, 2, 1, 5})
	f.Add([]byte{0x30, 0x0b, 0x30, 9, 2, 1, 0x85, 0x30, 0, 0x30, 0x82, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		l := readLeaf(b)
		if len(l.SANs) > maxNames || len(l.Subject) > maxNames*4*2*(maxNameValue+160) {
			t.Errorf("%d names, a subject of %d bytes", len(l.SANs), len(l.Subject))
		}
	})
}
