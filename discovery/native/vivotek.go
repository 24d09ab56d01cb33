package native

import (
	"bytes"
	"encoding/binary"

	"camcensus/discovery/facts"
)

// vivotek is the search of VIVOTEK; the port is shared with Foscam's.
var vivotek = vendor{
	name:     "vivotek",
	summary:  "VIVOTEK cameras (UDP 10000)",
	requests: []request{{"search", append([]byte{vivotekSession}, vivotekMagic...), "broadcast:10000", 2}},
	answers:  func(raw []byte) bool { return len(raw) > 5 && bytes.HasPrefix(raw[1:], vivotekMagic) },
	read:     readVivotek,
}

const vivotekSession = 0x2a

var vivotekMagic = []byte{0x4a, 0x5d, 0x8f, 0x1c}

// readVivotek walks type, length, value after the five bytes of the question.
// Type 4 has a value of one byte in the place of its length.
func readVivotek(l *facts.List, raw []byte) {
	rest := raw[5:]
	for len(rest) >= 2 {
		kind, size := rest[0], int(rest[1])
		rest = rest[2:]
		if kind == 4 {
			continue
		}
		if size > len(rest) {
			return
		}
		value := rest[:size]
		rest = rest[size:]
		switch kind {
		case 1:
			l.Add("name", text(value, 0, size))
		case 2:
			if mac, ok := facts.MACBytes(value); ok {
				l.Add("mac", mac)
			}
		case 3:
			addIP(l, value)
		case 6:
			addPort(l, "port.http", binary.LittleEndian, value)
		case 9:
			l.Add("model", text(value, 0, size))
		}
	}
}
