package native

import (
	"bytes"
	"strings"

	"camcensus/discovery/facts"
)

// bosch is the RCP+ search. Devices answer in 32 bytes or in XML.
var bosch = vendor{
	name:      "bosch",
	summary:   "Bosch cameras, encoders and recorders (UDP 1757)",
	requests:  []request{{"search", boschSearch, "broadcast:1757", 2}},
	answers:   func(raw []byte) bool { return isBoschBinary(raw) || isBoschXML(raw) },
	read:      readBosch,
	redact:    func(raw []byte) []byte { return blankTag(raw, "sessionKey") },
	localPort: 1758,
}

// The magic, a transaction id of ours, and the request code with the port that
// the answers shall come to (1758).
var boschSearch = []byte{0x99, 0x39, 0xa4, 0x27, 0xca, 0x3c, 0xe0, 0x05, 0xff, 0x00, 0x06, 0xde}

func isBoschBinary(raw []byte) bool {
	return len(raw) >= 32 && bytes.HasPrefix(raw, boschSearch[:4])
}

func isBoschXML(raw []byte) bool {
	return bytes.Contains(raw, []byte("<physAddress>")) && bytes.Contains(raw, []byte("unitIPAddress"))
}

func readBosch(l *facts.List, raw []byte) {
	if isBoschBinary(raw) {
		addMAC(l, raw, 8)
		addIP(l, at(raw, 0x10, 4))
		return
	}
	doc := facts.Document(raw, maxAnswer)
	l.Add("model", tagText(doc, "friendlyName"))
	l.Add("name", tagText(doc, "unitName"))
	l.Add("serial", tagText(doc, "serialNumber"))
	l.AddMAC("mac", tagText(doc, "physAddress"))
	addIPText(l, tagText(doc, "unitIPAddress"))
	l.AddPort("port.http", tagText(doc, "HTTPPort"))
	l.AddPort("port.https", tagText(doc, "HTTPSPort"))
	l.AddNumber("channels", tagText(doc, "Lines"))
}

// tagText is the text of the first element of a name.
func tagText(doc, name string) string {
	_, rest, found := strings.Cut(doc, "<"+name+">")
	value, _, closed := strings.Cut(rest, "</"+name)
	if !found || !closed {
		return ""
	}
	return strings.TrimSpace(value)
}

// blankTag returns raw without the text of one element.
func blankTag(raw []byte, name string) []byte {
	head, rest, found := bytes.Cut(raw, []byte("<"+name+">"))
	if !found {
		return raw
	}
	end := max(bytes.IndexByte(rest, '<'), 0)
	kept := append(bytes.Clone(head), "<"+name+">"...)
	return append(kept, rest[end:]...)
}
