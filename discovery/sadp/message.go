package sadp

import (
	"encoding/json"
	"html"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"camcensus/discovery"
	"camcensus/discovery/facts"
)

// maxDocument bounds one answer; real ones hold less than 2 KiB.
const maxDocument = 8 << 10

const maxElements = 128

// Everything sadp can send is here: the two inquiries. The port also carries
// activation, password reset, restore and reboot; none of them exists in this
// program.
const (
	inquiry    = `<?xml version="1.0" encoding="utf-8"?><Probe><Uuid>TOKEN</Uuid><Types>inquiry</Types></Probe>`
	inquiryV32 = `<?xml version="1.0" encoding="utf-8"?><Probe><Uuid>TOKEN</Uuid><Types>inquiry_v32</Types></Probe>`
	fixedToken = "13A888A9-F1B1-4020-AE9F-05607682D23B"
)

func request(template, token string) []byte {
	return []byte(strings.Replace(template, "TOKEN", strings.ToUpper(token), 1))
}

func requests() []discovery.Request {
	list := []discovery.Request{{Name: "inquiry", Bytes: request(inquiry, fixedToken), To: "unicast:37020"}}
	for _, to := range []string{"239.255.255.250:37020", "broadcast:37020"} {
		list = append(list,
			discovery.Request{Name: "inquiry", Bytes: request(inquiry, fixedToken), To: to},
			discovery.Request{Name: "inquiry_v32", Bytes: request(inquiryV32, fixedToken), To: to})
	}
	return list
}

// answer is one SADP document: its leaf elements by lower-case name, the first
// of a name only. Tags are sought as text because devices leave ampersands
// unescaped and documents unfinished.
type answer map[string]string

// parse returns the leaf elements of a document and the lower-case name of its
// root ("probematch", or "probe" for somebody's question).
func parse(raw []byte) (root string, a answer) {
	text := facts.Document(raw, maxDocument)
	a = answer{}
	for len(a) < maxElements {
		open := strings.IndexByte(text, '<')
		if open < 0 {
			break
		}
		text = text[open+1:]
		end := strings.IndexByte(text, '>')
		if end < 0 {
			break
		}
		name := tagName(text[:end])
		rest := text[end+1:]
		if name == "" {
			continue
		}
		if root == "" {
			root = name
			continue
		}
		next := strings.IndexByte(rest, '<')
		if next < 0 { // cut off within a value
			break
		}
		if strings.HasPrefix(rest[next:], "</") {
			if _, seen := a[name]; !seen {
				a[name] = strings.TrimSpace(html.UnescapeString(rest[:next]))
			}
		}
		text = rest[next:]
	}
	return root, a
}

// parseBare reads an answer that was recorded without its outermost element, or
// that a tool turned into JSON: "name": "value".
func parseBare(raw []byte) (root string, a answer) {
	text := strings.TrimSpace(facts.Document(raw, maxDocument))
	if strings.HasPrefix(text, "<") {
		return parse([]byte("<ProbeMatch>" + text + "</ProbeMatch>"))
	}
	var document map[string]any
	if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &document) != nil {
		return "", nil
	}
	if inner, ok := document["ProbeMatch"].(map[string]any); ok {
		document = inner
	}
	a = answer{}
	for _, name := range slices.Sorted(maps.Keys(document)) {
		value, ok := document[name].(string)
		name = strings.ToLower(name)
		if _, seen := a[name]; ok && !seen && len(a) < maxElements { // of a name in two spellings the first
			a[name] = value
		}
	}
	if a["types"] == "" {
		return "", nil
	}
	return "probematch", a
}

// tagName is the lower-case name of a start tag, "" for anything else.
func tagName(tag string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(tag), " ")
	if name == "" || len(name) > 64 || strings.ContainsAny(name[:1], "/?!") || strings.HasSuffix(tag, "/") {
		return ""
	}
	return strings.ToLower(name)
}

// isAnswer reports whether a document answers an inquiry. Other values of
// Types on this port are answers to somebody else's commands.
func (a answer) isAnswer(root string) bool {
	return root == "probematch" && strings.HasPrefix(strings.ToLower(a["types"]), "inquiry")
}

// Fields reads the facts off one answer.
func Fields(kind string, raw []byte) []discovery.Field {
	root, a := parse(facts.Unwrapped(raw[:min(len(raw), maxDocument)], "<"))
	if root == "" || root == "types" || root == "uuid" {
		root, a = parseBare(raw)
	}
	if root != "probematch" {
		return nil
	}
	var l facts.List
	l.Add("types", a["types"])
	l.Add("model", a["devicedescription"])
	l.Add("serial", a["devicesn"])
	l.AddMAC("mac", a["mac"])
	l.Add("firmware", a["softwareversion"])
	l.Add("dsp", a["dspversion"])
	l.Add("devicetype", a["devicetype"])
	l.AddNumber("oemcode", a["detailoemcode"])
	if text := a["oeminfo"]; !strings.EqualFold(text, "N/A") {
		l.Add("oeminfo", text)
	}
	if text := a["activated"]; text != "" { // "flase" occurs
		l.Add("activated", boolean(strings.EqualFold(text, "true")))
	}
	if ip, err := netip.ParseAddr(a["ipv4address"]); err == nil && !ip.IsUnspecified() {
		l.Add("ip", ip.String())
	}
	l.AddPort("port.http", a["httpport"])
	l.AddPort("port.https", a["httpsport"])
	l.AddPort("port.rtsp", a["rtspport"])
	l.AddPort("port.sdk", a["commandport"])
	l.AddNumber("channels.analog", a["analogchannelnum"])
	l.AddNumber("channels.digital", a["digitalchannelnum"])
	return l.Fields()
}

func boolean(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// salt finds the salt of the login hash, cut off or not.
var salt = regexp.MustCompile(`(?i)(<salt[^>]*>)[^<]*`)

// withoutSalt blanks the salt: it is a secret's neighbour and tells nothing
// about the maker.
func withoutSalt(raw []byte) []byte {
	return salt.ReplaceAll(raw, []byte("$1"))
}
