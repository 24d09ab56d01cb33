package native

import (
	"encoding/binary"

	"camcensus/discovery/facts"
)

// ubiquiti is the search that every Ubiquiti product answers; the product code
// tells cameras (UVC..., G4 ...) from the rest.
var ubiquiti = vendor{
	name:    "ubiquiti",
	summary: "Ubiquiti equipment, UniFi and airVision cameras among it (UDP 10001)",
	requests: []request{
		{"search v1", []byte{1, 0, 0, 0}, "broadcast:10001", 1},
		{"search v2", []byte{2, 8, 0, 0}, "broadcast:10001", 1},
	},
	answers: isUbiquiti,
	read:    readUbiquiti,
}

func isUbiquiti(raw []byte) bool {
	if len(raw) < 7 {
		return false
	}
	switch {
	case raw[0] == 1 && raw[1] == 0:
	case raw[0] == 2 && (raw[1] == 6 || raw[1] == 9 || raw[1] == 11):
	default:
		return false
	}
	size := int(binary.BigEndian.Uint16(raw[2:]))
	return size >= 3 && size <= len(raw)-4
}

func readUbiquiti(l *facts.List, raw []byte) {
	rest := raw[4 : 4+int(binary.BigEndian.Uint16(raw[2:]))]
	for len(rest) >= 3 {
		kind, size := rest[0], int(binary.BigEndian.Uint16(rest[1:]))
		if 3+size > len(rest) {
			return
		}
		addUbiquiti(l, kind, rest[3:3+size])
		rest = rest[3+size:]
	}
}

func addUbiquiti(l *facts.List, kind byte, value []byte) {
	switch kind {
	case 0x01, 0x13:
		if mac, ok := facts.MACBytes(value); ok {
			l.Add("mac", mac)
		}
	case 0x02:
		addMAC(l, value, 0)
		addIP(l, at(value, 6, 4))
	case 0x03:
		l.Add("firmware", string(value))
	case 0x0b:
		l.Add("name", string(value))
	case 0x0c:
		l.Add("product", string(value))
	case 0x14, 0x15:
		l.Add("model", string(value))
	case 0x16:
		l.Add("version", string(value))
	}
}
