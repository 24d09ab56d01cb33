package fingerprint

import (
	"strconv"
	"strings"
)

// Lengths of what is kept of a device's own words, in bytes.
const (
	maxModel    = 64
	maxSerial   = 64
	maxFirmware = 96
)

// trust orders the kinds that tell a model, a serial or a firmware version,
// the best first.
func trust(kind string) int {
	switch kind {
	case "isapi":
		return 0
	case "onvif":
		return 1
	case "sadp", "dhip":
		return 2
	case "upnp":
		return 4
	case "wsd":
		return 5
	case "http", "https", "rtsp":
		return 6
	case "mdns", "ssdp", "dhcp", "tls":
		return 7
	}
	return 3 // a maker's own protocol
}

// facts fills model, firmware, serial and channels, each from the best rule.
func (s *state) facts(id *Identity) {
	model := s.pick(func(f *firing) string { return f.model })
	firmware := s.pick(func(f *firing) string { return f.firmware })
	serial := s.pick(func(f *firing) string { return f.serial })
	if model != nil {
		id.Model = s.spell(model)
	}
	if firmware != nil {
		id.Firmware = clip(firmware.firmware, maxFirmware)
	}
	if serial != nil {
		id.Serial = clip(serial.serial, maxSerial)
	}
	s.channels(id)
}

func (s *state) pick(of func(*firing) string) *firing {
	var best *firing
	bestRank := 0
	for i := range s.fired {
		f := &s.fired[i]
		if of(f) == "" || s.answers[f.answer].void {
			continue
		}
		kind, _ := Spoken(s.ev[f.ev].Source, s.ev[f.ev].Field)
		rank := int(f.rule.grade)*16 - trust(kind)
		if best == nil || rank > bestRank {
			best, bestRank = f, rank
		}
	}
	return best
}

// spell gives a model its one spelling.
func (s *state) spell(f *firing) string {
	model := strings.Join(strings.Fields(f.model), " ")
	if f.rule.maker != none {
		for _, r := range s.set.makers[f.rule.maker].respell {
			model = r.pattern.ReplaceAllString(model, r.replace)
		}
	}
	return clip(strings.TrimSpace(model), maxModel)
}

// channels adds up what a recorder declares in one answer, by kind of channel;
// the largest answer counts. A recorder with two network ports says each kind
// twice.
func (s *state) channels(id *Identity) {
	if id.Class != ClassRecorder {
		return
	}
	id.Channels = -1
	for a := range s.answers {
		byRule := map[*rule]int{}
		for i := range s.fired {
			f := &s.fired[i]
			if f.answer != int32(a) || f.channels == "" {
				continue
			}
			if n, err := strconv.Atoi(f.channels); err == nil && n >= 0 && n <= 1024 {
				byRule[f.rule] = max(byRule[f.rule], n)
			}
		}
		total := 0
		for _, n := range byRule {
			total += n
		}
		if len(byRule) > 0 {
			id.Channels = max(id.Channels, total)
		}
	}
}

// clip shortens to at most n bytes, at a rune's edge.
func clip(text string, n int) string {
	text = strings.TrimSpace(text)
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xC0 == 0x80 {
		n--
	}
	return text[:n]
}

func sameText(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}
