package native

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"

	"camcensus/discovery/facts"
)

// xmeye is the search of Xiongmai ("NetSurveillance") hardware, which bears a
// thousand labels and names none. The question has no body: a badly typed one
// crashes these devices.
var xmeye = vendor{
	name:      "xmeye",
	summary:   "Xiongmai cameras and recorders (NetSurveillance, UDP 34569)",
	requests:  []request{{"search", xmeyeSearch(), "broadcast:34569", 2}},
	answers:   isXMeye,
	read:      readXMeye,
	localPort: 34569,
}

const (
	xmeyeHeader = 20
	xmeyeAsk    = 1530
	xmeyeAnswer = 1531
)

func xmeyeSearch() []byte {
	b := make([]byte, xmeyeHeader)
	b[0] = 0xff
	binary.LittleEndian.PutUint16(b[14:], xmeyeAsk)
	return b
}

func isXMeye(raw []byte) bool {
	return len(raw) > xmeyeHeader && raw[0] == 0xff && binary.LittleEndian.Uint16(raw[14:]) == xmeyeAnswer
}

func readXMeye(l *facts.List, raw []byte) {
	var answer struct {
		NetCommon map[string]any `json:"NetWork.NetCommon"`
	}
	if decodeJSON(raw[xmeyeHeader:], &answer) != nil {
		return
	}
	get := func(key string) string { return scalar(answer.NetCommon[key]) }
	l.AddMAC("mac", get("MAC"))
	l.Add("serial", get("SN"))
	l.Add("name", get("HostName"))
	l.AddNumber("devicetype", get("DeviceType"))
	l.AddNumber("channels", get("ChannelNum"))
	if ip := strings.TrimPrefix(get("HostIP"), "0x"); len(ip) == 8 {
		if b, err := hex.DecodeString(ip); err == nil {
			addIP(l, []byte{b[3], b[2], b[1], b[0]}) // little endian
		}
	}
	l.AddPort("port.http", get("HttpPort"))
	l.AddPort("port.https", get("SSLPort"))
	l.AddPort("port.sdk", get("TCPPort"))
}

// decodeJSON reads one value and leaves padding behind it alone.
func decodeJSON(raw []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(facts.Document(raw, maxAnswer)))
	d.UseNumber()
	return d.Decode(v)
}

func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}
