package native

import (
	"encoding/binary"

	"camcensus/discovery/facts"
)

// panasonic is the "Easy IP" search of Panasonic and i-PRO.
var panasonic = vendor{
	name:      "panasonic",
	summary:   "Panasonic and i-PRO cameras and recorders (Easy IP, UDP 10670)",
	requests:  []request{{"search", panasonicSearch(), "broadcast:10670", 2}},
	answers:   isPanasonic,
	read:      readPanasonic,
	localPort: 10669,
}

const (
	panasonicAsk    = 0x0d
	panasonicAnswer = 0x0e
	panasonicHeader = 52
)

// panasonicSearch names the facts asked for; the sender's own addresses stay
// empty, and so does the trailer, which devices do not check.
func panasonicSearch() []byte {
	tags := []uint16{0x20, 0x21, 0x22, 0x23, 0x25, 0x28, 0x40, 0x41, 0x42, 0x44, 0xa5, 0xa6, 0xa7, 0xa8, 0xad, 0xb3, 0xb4, 0xb7, 0xb8}
	b := []byte{0, 1, 0, 0, 0, panasonicAsk, 0, 0, 0, 0, 0, 0}
	b = append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0) // any MAC, no address
	b = append(b, 0x20, 0x11, 0x1e, 0x11, 0x23, 0x1f, 0x1e, 0x19, 0x13, 0, 0, 2, 1)
	b = append(b, make([]byte, 11)...)
	b = append(b, 0xff, 0xf0, 0, byte(2*len(tags)))
	for _, tag := range tags {
		b = binary.BigEndian.AppendUint16(b, tag)
	}
	b = append(b, 0xff, 0xff, 0, 0)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-panasonicHeader))
	return b
}

func isPanasonic(raw []byte) bool {
	return len(raw) > panasonicHeader && binary.BigEndian.Uint16(raw) == 1 && binary.BigEndian.Uint16(raw[4:]) == panasonicAnswer
}

type panasonicTag struct {
	tag   uint16
	value []byte
}

func readPanasonic(l *facts.List, raw []byte) {
	addMAC(l, raw, 6)
	for _, t := range panasonicTags(raw) {
		switch t.tag {
		case 0x20:
			addIP(l, t.value)
		case 0x25:
			addPort(l, "port.http", binary.BigEndian, t.value)
		case 0xa7:
			l.Add("name", text(t.value, 0, len(t.value)))
		case 0xa8:
			l.Add("model", text(t.value, 0, len(t.value)))
		case 0xa9:
			l.Add("firmware", text(t.value, 0, len(t.value)))
		}
	}
}

// panasonicTags takes the reading that reaches the end mark: the list starts
// behind a header whose length differs by a byte between firmwares.
func panasonicTags(raw []byte) []panasonicTag {
	var best []panasonicTag
	for offset := panasonicHeader; offset <= panasonicHeader+2; offset++ {
		tags, whole := readTags(raw[min(offset, len(raw)):])
		if whole {
			return tags
		}
		if len(tags) > len(best) {
			best = tags
		}
	}
	return best
}

func readTags(b []byte) (tags []panasonicTag, whole bool) {
	for len(b) >= 4 && len(tags) < 64 {
		tag, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if tag == 0xffff {
			return tags, len(tags) > 0
		}
		if tag > 0xff || 4+size > len(b) {
			return tags, false
		}
		tags = append(tags, panasonicTag{tag, b[4 : 4+size]})
		b = b[4+size:]
	}
	return tags, false
}
