package exporter

import (
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"camcensus/fingerprint"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// The longest values that a device's text has as a label, in bytes of model
// and in characters of location (DESIGN section 7).
const (
	maxModelLabel    = 64
	maxLocationLabel = 64
	maxLabel         = 128
)

// The names that stand for makers outside the data.
const (
	makerUnknown = "unknown"
	makerOther   = "other"
)

// names is a set of canonical names.
type names map[string]struct{}

// knownNames collects the canonical names that may be a manufacturer or brand
// label: the rules' and, for manufacturers, the policies' own.
func knownNames(s *Snapshot) (makers, brands names) {
	makers = make(names, len(s.Makers))
	for _, m := range s.Makers {
		makers[m] = struct{}{}
	}
	for _, p := range s.Policies {
		for _, m := range p.Makers {
			makers[m] = struct{}{}
		}
	}
	brands = make(names, len(s.Brands)+len(makers))
	for m := range makers {
		brands[m] = struct{}{}
	}
	for _, b := range s.Brands {
		brands[b] = struct{}{}
	}
	return makers, brands
}

// label gives the name itself when data knows it, else other or unknown.
func (n names) label(name string) string {
	if name == "" {
		return makerUnknown
	}
	if _, ok := n[name]; ok {
		return cleanLabel(name)
	}
	return makerOther
}

// modelLabel passes a model of at most 64 bytes of [A-Za-z0-9 ._/+()-] and
// nothing else.
func modelLabel(model string) string {
	if len(model) > maxModelLabel {
		return ""
	}
	for i := range len(model) {
		if !modelByte(model[i]) {
			return ""
		}
	}
	return model
}

func modelByte(c byte) bool {
	switch {
	case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte(" ._/+()-", c) >= 0
}

// printable keeps at most limit printable characters of valid UTF-8.
func printable(text string, limit int) string {
	if len(text) <= limit && plainASCII(text) {
		return text
	}
	var b strings.Builder
	kept := 0
	for _, r := range text {
		if kept == limit {
			break
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			continue
		}
		b.WriteRune(r)
		kept++
	}
	return b.String()
}

func plainASCII(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// classes is the closed list of classes.
var classes = []fingerprint.Class{
	fingerprint.ClassCamera, fingerprint.ClassRecorder, fingerprint.ClassDoorbell, fingerprint.ClassIntercom,
	fingerprint.ClassAccessControl, fingerprint.ClassEncoder, fingerprint.ClassNetwork, fingerprint.ClassOther,
	fingerprint.ClassUnknown,
}

// classLabel keeps the label within the closed list.
func classLabel(c fingerprint.Class) fingerprint.Class {
	if slices.Contains(classes, c) {
		return c
	}
	return fingerprint.ClassUnknown
}

func cleanLabel(text string) string { return printable(text, maxLabel) }

// addressLabel gives the latest address, "" when it is none.
func addressLabel(d *inventory.Device) string {
	if len(d.IPs) == 0 {
		return ""
	}
	ip, err := netip.ParseAddr(d.IPs[0])
	if err != nil {
		return ""
	}
	return cleanLabel(ip.String())
}

func macLabel(d *inventory.Device) string {
	if len(d.MACs) == 0 {
		return ""
	}
	return printable(d.MACs[0], 17)
}

// severity orders verdicts: the gravest is 0.
func severity(verdict string) int {
	switch verdict {
	case policy.Banned:
		return 0
	case policy.SuspectedV:
		return 1
	case policy.Unknown:
		return 2
	case policy.OutOfScope:
		return 3
	case policy.Clear:
		return 4
	}
	return 5
}

// worstVerdict is the gravest verdict of a device over all policies; a device
// without any is unclassified.
func worstVerdict(d *inventory.Device) string {
	worst := policy.Unclassified
	for i := range d.Verdicts {
		if v := d.Verdicts[i].Verdict; severity(v) < severity(worst) {
			worst = v
		}
	}
	return worst
}

// gravity remembers the gravest severity of verdicts that many devices share.
// It holds them, so that the memory is not used for others meanwhile.
type gravity map[*policy.Verdict]int

func (g gravity) of(d *inventory.Device) int {
	if len(d.Verdicts) == 0 {
		return nVerdicts - 1
	}
	worst, known := g[&d.Verdicts[0]]
	if !known {
		worst = severity(worstVerdict(d))
		g[&d.Verdicts[0]] = worst
	}
	return worst
}
