package exporter

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// permit decides who may change things.
type permit struct {
	webConfig string   // path of --web.config.file, "" when there is none
	external  *url.URL // may be nil
}

// webConfig is what of exporter-toolkit's file tells whether users are known.
// The toolkit itself checks passwords and certificates before a request
// arrives here, and reads the file anew for each; so does this.
type webConfig struct {
	Users map[string]string `yaml:"basic_auth_users"`
	TLS   struct {
		ClientAuth string `yaml:"client_auth_type"`
	} `yaml:"tls_server_config"`
}

// verifiedClients is the client_auth_type that refuses whoever shows no
// certificate of the configured authority.
const verifiedClients = "RequireAndVerifyClientCert"

// user names who sends the request, or says why that person may not change
// anything.
func (p *permit) user(r *http.Request, editors []string) (string, error) {
	if name := peer(r.Context()); name != "" {
		return name, nil
	}
	var c webConfig
	if p.webConfig != "" {
		content, err := os.ReadFile(p.webConfig)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", p.webConfig, err)
		}
		if err := yaml.Unmarshal(content, &c); err != nil {
			return "", fmt.Errorf("read %s: %w", p.webConfig, err)
		}
	}
	name, known := "", false
	switch {
	case len(c.Users) > 0:
		name, _, known = r.BasicAuth()
	case c.TLS.ClientAuth == verifiedClients && r.TLS != nil && len(r.TLS.VerifiedChains) > 0:
		name, known = r.TLS.PeerCertificates[0].Subject.CommonName, true
	case c.TLS.ClientAuth == verifiedClients:
	default:
		return p.loopback(r)
	}
	if !known || !slices.Contains(editors, name) {
		return "", fmt.Errorf("%q is not among web.editors", printable(name, 64))
	}
	return name, nil
}

// loopback lets a person on this machine change things when the agent asks
// nobody for a password: not a proxy's client, and not a page that only
// resolves its own name to this machine.
func (p *permit) loopback(r *http.Request) (string, error) {
	const remedy = "without basic_auth_users in --web.config.file changes are taken from this machine only"
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return "", fmt.Errorf("%s is not this machine: %s", printable(r.RemoteAddr, 64), remedy)
	}
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(header) != "" {
			return "", fmt.Errorf("the request came through a proxy: %s", remedy)
		}
	}
	if !p.ownName(r.Host) {
		return "", fmt.Errorf("%q is not a name of this agent: use its address, or set --web.external-url", printable(r.Host, 64))
	}
	return "local", nil
}

func (p *permit) ownName(host string) bool {
	if p.external != nil && host == p.external.Host {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// editor answers 403 unless the request may change things; it names who asks.
func (x *Exporter) editor(w http.ResponseWriter, r *http.Request) (string, bool) {
	var editors []string
	if s := x.agent.Snapshot(); s != nil {
		editors = s.Settings.Editors
	}
	by, err := x.permit.user(r, editors)
	if err != nil {
		fail(w, http.StatusForbidden, "forbidden", err.Error())
		return "", false
	}
	return by, true
}
