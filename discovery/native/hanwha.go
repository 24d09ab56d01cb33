package native

import (
	"net/url"

	"camcensus/discovery/facts"
)

// hanwha is the search of Hanwha Vision, once Samsung Techwin.
var hanwha = vendor{
	name:      "hanwha",
	summary:   "Hanwha Vision (Wisenet, Samsung Techwin) cameras and recorders (UDP 7701)",
	requests:  []request{{"search", append([]byte{1}, make([]byte, 261)...), "broadcast:7701", 2}},
	answers:   func(raw []byte) bool { return len(raw) >= 0x85 && raw[0] == 0x0b },
	read:      readHanwha,
	localPort: 7711,
}

func readHanwha(l *facts.List, raw []byte) {
	l.AddMAC("mac", text(raw, 0x13, 18))
	addIPText(l, text(raw, 0x25, 16))
	l.Add("model", text(raw, 0x6d, 10))
	address := text(raw, 0x85, min(39, len(raw)-0x85))
	l.Add("url", address)
	if u, err := url.Parse(address); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		l.AddPort("port."+u.Scheme, u.Port())
	}
}
