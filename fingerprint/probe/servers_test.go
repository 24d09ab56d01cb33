package probe

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camcensus/fingerprint"
)

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestNginxIsReadInTheClearAndInTLS(t *testing.T) {
	dir := t.TempDir()
	key, cert := filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
	run(t, "openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-keyout", key, "-out", cert, "-subj", "/CN=IPC/O=Example")
	plain, secure := freePort(t), freePort(t)
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events {}
http { access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
server { listen 127.0.0.1:%[2]d; return 301 https://127.0.0.1:%[3]d/; }
server { listen 127.0.0.1:%[3]d ssl; ssl_certificate %[4]s; ssl_certificate_key %[5]s; location / { return 200 "<title>Web Client</title>"; } } }`, dir, plain, secure, cert, key)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, secure, "nginx", "-c", config, "-p", dir, "-e", "stderr")
	p := directProber(2 * time.Second)
	a := p.Ask(t.Context(), loopback, fingerprint.Question{Probe: "http", Port: uint16(plain), Path: "/"})
	if a.Status != 301 || len(a.Later) != 1 || len(a.Hints) != 1 || a.Hints[0] != uint16(secure) || !strings.Contains(a.Records[0].Raw, "\r\nServer: nginx") {
		t.Fatalf("%+v", a)
	}
	a = p.Ask(t.Context(), loopback, a.Later[0])
	if a.Status != 200 || leafOf(t, a).Subject != "O=Example,CN=IPC" || !strings.HasSuffix(a.Records[1].Raw, "<title>Web Client</title>") {
		t.Errorf("%+v", a)
	}
	a = p.Ask(t.Context(), loopback, fingerprint.Question{Probe: "http", Port: uint16(secure), Path: "/"})
	if a.Status != 400 || !a.Answered {
		t.Errorf("plain HTTP to a TLS port: %+v", a)
	}
}

func TestPythonsServersAreRead(t *testing.T) {
	for _, version := range []string{"HTTP/1.0", "HTTP/1.1"} {
		port := freePort(t)
		start(t, port, "python3", "-c", fmt.Sprintf(`
import http.server
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = %q
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>camera</html>")
http.server.HTTPServer(("127.0.0.1", %d), H).serve_forever()`, version, port))
		a := directProber(3*time.Second).Ask(t.Context(), loopback, fingerprint.Question{Probe: "http", Port: uint16(port), Path: "/"})
		if a.Status != 200 || a.Failure != "" || !strings.HasPrefix(a.Records[0].Raw, version+" 200 OK") || !strings.HasSuffix(a.Records[0].Raw, "<html>camera</html>") {
			t.Errorf("%s: %+v", version, a)
		}
	}
}
