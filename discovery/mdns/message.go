package mdns

import (
	"encoding/json"
	"slices"
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
	if len(raw) > maxRecord || json.Unmarshal(raw, &s) != nil && s.loose(raw) != nil {
		return nil
	}
	if s.Service == "" {
		s.loose(raw)
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

// loose reads a service as other tools write it: name and type for instance and
// service, TXT as an object or as one text, the port as a text.
func (s *Service) loose(raw []byte) error {
	var o map[string]any
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	text := func(keys ...string) string {
		for _, key := range keys {
			if value, _ := o[key].(string); value != "" {
				return value
			}
		}
		return ""
	}
	s.Service = strings.TrimSuffix(strings.TrimSuffix(text("service", "type"), "."), ".local")
	s.Instance = text("instance", "name")
	if at := strings.Index(s.Instance, "."+s.Service); at > 0 && s.Service != "" {
		s.Instance = s.Instance[:at]
	}
	s.Host = text("host", "hostname", "server")
	switch port := o["port"].(type) {
	case float64:
		s.Port = int(port)
	case string:
		s.Port, _ = strconv.Atoi(port)
	}
	s.TXT = nil
	for _, key := range []string{"txt", "properties"} {
		switch txt := o[key].(type) {
		case string:
			s.TXT = append(s.TXT, txt)
		case []any:
			for _, line := range txt {
				if line, ok := line.(string); ok {
					s.TXT = append(s.TXT, line)
				}
			}
		case map[string]any:
			for name, value := range txt {
				if value, ok := value.(string); ok {
					s.TXT = append(s.TXT, name+"="+value)
				}
			}
		}
	}
	slices.Sort(s.TXT)
	return nil
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
