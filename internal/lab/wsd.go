package lab

import (
	"net/netip"
	"regexp"
	"strings"
	"time"
)

var (
	wsdGroup4 = netip.MustParseAddr("239.255.255.250")
	wsdGroup6 = netip.MustParseAddr("ff02::c")

	messageID = regexp.MustCompile(`<(?:[\w-]+:)?MessageID[^>]*>\s*([^<\s]+)\s*<`)
	wsdAction = regexp.MustCompile(`<(?:[\w-]+:)?Action[^>]*>\s*([^<\s]+)\s*<`)
	wsdTypes  = regexp.MustCompile(`<(?:[\w-]+:)?Types(?:\s[^>]*)?>([^<]*)<`)
	wsdEPR    = regexp.MustCompile(`<(?:[\w-]+:)?Address[^>]*>\s*((?:urn:)?uuid:[^<\s]+)\s*<`)
)

// envelope is what a style of WS-Discovery envelope shows.
type envelope struct {
	Kind      string // ProbeMatches, ResolveMatches, Hello, Bye, Fault
	RelatesTo string
	Matches   []match
}

type match struct {
	EPR, Types, Scopes, XAddrs string
	Version                    int
}

// wsdQuestion is a probe as a device reads it.
type wsdQuestion struct {
	action, id, types, dialect string
	multiline                  bool
}

// readWSD reads a request: the dialect is untyped, transmitter, device or oasis.
func readWSD(b []byte) (wsdQuestion, bool) {
	text := string(b)
	action := wsdAction.FindStringSubmatch(text)
	id := messageID.FindStringSubmatch(text)
	if action == nil || id == nil {
		return wsdQuestion{}, false
	}
	q := wsdQuestion{action: action[1], id: id[1], dialect: "untyped"}
	if types := wsdTypes.FindStringSubmatch(text); types != nil {
		q.types = strings.TrimSpace(types[1])
	}
	q.multiline = strings.Count(strings.TrimSpace(text), "\n") > 1
	switch {
	case strings.HasPrefix(q.action, "http://docs.oasis-open.org/ws-dd/"):
		q.dialect = "oasis"
	case strings.Contains(q.types, "NetworkVideoTransmitter"):
		q.dialect = "transmitter"
	case strings.HasSuffix(q.types, "Device"):
		q.dialect = "device"
	case q.types != "":
		q.dialect = "other"
	}
	return q, true
}

func (v *voice) wsdAnswers(q question) []datagram {
	w := v.WSD
	if q.cast && has(w.Deaf, "multicast") || !q.cast && has(w.Deaf, "unicast") {
		return nil
	}
	asked, ok := readWSD(q.payload)
	if !ok {
		return nil
	}
	kind := ""
	switch {
	case strings.HasSuffix(asked.action, "/Resolve"):
		epr := wsdEPR.FindSubmatch(q.payload)
		if epr == nil || !strings.HasSuffix(string(epr[1]), v.UUID) {
			return nil
		}
		kind = "ResolveMatches"
	case !strings.HasSuffix(asked.action, "/Probe"):
		return nil
	case asked.multiline && has(w.FaultsOn, "multiline"), has(w.FaultsOn, asked.dialect):
		if q.cast && asked.multiline {
			return nil
		}
		kind = "Fault"
	case has(w.Answers, asked.dialect):
		kind = "ProbeMatches"
	default:
		return nil
	}
	payload, err := v.wsdEnvelope(v.scene(q.from), kind, asked.id)
	if err != nil {
		return nil
	}
	var out []datagram
	for n := range w.Repeats + 1 {
		out = append(out, datagram{payload: payload, from: 3702, to: q.from, after: w.Delay + time.Duration(n)*50*time.Millisecond})
	}
	return out
}

func (v *voice) wsdAnnouncement(kind string) []datagram {
	var out []datagram
	for _, group := range []netip.Addr{wsdGroup4, wsdGroup6} {
		if group.Is6() && !v.ll.IsValid() || group.Is4() && len(v.IPs) == 0 {
			continue
		}
		s := v.scene(netip.AddrPortFrom(group, 3702))
		payload, err := v.wsdEnvelope(s, kind, "")
		if err != nil {
			continue
		}
		for n := range 2 {
			out = append(out, datagram{payload: payload, from: 3702, to: netip.AddrPortFrom(group, 3702), after: time.Duration(n) * 80 * time.Millisecond})
		}
	}
	return out
}

// wsdEnvelope renders the device's envelope: for a probe, a resolve, a Hello or a Bye.
func (v *voice) wsdEnvelope(s *Scene, kind, relatesTo string) ([]byte, error) {
	w := v.WSD
	epr := w.EPR
	if epr == "" {
		epr = "urn:uuid:{{.UUID}}"
	}
	s.WSD = &envelope{Kind: kind, RelatesTo: relatesTo}
	for _, m := range append([]Match{{EPR: epr, Types: w.Types, Scopes: w.Scopes, XAddrs: w.XAddrs}}, w.Matches...) {
		shown := match{Version: w.Version}
		var err error
		for _, field := range []struct {
			into   *string
			source string
		}{
			{&shown.EPR, m.EPR}, {&shown.Types, m.Types},
			{&shown.Scopes, strings.Join(m.Scopes, " ")}, {&shown.XAddrs, strings.Join(m.XAddrs, " ")},
		} {
			if *field.into, err = s.text(field.source); err != nil {
				return nil, err
			}
		}
		s.WSD.Matches = append(s.WSD.Matches, shown)
	}
	out, err := s.text(v.site.styles[w.Style])
	if err != nil || w.Trailing == "" {
		return []byte(out), err
	}
	tail, err := s.hex(w.Trailing)
	return append([]byte(out), tail...), err
}

func has(list []string, word string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	return false
}
