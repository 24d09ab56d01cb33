package agent

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.yaml.in/yaml/v3"

	"camcensus/discovery"
	"camcensus/discovery/arp"
	"camcensus/discovery/dhcp"
	"camcensus/discovery/dhip"
	"camcensus/discovery/listen"
	"camcensus/discovery/mdns"
	"camcensus/discovery/native"
	"camcensus/discovery/ndp"
	"camcensus/discovery/neighbor"
	"camcensus/discovery/sadp"
	"camcensus/discovery/snmp"
	"camcensus/discovery/ssdp"
	"camcensus/discovery/sweep"
	"camcensus/discovery/wsd"
	"camcensus/internal/config"
)

// Protocols lists every way to get sightings. A new protocol is one folder
// under discovery/ and one line here.
var Protocols = append([]discovery.Protocol{
	wsd.Protocol,
	mdns.Protocol,
	arp.Protocol,
	ndp.Protocol,
	ssdp.Protocol,
	sadp.Protocol,
	dhip.Protocol,
	dhcp.Protocol,
	neighbor.Protocol,
	snmp.Protocol,
	sweep.Protocol,
	listen.Protocol,
}, native.Protocols...)

// source is one protocol at work.
type source struct {
	name     string
	required bool // the configuration says enabled: true, so that its lack is a failure
	discovery.Source
}

// buildSources makes the sources that the configuration enables; greet may be
// nil.
func buildSources(wire *discovery.Wire, c config.Config, log *zap.Logger, now func() time.Time, greet discovery.Greet) ([]source, error) {
	if err := knownSources(c); err != nil {
		return nil, err
	}
	var out []source
	for _, p := range Protocols {
		set := p.Settings()
		n, configured := c.Discovery.Sources[p.Name]
		if configured {
			if err := config.Decode(&n, set); err != nil {
				return nil, c.Locate(err)
			}
		}
		sw, ok := set.(switches)
		if !ok {
			return nil, fmt.Errorf("agent: source %s: its settings embed no discovery.Enabled", p.Name)
		}
		if !sw.Known() {
			return nil, c.Locate(mistake(n, "discovery.sources.%s.enabled is none of auto, true, false", p.Name))
		}
		if sw.Off() {
			continue
		}
		s, err := p.New(discovery.Env{Wire: wire.For(p.Name), Log: log.Named(p.Name), Now: now, Greet: greet}, set)
		if err != nil {
			return nil, c.Locate(mistake(n, "discovery.sources.%s: %v", p.Name, err))
		}
		out = append(out, source{name: p.Name, required: configured && !sw.Auto(), Source: s})
	}
	return out, nil
}

func knownSources(c config.Config) error {
	known := map[string]bool{}
	var names []string
	for _, p := range Protocols {
		known[p.Name] = true
		names = append(names, p.Name)
	}
	sort.Strings(names)
	for name, n := range c.Discovery.Sources {
		if !known[name] {
			return c.Locate(mistake(n, "unknown source discovery.sources.%s (known here: %s)", name, strings.Join(names, ", ")))
		}
	}
	return nil
}

// mistake is one in the settings of a source.
func mistake(n yaml.Node, format string, args ...any) error {
	return config.Errors{{Line: n.Line, Column: n.Column, Msg: fmt.Sprintf(format, args...)}}
}

// switches is what every settings struct embeds.
type switches interface {
	Auto() bool
	Off() bool
	Known() bool
}
