package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Mode says whether the agent sends.
type Mode string

// The modes.
const (
	ModeActive Mode = "active"
	ModeListen Mode = "listen" // never sends
)

// UnmarshalText refuses any other word.
func (m *Mode) UnmarshalText(b []byte) error { return oneOf(m, b, ModeActive, ModeListen) }

// Hostnames says whose names are kept.
type Hostnames string

// Names of phones and PCs are personal data.
const (
	HostnamesCameras Hostnames = "cameras"
	HostnamesAll     Hostnames = "all"
	HostnamesNone    Hostnames = "none"
)

// UnmarshalText refuses any other word.
func (h *Hostnames) UnmarshalText(b []byte) error {
	return oneOf(h, b, HostnamesCameras, HostnamesAll, HostnamesNone)
}

// DeviceSeries says which devices have series of their own.
type DeviceSeries string

// The choices of metrics.device_series.
const (
	DeviceSeriesFlagged DeviceSeries = "flagged"
	DeviceSeriesAll     DeviceSeries = "all"
	DeviceSeriesNone    DeviceSeries = "none"
)

// UnmarshalText refuses any other word.
func (s *DeviceSeries) UnmarshalText(b []byte) error {
	return oneOf(s, b, DeviceSeriesFlagged, DeviceSeriesAll, DeviceSeriesNone)
}

// Language of the page.
type Language string

// The languages; auto follows the browser.
const (
	LanguageAuto Language = "auto"
	LanguageEN   Language = "en"
	LanguageFR   Language = "fr"
)

// UnmarshalText refuses any other word.
func (l *Language) UnmarshalText(b []byte) error {
	return oneOf(l, b, LanguageAuto, LanguageEN, LanguageFR)
}

func oneOf[T ~string](into *T, b []byte, choices ...T) error {
	if !slices.Contains(choices, T(b)) {
		return fmt.Errorf("%q is none of %v", b, choices)
	}
	*into = T(b)
	return nil
}

// Duration is a time.Duration written as Prometheus writes them: 30d, 24h,
// 15m, 3s, 500ms, 0.
type Duration time.Duration

// D returns it as a time.Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }

// UnmarshalText parses the written form.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := model.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is no duration such as 30d, 24h, 15m, 3s", b)
	}
	*d = Duration(v)
	return nil
}

// String writes it as UnmarshalText reads it.
func (d Duration) String() string { return model.Duration(d).String() }

// Network is one entry of the scope: a prefix, an address, or "connected".
type Network string

// Connected stands for the private networks of the agent's own interfaces.
const Connected Network = "connected"

// UnmarshalText checks the written form.
func (n *Network) UnmarshalText(b []byte) error {
	s := string(b)
	if s != string(Connected) {
		if _, err := ParsePrefix(s); err != nil {
			return fmt.Errorf("%w (or the word connected)", err)
		}
	}
	*n = Network(s)
	return nil
}

// ParsePrefix reads a prefix, or an address as a prefix of one.
func ParsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither a prefix such as 10.20.0.0/22 nor an address", s)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has host bits set: write %s for the network, or a plain address", s, p.Masked())
	}
	return p, nil
}

// Exclusion is an entry that is never addressed; in YAML a text, or a mapping
// that also says why and by whom.
type Exclusion struct {
	Match  string `yaml:"match"` // an IP, a prefix or a MAC
	Reason string `yaml:"reason"`
	By     string `yaml:"by"`
}

// UnmarshalYAML takes both forms.
func (e *Exclusion) UnmarshalYAML(n *yaml.Node) error {
	type plain Exclusion
	var p plain
	if n.Kind == yaml.ScalarNode {
		p.Match = n.Value
	} else if err := Decode(n, &p); err != nil {
		return err
	}
	if _, err := ParsePrefix(p.Match); err != nil {
		if _, err := net.ParseMAC(p.Match); err != nil {
			return Errors{at(n, "exclude: %q is no IP address, prefix or MAC address", p.Match)}
		}
	}
	*e = Exclusion(p)
	return nil
}

// UnmarshalYAML takes a mapping or just a name.
func (s *Site) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		s.Name = n.Value
		return nil
	}
	type plain Site
	p := plain(*s)
	if err := Decode(n, &p); err != nil {
		return err
	}
	*s = Site(p)
	return nil
}

// QuietHours is a daily span in local time in which nothing is sent. A span
// whose end is not after its start runs over midnight.
type QuietHours struct{ From, To time.Duration } // since midnight

// UnmarshalText reads "22:00-06:00".
func (q *QuietHours) UnmarshalText(b []byte) error {
	from, to, ok := strings.Cut(string(b), "-")
	f, err1 := time.Parse("15:04", strings.TrimSpace(from))
	t, err2 := time.Parse("15:04", strings.TrimSpace(to))
	if !ok || err1 != nil || err2 != nil || f.Equal(t) {
		return fmt.Errorf("%q is no span such as 22:00-06:00", b)
	}
	*q = QuietHours{From: clock(f), To: clock(t)}
	return nil
}

func clock(t time.Time) time.Duration {
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}

// Contains tells whether t's local time of day lies in the span.
func (q QuietHours) Contains(t time.Time) bool {
	at := clock(t) + time.Duration(t.Second())*time.Second
	if q.From < q.To {
		return at >= q.From && at < q.To
	}
	return at >= q.From || at < q.To
}
