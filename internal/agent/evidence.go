package agent

import (
	"net"
	"slices"
	"strings"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/fingerprint/probe"
)

// parsers maps each record kind to the parser of its bytes: the protocols'
// own, and the probes'.
type parsers map[string]func(kind, path string, raw []byte) []discovery.Field

// probeKinds are the kinds of records that answer a question put to that host
// alone (DESIGN section 9).
var probeKinds = map[string]bool{
	"http": true, "https": true, "tls": true, "rtsp": true,
	"onvif": true, "isapi": true, "upnp": true, "favicon": true,
}

func newParsers(protocols []discovery.Protocol) parsers {
	p := parsers{}
	for kind := range probeKinds {
		p[kind] = probe.Fields
	}
	for _, proto := range protocols {
		if proto.Fields == nil {
			continue
		}
		for _, kind := range proto.Kinds {
			if !probeKinds[kind] {
				p[kind] = func(kind, _ string, raw []byte) []discovery.Field { return proto.Fields(kind, raw) }
			}
		}
	}
	return p
}

// Evidence reads the fields off one record, with their provenance. A probe's
// answer always answered a question put to this host alone.
func (p parsers) Evidence(r discovery.Record) []fingerprint.Evidence {
	return p.appendEvidence([]fingerprint.Evidence{}, r)
}

func (p parsers) appendEvidence(out []fingerprint.Evidence, r discovery.Record) []fingerprint.Evidence {
	kind := strings.ToLower(r.Kind)
	base := fingerprint.Evidence{
		Source: kind, Port: r.Port, Path: r.Path, Seen: r.Time,
		Solicited: r.Solicited || probeKinds[kind],
	}
	var fields []discovery.Field
	if parse, ok := p[kind]; ok {
		if raw := r.Bytes(); len(raw) > 0 {
			fields = parse(kind, r.Path, raw)
		}
	}
	out = slices.Grow(out, len(fields)+1)
	if mac, err := net.ParseMAC(r.MAC); err == nil && len(mac) == 6 {
		out = append(out, with(base, "mac", mac.String()))
	}
	for _, f := range fields {
		out = append(out, with(base, f.Name, f.Value))
	}
	return out
}

func with(e fingerprint.Evidence, field, value string) fingerprint.Evidence {
	e.Field, e.Value = field, value
	return e
}

// namesHardware leaves out the MAC that an endpoint's UUID seems to carry where
// nobody has registered its block and the frame does not bear it: such a tail is
// a number of the maker's own, no hardware to know a device by. What a scope says
// in words stands.
func (j *Judge) namesHardware(r discovery.Record, ev []fingerprint.Evidence) []fingerprint.Evidence {
	if r.Kind != "wsd" && r.Kind != "ssdp" || slices.ContainsFunc(ev, func(e fingerprint.Evidence) bool { return e.Field == "scope.mac" }) {
		return ev
	}
	return slices.DeleteFunc(ev, func(e fingerprint.Evidence) bool {
		if e.Field != "mac" || e.Value == r.MAC {
			return false
		}
		mac, err := net.ParseMAC(e.Value)
		_, known := j.registry.LookupAddr(mac)
		return err != nil || !known
	})
}
