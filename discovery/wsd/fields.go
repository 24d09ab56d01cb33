package wsd

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"

	"camcensus/discovery"
	"camcensus/discovery/facts"
)

// Fields reads the facts off one envelope: its action and namespace, and of
// every match the types, the scopes by category, the endpoint and the
// addresses.
func Fields(kind string, raw []byte) []discovery.Field {
	e, ok := Parse(raw)
	if !ok {
		return bare(raw)
	}
	var l facts.List
	l.Add("action", e.Action)
	l.Add("namespace", e.Namespace)
	l.Add("dialect", e.Dialect)
	l.Add("relatesto", e.RelatesTo)
	l.Add("instance_id", e.InstanceID)
	l.Add("fault", e.Fault)
	if e.Truncated || e.Altered || discovery.Damaged(raw) { // what is missing might have said otherwise
		l.Add("truncated", "true")
	}
	for _, m := range e.Matches {
		m.addTo(&l)
	}
	return l.Fields()
}

// bare reads what a client kept of an answer without its envelope (its scopes as
// a list, its match as JSON): the scopes and the type stand in it as they came.
func bare(raw []byte) []discovery.Field {
	var l facts.List
	text := facts.Document(raw, maxEnvelope)
	if tag := strings.ToLower(text); strings.Contains(tag, "<") && (!strings.HasPrefix(tag, "<") || !strings.Contains(tag[:min(len(tag), 64)], "match")) ||
		strings.HasPrefix(tag, "{") && !json.Valid([]byte(text)) || discovery.Damaged(raw) {
		l.Add("truncated", "true") // a piece of an envelope: what is missing might have said otherwise
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"',[]{}<>", r) })
	for _, word := range tokens(strings.Join(words, " ")) {
		switch {
		case facts.IsScope(word):
			addScope(&l, word)
		case word == "NetworkVideoTransmitter", strings.HasSuffix(word, ":NetworkVideoTransmitter"):
			l.Add("type", "NetworkVideoTransmitter")
		}
	}
	return l.Fields()
}

func (m *Match) addTo(l *facts.List) {
	for _, t := range m.Types {
		l.Add("type", t[strings.LastIndexByte(t, ':')+1:])
	}
	for _, scope := range m.Scopes {
		addScope(l, scope)
	}
	l.Add("epr", m.EPR)
	if mac, ok := facts.UUIDMAC(m.EPR); ok {
		l.Add("mac", mac)
	}
	for _, addr := range m.XAddrs {
		l.Add("xaddr", addr)
		if scheme, port, ok := serviceAddress(addr); ok {
			l.AddPort("port."+scheme, port)
		}
	}
	l.Add("metadata_version", m.MetadataVersion)
}

// addScope keeps a scope as it came and under the field that it names.
func addScope(l *facts.List, scope string) {
	l.Add("scope", scope)
	field, value, ok := facts.Scope(scope)
	if !ok {
		return
	}
	l.Add(field, value)
	if field == facts.ScopeMAC {
		l.Add("mac", value)
	}
}

// serviceAddress returns scheme and port of a device service address whose
// host is an address.
func serviceAddress(addr string) (scheme, port string, ok bool) {
	u, err := url.Parse(addr)
	if err != nil {
		return "", "", false
	}
	scheme = strings.ToLower(u.Scheme)
	if _, err := netip.ParseAddr(u.Hostname()); err != nil {
		return "", "", false
	}
	port = u.Port()
	switch {
	case scheme != "http" && scheme != "https":
		return "", "", false
	case port != "":
	case scheme == "http":
		port = "80"
	default:
		port = "443"
	}
	return scheme, port, true
}
