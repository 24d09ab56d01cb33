package dhip

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"strings"

	"camcensus/discovery"
	"camcensus/discovery/facts"
)

// maxDatagram bounds one answer; real ones hold less than 2 KiB.
const maxDatagram = 16 << 10

const headerSize = 32

// searchBody is the one message dhip can send. The port also carries writes
// and password resets; none of them exists in this program.
const searchBody = `{"method":"DHDiscover.search","params":{"mac":"","uni":1}}` + "\n"

// search returns the message with its header: the header's size, the magic in
// this byte order, then the body's length twice, all little endian.
func search() []byte {
	header := make([]byte, headerSize, headerSize+len(searchBody))
	binary.LittleEndian.PutUint32(header[0:], headerSize)
	copy(header[4:], "DHIP")
	binary.LittleEndian.PutUint32(header[16:], uint32(len(searchBody)))
	binary.LittleEndian.PutUint32(header[24:], uint32(len(searchBody)))
	return append(header, searchBody...)
}

func requests() []discovery.Request {
	var list []discovery.Request
	for _, to := range []string{"239.255.255.251:37810", "broadcast:37810", "unicast:37810"} {
		list = append(list, discovery.Request{Name: "DHDiscover.search", Bytes: search(), To: to})
	}
	return list
}

// Body returns the JSON of a datagram, from its first to its last brace. The
// header is skipped by its size: its length field may itself hold a brace.
func Body(raw []byte) []byte {
	raw = facts.Unwrapped(raw[:min(len(raw), maxDatagram)], "{")
	if len(raw) >= headerSize && string(raw[4:8]) == "DHIP" {
		raw = raw[headerSize:]
		if raw = bytes.TrimLeft(raw, " \t\r\n"); len(raw) > 0 && raw[0] != '{' {
			raw = fromObject(raw)
		}
	}
	start, end := bytes.IndexByte(raw, '{'), bytes.LastIndexByte(raw, '}')
	switch {
	case start < 0:
		return nil
	case end < start: // cut off
		return bytes.TrimRight(raw[start:], "\x00 \r\n")
	}
	return raw[start : end+1]
}

// fromObject looks for the object in a header longer than usual.
func fromObject(raw []byte) []byte {
	for i := range raw {
		if raw[i] == '{' && bytes.HasPrefix(bytes.TrimLeft(raw[i+1:min(len(raw), i+8)], " \t\r\n"), []byte{'"'}) {
			return raw[i:]
		}
	}
	return nil
}

// keys are the members that are read, wherever in the document they stand.
var keys = []struct{ json, field string }{
	{"method", "method"},
	{"DeviceType", "model"},
	{"DeviceClass", "class"},
	{"Vendor", "vendor"},
	{"Manufacturer", "manufacturer"},
	{"SerialNo", "serial"},
	{"Version", "firmware"},
	{"MachineName", "name"},
	{"mac", "mac"},
	{"IPAddress", "ip"},
	{"HttpPort", "port.http"},
	{"Port", "port.sdk"},
	{"RemoteVideoInputChannels", "channels.remote"},
	{"VideoInputChannels", "channels.video"},
	{"VideoOutputChannels", "channels.output"},
	{"Init", "init"},
	{"realm", "realm"}, // of a log-in challenge
}

// Fields reads the facts off one answer: a datagram or its bare JSON.
func Fields(kind string, raw []byte) []discovery.Field {
	body := Body(raw)
	if body == nil {
		return nil
	}
	member := members(body)
	var l facts.List
	for _, k := range keys {
		value := member(k.json)
		switch {
		case k.field == "mac":
			l.AddMAC(k.field, value)
		case k.field == "ip":
			if ip, err := netip.ParseAddr(value); err == nil && !ip.IsUnspecified() {
				l.Add(k.field, ip.String())
			}
		case strings.HasPrefix(k.field, "port."):
			l.AddPort(k.field, value)
		case strings.HasPrefix(k.field, "channels."), k.field == "init":
			l.AddNumber(k.field, value)
		default:
			l.Add(k.field, value)
		}
	}
	return l.Fields()
}

// members gives access to a document's values by key: by the JSON where it is
// sound, else by the text around the key, since old firmware leaves quotes
// unclosed.
func members(body []byte) func(key string) string {
	var document struct {
		MAC    any `json:"mac"`
		Method any `json:"method"`
		Params struct {
			DeviceInfo map[string]any `json:"deviceInfo"`
		} `json:"params"`
	}
	text := facts.Document(body, maxDatagram)
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&document); err != nil || document.Params.DeviceInfo == nil {
		return func(key string) string { return textMember(text, key) }
	}
	return func(key string) string {
		switch key {
		case "mac":
			return scalar(document.MAC)
		case "method":
			return scalar(document.Method)
		case "IPAddress":
			if v4, ok := document.Params.DeviceInfo["IPv4Address"].(map[string]any); ok {
				return scalar(v4[key])
			}
			return ""
		}
		return scalar(document.Params.DeviceInfo[key])
	}
}

func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// textMember finds "key" : value in text that is no sound JSON.
func textMember(text, key string) string {
	quoted := `"` + key + `"`
	for {
		_, rest, found := strings.Cut(text, quoted)
		if !found {
			return ""
		}
		text = rest
		value, ok := strings.CutPrefix(strings.TrimLeft(rest, " \t\r\n"), ":")
		if !ok {
			continue
		}
		value = strings.TrimLeft(value, " \t\r\n")
		if bare, ok := strings.CutPrefix(value, `"`); ok {
			return quotedValue(bare)
		}
		if end := strings.IndexAny(value, ",}] \t\r\n"); end >= 0 {
			return value[:end]
		}
		return "" // cut off within a number
	}
}

// quotedValue ends at the closing quote, or at the comma before it where that
// quote opens the next key.
func quotedValue(text string) string {
	value, rest, closed := strings.Cut(text, `"`)
	after := strings.TrimLeft(rest, " \t\r\n")
	if closed && (after == "" || strings.ContainsAny(after[:1], ",}]")) {
		return value
	}
	if before, _, found := strings.Cut(value, ","); found {
		return before
	}
	return ""
}
