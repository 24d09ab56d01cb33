package probe

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"

	"go.yaml.in/yaml/v3"

	"camcensus/fingerprint"
)

// Credentials are the user's own read-only accounts, by network. Without them
// there is no login at all.
type Credentials struct {
	accounts []account
}

// account is one entry of the credentials file.
type account struct {
	Networks []string `yaml:"networks"`
	ONVIF    *Login   `yaml:"onvif"`
	ISAPI    *Login   `yaml:"isapi"`
	prefixes []netip.Prefix
}

// Login is a user name and password of a read-only account.
type Login struct {
	Username string `yaml:"username"`
	Password string `yaml:"password"`
}

// String keeps a password out of every log line.
func (l Login) String() string { return l.Username + ":***" }

// GoString does so for %#v.
func (l Login) GoString() string { return l.String() }

// maxCredentialsFile bounds the file, in bytes.
const maxCredentialsFile = 1 << 20

// LoadCredentials reads a YAML list of {networks: [prefix], onvif: {username,
// password}, isapi: {...}}. A file that others can read is refused.
func LoadCredentials(path string) (*Credentials, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	switch mode := stat.Mode(); {
	case !mode.IsRegular():
		return nil, fmt.Errorf("credentials: %s is not a regular file", path)
	case runtime.GOOS == "windows":
		return nil, fmt.Errorf("credentials: %s: who can read it cannot be told on this system (needs file modes)", path)
	case mode.Perm()&0o077 != 0:
		return nil, fmt.Errorf("credentials: %s has mode %04o, others can read it (needs chmod 600)", path, mode.Perm())
	}
	var c Credentials
	d := yaml.NewDecoder(io.LimitReader(f, maxCredentialsFile))
	d.KnownFields(true)
	if err := d.Decode(&c.accounts); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("credentials: %s: %w", path, err)
	}
	for i := range c.accounts {
		if err := c.accounts[i].check(); err != nil {
			return nil, fmt.Errorf("credentials: %s: entry %d: %w", path, i+1, err)
		}
	}
	return &c, nil
}

func (a *account) check() error {
	if len(a.Networks) == 0 {
		return errors.New("no networks (needs at least one prefix)")
	}
	for _, text := range a.Networks {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("network %q is no prefix (needs e.g. 10.20.0.0/22)", text)
		}
		a.prefixes = append(a.prefixes, prefix.Masked())
	}
	for _, l := range []*Login{a.ONVIF, a.ISAPI} {
		if l != nil && (l.Username == "" || l.Password == "") {
			return errors.New("a login without username or password")
		}
	}
	if a.ONVIF == nil && a.ISAPI == nil {
		return errors.New("no login (needs onvif or isapi)")
	}
	return nil
}

// For tells whether an account is configured for the address: fingerprint's
// State.Login.
func (c *Credentials) For(ip netip.Addr) bool {
	return c != nil && (c.login(ip, "onvif") != nil || c.login(ip, "isapi") != nil)
}

func (c *Credentials) login(ip netip.Addr, kind string) *Login {
	for _, a := range c.accounts {
		if !slices.ContainsFunc(a.prefixes, func(p netip.Prefix) bool { return p.Contains(ip.Unmap().WithZone("")) }) {
			continue
		}
		if kind == "isapi" && a.ISAPI != nil {
			return a.ISAPI
		}
		if kind == "onvif" && a.ONVIF != nil {
			return a.ONVIF
		}
	}
	return nil
}

// logins hands credentials out: to cameras and their like only, and never
// again to a host that has refused them once.
type logins struct {
	credentials *Credentials
	mu          sync.Mutex
	refused     map[netip.Addr]bool
}

func newLogins(c *Credentials) *logins {
	return &logins{credentials: c, refused: map[netip.Addr]bool{}}
}

func (l *logins) take(t Target, kind string) (Login, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.credentials == nil || l.refused[t.IP] || !fingerprint.IsCameraClass(t.Class) {
		return Login{}, errNoLogin
	}
	login := l.credentials.login(t.IP, kind)
	if login == nil {
		return Login{}, errNoLogin
	}
	return *login, nil
}

// failed ends every login at this host.
func (l *logins) failed(t Target) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused[t.IP] = true
}
