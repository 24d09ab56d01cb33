package mdns

import (
	"encoding/json"
	"strconv"
	"strings"

	"camcensus/discovery"
	"camcensus/discovery/facts"
)

// Bounds of one record.
const (
	maxRecord = 32 << 10
	maxTXT    = 96
)

// Service is one instance of a service, the evidence of kind mdns.
type Service struct {
	Instance string   `json:"instance"`
	Service  string   `json:"service"` // "_axis-video._tcp"
	Host     string   `json:"host,omitempty"`
	Port     int      `json:"port,omitempty"`
	TXT      []string `json:"txt"`
}

// Fields reads the facts off one service.
func Fields(kind string, raw []byte) []discovery.Field {
	var s Service
	if len(raw) > maxRecord || json.Unmarshal(raw, &s) != nil {
		return nil
	}
	var l facts.List
	l.Add("instance", s.Instance)
	l.Add("service", s.Service)
	l.Add("host", s.Host)
	l.AddPort("port", strconv.Itoa(s.Port))
	for _, txt := range s.TXT[:min(len(s.TXT), maxTXT)] {
		l.Add("txt", txt)
		key, value, _ := strings.Cut(txt, "=")
		if key = facts.Name(key); key == "" {
			continue
		}
		l.Add("txt."+key, value)
		addMAC(&l, key, value)
	}
	return l.Fields()
}

// arecontPrefix stands for the first three bytes of an Arecont MAC in its TXT
// record ("MAC=AV334455-FW10000...").
const arecontPrefix, arecontOUI = "AV", "001A07"

func addMAC(l *facts.List, key, value string) {
	switch key {
	case "macaddress", "mac_address":
		l.AddMAC("mac", value)
	case "mac":
		if tail, ok := strings.CutPrefix(value, arecontPrefix); ok && len(tail) >= 6 {
			value = arecontOUI + tail[:6]
		}
		l.AddMAC("mac", value)
	}
}
