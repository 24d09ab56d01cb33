package native

import (
	"encoding/binary"
	"strings"

	"camcensus/discovery/facts"
)

// dvrip is the search of Dahua's older firmware.
var dvrip = vendor{
	name:      "dvrip",
	summary:   "older Dahua cameras and recorders and their relabels (UDP 5050)",
	requests:  []request{{"search", dvripSearch(), "broadcast:5050", 2}},
	answers:   func(raw []byte) bool { return len(raw) >= dvripFixed && raw[0] == 0xb3 },
	read:      readDVRIP,
	localPort: 5050,
}

const dvripFixed = 0x78 // where the first of the two text parts begins

func dvripSearch() []byte {
	b := make([]byte, 32)
	b[0], b[1], b[3], b[16] = 0xa3, 1, 1, 2
	return b
}

func readDVRIP(l *facts.List, raw []byte) {
	l.Add("type", text(raw, 0x28, 16))
	addIP(l, at(raw, 0x38, 4))
	addPort(l, "port.http", binary.LittleEndian, at(raw, 0x5e, 2))
	addPort(l, "port.https", binary.LittleEndian, at(raw, 0x60, 2))
	addPort(l, "port.sdk", binary.LittleEndian, at(raw, 0x62, 2))
	second, third := int(raw[1]), int(binary.LittleEndian.Uint16(raw[0x14:]))
	if part := at(raw, dvripFixed, second); len(part) >= 17 {
		l.AddMAC("mac", string(part[:17]))
		l.Add("model", strings.Trim(string(part[17:]), "\x00 "))
	}
	part := at(raw, dvripFixed+second, min(third, max(0, len(raw)-dvripFixed-second)))
	for _, line := range strings.Split(string(part), "\n") {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\x00"), ":")
		switch key {
		case "SerialNo":
			l.Add("serial", value)
		case "Name":
			l.Add("name", value)
		case "Device":
			l.Add("model", value)
		}
	}
}
