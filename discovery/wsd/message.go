package wsd

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"

	"camcensus/discovery/facts"
)

// Bounds of one envelope.
const (
	maxEnvelope = 64 << 10
	maxMatches  = 64
	maxTokens   = 128 // scopes, types or addresses of one match
	maxDepth    = 64
)

// Envelope is one SOAP message of WS-Discovery. Elements are known by their
// local names: prefixes are the device's own affair, and some declare none.
type Envelope struct {
	Action     string // "probematches", "hello", "bye", "resolvematches", "probe", "resolve", "fault", or ""
	Namespace  string // "2005", "2009" or ""
	Dialect    string // the namespace of a maker's own form of this protocol, or ""
	MessageID  string
	RelatesTo  string
	InstanceID string
	Fault      string // "Subcode: reason"
	Matches    []Match
	Truncated  bool // the document ended early; what was complete is kept
	Altered    bool // its tags do not match, or what stands for a scope is none: no device sent it so

	text string // the document as parsed; matches point into it
}

// Match is one ProbeMatch, ResolveMatch, Hello or Bye.
type Match struct {
	EPR             string // EndpointReference/Address
	Types           []string
	Scopes          []string
	XAddrs          []string
	MetadataVersion string

	start, end int
	altered    bool
}

// Parse reads one datagram. ok is false when it holds nothing of a SOAP
// envelope.
func Parse(raw []byte) (e Envelope, ok bool) {
	r := reader{envelope: Envelope{text: facts.Document(raw, maxEnvelope)}}
	r.envelope.Namespace = namespace(r.envelope.text)
	r.read()
	e = r.envelope
	return e, r.sawEnvelope
}

// namespace tells the two dialects apart (WS-Discovery of April 2005, which
// ONVIF uses, and the OASIS standard 1.1 of 2009).
func namespace(text string) string {
	switch {
	case strings.Contains(text, "/2005/04/discovery"):
		return "2005"
	case strings.Contains(text, "/ws-dd/ns/discovery/2009/01"):
		return "2009"
	}
	return ""
}

// Split returns one envelope for every match of a datagram, each a whole
// document that parses to that match alone. A datagram with one match, or
// none, is returned as it came.
func Split(raw []byte) [][]byte {
	e, ok := Parse(raw)
	if !ok || len(e.Matches) < 2 {
		return [][]byte{raw}
	}
	head := e.text[:e.Matches[0].start]
	tail := e.text[e.Matches[len(e.Matches)-1].end:]
	parts := make([][]byte, 0, len(e.Matches))
	for _, m := range e.Matches {
		parts = append(parts, []byte(head+e.text[m.start:m.end]+tail))
	}
	return parts
}

// reader walks the tokens of one document and keeps its own stack, so that
// end tags that do not match, or never come, lose nothing.
type reader struct {
	envelope    Envelope
	stack       []string
	spaces      []space // as declared, the newest last
	opened      int     // where the element began that holds matches
	text        strings.Builder
	match       *Match
	faultCode   string
	faultReason string
	sawEnvelope bool
	offset      int // where the token at hand began
}

func (r *reader) read() {
	d := xml.NewDecoder(strings.NewReader(r.envelope.text))
	d.Strict = false
	d.Entity = xml.HTMLEntity
	for {
		r.offset = int(d.InputOffset())
		token, err := d.RawToken()
		if err != nil {
			r.finish(!errors.Is(err, io.EOF) || len(r.stack) > 0)
			return
		}
		switch t := token.(type) {
		case xml.StartElement:
			if !r.start(t) {
				r.finish(true)
				return
			}
			r.text.Reset()
		case xml.EndElement:
			r.end(t.Name.Local, int(d.InputOffset()))
			r.text.Reset()
		case xml.CharData:
			if r.text.Len() < maxEnvelope {
				r.text.Write(t)
			}
		}
	}
}

// start opens an element; false means that the document is deeper or longer
// than any honest one.
func (r *reader) start(t xml.StartElement) bool {
	name := strings.ToLower(t.Name.Local)
	if len(r.stack) >= maxDepth {
		return false
	}
	within := ""
	if len(r.stack) > 0 {
		within = standard(r.stack[len(r.stack)-1])
	}
	r.stack = append(r.stack, name)
	r.declare(t)
	form := standard(name)
	switch {
	case form == "envelope":
		r.sawEnvelope = true
	case form == "appsequence":
		r.envelope.InstanceID = attribute(t, "InstanceId")
	case isList(form):
		r.opened = r.offset
		r.setDialect(t)
	case isMatch(form):
		if len(r.envelope.Matches) >= maxMatches {
			return false
		}
		r.openMatch(r.offset)
		r.setDialect(t)
	case r.match == nil && isList(within) && isContent(name):
		if len(r.envelope.Matches) >= maxMatches {
			return false
		}
		r.openMatch(r.opened) // some write one match without an element of its own
	}
	r.setAction(actionOf(form))
	return true
}

// standard is the name of an element or action as WS-Discovery has it: a maker
// that speaks a form of its own puts its name before it (UniviewProbeMatches).
func standard(name string) string {
	for _, known := range [...]string{"probematches", "probematch", "resolvematches", "resolvematch", "hello"} {
		if strings.HasSuffix(name, known) {
			return known
		}
	}
	return name
}

func isList(form string) bool { return form == "probematches" || form == "resolvematches" }

// isContent tells the elements that only a match holds.
func isContent(name string) bool {
	switch name {
	case "endpointreference", "types", "scopes", "xaddrs", "metadataversion":
		return true
	}
	return false
}

// maxSpaces bounds the namespaces that are kept of one document.
const maxSpaces = 32

type space struct{ prefix, uri string }

// declare keeps the namespaces that an element declares, from the first on that
// is no standard's.
func (r *reader) declare(t xml.StartElement) {
	for _, a := range t.Attr {
		prefix := a.Name.Local
		switch {
		case a.Name.Space == "xmlns":
		case a.Name.Space == "" && prefix == "xmlns":
			prefix = ""
		default:
			continue
		}
		if len(r.spaces) == 0 && isStandard(a.Value) || len(r.spaces) >= maxSpaces {
			continue // most documents declare no other
		}
		r.spaces = append(r.spaces, space{prefix, a.Value})
	}
}

// spaceOf is the namespace of a prefix, "" where nobody declared it.
func (r *reader) spaceOf(prefix string) string {
	for _, s := range slices.Backward(r.spaces) {
		if s.prefix == prefix {
			return s.uri
		}
	}
	return ""
}

// isStandard tells the namespaces of those who wrote the protocols down.
func isStandard(uri string) bool {
	for _, owner := range [...]string{"://schemas.xmlsoap.org/", "://docs.oasis-open.org/", "://www.w3.org/", "://www.onvif.org/"} {
		if strings.Contains(uri, owner) {
			return true
		}
	}
	return false
}

// setDialect keeps the namespace of an element that holds matches or is one,
// unless it is a standard's. A prefix that nobody declared tells nothing.
func (r *reader) setDialect(t xml.StartElement) {
	if r.envelope.Dialect != "" {
		return
	}
	if uri := r.spaceOf(t.Name.Space); !isStandard(uri) {
		r.envelope.Dialect = uri
	}
}

// actionOf is the action that an element of the body stands for.
func actionOf(element string) string {
	switch element {
	case "probematch", "resolvematch":
		return element + "es"
	}
	return element
}

func (r *reader) openMatch(start int) {
	r.envelope.Matches = append(r.envelope.Matches, Match{start: start, end: len(r.envelope.text)})
	r.match = &r.envelope.Matches[len(r.envelope.Matches)-1]
}

// end closes the nearest open element of that name.
func (r *reader) end(local string, offset int) {
	name := strings.ToLower(local)
	for i := len(r.stack) - 1; i >= 0; i-- {
		if r.stack[i] != name {
			r.envelope.Altered = true
			continue
		}
		r.keep(r.stack[len(r.stack)-1], r.text.String()) // the innermost, though it may lack its own end
		r.stack = r.stack[:i]
		if form := standard(name); r.match != nil && (isMatch(form) || isList(form)) {
			r.match.end = offset
			r.match = nil
		}
		return
	}
}

// finish keeps what an interrupted document had complete: of a list that was
// cut, all but its last token.
func (r *reader) finish(truncated bool) {
	r.envelope.Truncated = truncated
	for i := range r.envelope.Matches {
		r.envelope.Altered = r.envelope.Altered || r.envelope.Matches[i].altered
	}
	if truncated && len(r.stack) > 0 && r.match != nil {
		text := r.text.String()
		switch name := r.stack[len(r.stack)-1]; name {
		case "types", "scopes", "xaddrs":
			if cut := strings.LastIndexAny(text, " \t\r\n"); cut > 0 {
				r.keep(name, text[:cut])
			}
		}
	}
	if r.faultCode != "" && r.faultReason != "" {
		r.envelope.Fault = r.faultCode + ": " + r.faultReason
	} else {
		r.envelope.Fault = r.faultCode + r.faultReason
	}
}

// keep stores the text of an element that has just ended.
func (r *reader) keep(name, text string) {
	text = strings.TrimSpace(text)
	if r.match != nil {
		r.match.keep(name, text)
	}
	switch name {
	case "action":
		r.setAction(standard(strings.ToLower(text[strings.LastIndexByte(text, '/')+1:])))
	case "messageid":
		r.envelope.MessageID = text
	case "relatesto":
		r.envelope.RelatesTo = text
	case "value", "faultcode":
		if r.within("fault") { // the innermost, last one is the subcode
			r.faultCode = text[strings.LastIndexByte(text, ':')+1:]
		}
	case "text", "faultstring":
		if r.within("fault") {
			r.faultReason = text
		}
	}
}

func (r *reader) within(name string) bool {
	for _, open := range r.stack {
		if open == name {
			return true
		}
	}
	return false
}

// setAction trusts the body over the header: it comes last.
func (r *reader) setAction(name string) {
	switch name {
	case "probematches", "resolvematches", "hello", "bye", "probe", "resolve", "fault":
		r.envelope.Action = name
	}
}

func (m *Match) keep(name, text string) {
	switch name {
	case "address":
		if m.EPR == "" {
			m.EPR = text
		}
	case "types":
		m.Types = tokens(text)
	case "scopes":
		m.Scopes = joinSpaced(tokens(text))
		m.altered = slices.ContainsFunc(m.Scopes, isNoScope)
	case "xaddrs":
		m.XAddrs = tokens(text)
	case "metadataversion":
		m.MetadataVersion = text
	case "computer": // a Windows PC's name, in place of a type
		m.Types = append(m.Types, "Computer")
	}
}

func isMatch(name string) bool {
	switch name {
	case "probematch", "resolvematch", "hello", "bye":
		return true
	}
	return false
}

func attribute(t xml.StartElement, local string) string {
	for _, a := range t.Attr {
		if strings.EqualFold(a.Name.Local, local) {
			return a.Value
		}
	}
	return ""
}

func tokens(text string) []string {
	list := strings.Fields(text)
	return list[:min(len(list), maxTokens)]
}

// maxScope is more than any scope is long, in bytes.
const maxScope = 512

// isNoScope tells what stands among the scopes and cannot be one: a URI of
// ONVIF's scheme that is not of its kind (ONVIF Core section 7.3.2.2), or one
// that goes on for ever.
func isNoScope(token string) bool {
	return len(token) > maxScope || hasPrefixFold(token, "onvif:") && !hasPrefixFold(token, facts.ScopePrefix)
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// joinSpaced mends a scope whose value holds a space that its device forgot to
// escape: a token without a colon can be no URI, so it belongs to the one
// before it.
func joinSpaced(list []string) []string {
	var joined []string
	for _, token := range list {
		if last := len(joined) - 1; last >= 0 && !strings.Contains(token, ":") && facts.IsScope(joined[last]) {
			joined[last] += "%20" + token
			continue
		}
		joined = append(joined, token)
	}
	return joined
}

// bareID is a message id without the ways to write it that devices mix: urn:,
// uuid:, case and blanks.
func bareID(id string) string {
	id = strings.ToLower(strings.Trim(id, " \t\r\n<>{}"))
	id = strings.TrimPrefix(id, "urn:")
	return strings.TrimPrefix(id, "uuid:")
}
