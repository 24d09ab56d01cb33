package native

import (
	"bytes"

	"camcensus/discovery/facts"
)

// tplink is TP-Link's discovery (TDP) as Tapo, VIGI and newer Kasa speak it.
var tplink = vendor{
	name:    "tplink",
	summary: "TP-Link cameras, doorbells and hubs (Tapo, VIGI, Kasa; UDP 20002)",
	requests: []request{
		{"query", tplinkQuery, "broadcast:20002", 2},
		{"query", tplinkQuery, "broadcast:20004", 1},
	},
	answers: func(raw []byte) bool {
		return len(raw) > tplinkHeader && raw[0] == 2 && bytes.Contains(raw, []byte(`"result"`))
	},
	read:   readTPLink,
	redact: redactTPLink,
}

const tplinkHeader = 16

var tplinkQuery = []byte{2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x46, 0x3c, 0xb5, 0xd3}

func readTPLink(l *facts.List, raw []byte) {
	var answer struct {
		Result map[string]any `json:"result"`
	}
	if decodeJSON(raw[tplinkHeader:], &answer) != nil {
		return
	}
	get := func(key string) string { return scalar(answer.Result[key]) }
	l.Add("class", get("device_type"))
	l.Add("model", get("device_model"))
	l.AddMAC("mac", get("mac"))
	addIPText(l, get("ip"))
	l.Add("firmware", get("firmware_version"))
	l.Add("hardware", get("hardware_version"))
	l.Add("name", get("device_name"))
	if get("factory_default") == "true" {
		l.Add("activated", "false")
	}
}

// redactTPLink blanks the hashes of the owner's account.
func redactTPLink(raw []byte) []byte {
	for _, key := range []string{"owner", "device_id"} {
		raw = blankMember(raw, key)
	}
	return raw
}

// blankMember empties the string value of a JSON member wherever it stands.
func blankMember(raw []byte, key string) []byte {
	quoted := []byte(`"` + key + `"`)
	var kept []byte
	for {
		start := bytes.Index(raw, quoted)
		if start < 0 {
			return append(kept, raw...)
		}
		start += len(quoted)
		rest := raw[start:]
		value := bytes.TrimLeft(rest, " \t\r\n:")
		skipped := len(rest) - len(value)
		kept = append(kept, raw[:start+skipped]...)
		raw = value
		if len(value) == 0 || value[0] != '"' {
			continue
		}
		end := bytes.IndexByte(value[1:], '"')
		if end < 0 { // cut off: the rest goes
			return append(kept, `""`...)
		}
		kept = append(kept, `""`...)
		raw = value[end+2:]
	}
}
