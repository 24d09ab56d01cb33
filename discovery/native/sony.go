package native

import (
	"bytes"

	"camcensus/discovery/facts"
)

// sony is the search of Sony network cameras: an enquiry (ENQ), never a set.
var sony = vendor{
	name:     "sony",
	summary:  "Sony cameras (UDP 2380)",
	requests: []request{{"ENQ:allinfo", []byte("\x02ENQ:allinfo\xff\x03"), "broadcast:2380", 2}},
	answers: func(raw []byte) bool {
		return len(raw) > 8 && raw[0] == 2 && bytes.Contains(raw, []byte("MAC:")) && !bytes.HasPrefix(raw[1:], []byte("ENQ:"))
	},
	read: readSony,
}

func readSony(l *facts.List, raw []byte) {
	for _, line := range bytes.Split(bytes.Trim(raw, "\x02\x03"), []byte{0xff}) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		switch v := string(value); string(bytes.TrimSpace(key)) {
		case "MAC":
			l.AddMAC("mac", v)
		case "MODEL":
			l.Add("model", v)
		case "SERIAL":
			l.Add("serial", v)
		case "SOFTVERSION":
			l.Add("firmware", v)
		case "IPADR":
			addIPText(l, v)
		case "WEBPORT":
			l.AddPort("port.http", v)
		}
	}
}
