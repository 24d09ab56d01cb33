package agent

import (
	"bytes"
	"net"
	"regexp"
	"strings"

	"camcensus/discovery"
)

// Names are what tells one device from all others of its kind.
type Names struct {
	macs  []namedMAC
	texts []string // serial numbers and host names
}

type namedMAC struct {
	mac      net.HardwareAddr
	spelling *regexp.Regexp // as text, with any separator or none
}

// shortestName keeps a word like "cam" from being taken out everywhere.
const shortestName = 5

// Names returns the names of a device, by any id it had during the scan.
func (a *Agent) Names(device string) Names {
	d, _ := a.inventory.Device(device)
	var n Names
	for _, s := range d.MACs {
		mac, err := net.ParseMAC(s)
		if err != nil || len(mac) != 6 {
			continue
		}
		pairs := strings.Split(mac.String(), ":")
		n.macs = append(n.macs, namedMAC{mac, regexp.MustCompile("(?i)" + strings.Join(pairs, "[-:._]?"))})
	}
	for _, s := range append([]string{d.Serial}, d.Hostnames...) {
		if s = strings.TrimSuffix(s, ".local"); len(s) >= shortestName {
			n.texts = append(n.texts, s)
		}
	}
	return n
}

// takeOut blanks the names in a record, wherever they stand in it. Lengths stay:
// many answers have their fields at fixed places.
func (n Names) takeOut(r discovery.Record) discovery.Record {
	for _, m := range n.macs {
		r.Raw = m.spelling.ReplaceAllStringFunc(r.Raw, func(s string) string { return string(zeroTail([]byte(s))) })
		blank := append(bytes.Clone(m.mac[:3]), 0, 0, 0)
		r.Base64 = bytes.ReplaceAll(r.Base64, m.mac, blank)
		r.Base64 = m.spelling.ReplaceAllFunc(r.Base64, zeroTail)
	}
	for _, s := range n.texts {
		every := regexp.MustCompile("(?i)" + regexp.QuoteMeta(s))
		blank := strings.Repeat("0", len(s))
		r.Raw = every.ReplaceAllLiteralString(r.Raw, blank)
		r.Base64 = every.ReplaceAllLiteral(r.Base64, []byte(blank))
	}
	return r
}

// zeroTail blanks the last six digits of a MAC as text and keeps its length.
func zeroTail(mac []byte) []byte {
	out := bytes.Clone(mac)
	for i, left := len(out)-1, 6; i >= 0 && left > 0; i-- {
		if !strings.ContainsRune("-:._", rune(out[i])) {
			out[i] = '0'
			left--
		}
	}
	return out
}
