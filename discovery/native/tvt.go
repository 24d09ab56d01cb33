package native

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"camcensus/discovery/facts"
)

// tvt is the "MHED" search of TVT and the many brands it builds for. Devices
// announce themselves to a group of their own every other second.
var tvt = vendor{
	name:        "tvt",
	summary:     "TVT cameras and recorders and their relabels (MHED, UDP 23456)",
	requests:    []request{{"search", tvtSearch(), "234.55.55.55:23456", 1}},
	answers:     isTVT,
	read:        readTVT,
	localPort:   23456,
	listenGroup: "234.55.55.56:23456",
}

// tvtSearch is command 1. Commands 3 to 12 write addresses and reset devices;
// none of them exists here.
func tvtSearch() []byte {
	b := make([]byte, 140)
	copy(b, "MHED")
	b[4], b[6], b[8] = 9, 1, 1
	return b
}

const (
	tvtAnnounce = 2
	tvtSize     = 240
)

func isTVT(raw []byte) bool {
	return len(raw) >= 52 && bytes.HasPrefix(raw, []byte("MHED")) && binary.LittleEndian.Uint16(raw[8:]) == tvtAnnounce
}

var tvtTypes = []string{"DVR", "DVS", "IPC", "NVR", "decoder"}

func readTVT(l *facts.List, raw []byte) {
	l.Add("name", text(raw, 12, 20))
	addMAC(l, raw, 32)
	addPort(l, "port.sdk", binary.LittleEndian, at(raw, 38, 2))
	addIP(l, at(raw, 40, 4))
	addPort(l, "port.http", binary.LittleEndian, at(raw, 60, 2))
	addPort(l, "port.rtsp", binary.LittleEndian, at(raw, 62, 2))
	if b := at(raw, 64, 4); b != nil {
		if n := binary.LittleEndian.Uint32(b); n < uint32(len(tvtTypes)) {
			l.Add("class", tvtTypes[n])
		}
	}
	if len(raw) < tvtSize {
		return
	}
	l.Add("serial", text(raw, 140, 16))
	l.Add("firmware", text(raw, 156, 16))
	l.Add("model", text(raw, 196, 16))
	l.Add("brand", text(raw, 212, 16))
	if n := binary.LittleEndian.Uint32(raw[228:]); n > 0 && n <= 1024 {
		l.Add("channels", strconv.Itoa(int(n)))
	}
}
