package inventory

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
)

// Where is at which addresses a device is, for those who walk over very many
// and need the texts of few.
type Where struct {
	IPs  []netip.Addr // as Device has them: the latest first
	MACs [][6]byte    // as Device has them: the lowest burned-in first

	text []byte
}

// EachAt is EachBrief, with the device's addresses. Both are show's for the
// call only.
func (i *Inventory) EachAt(show ...func(*Device, *Where) bool) {
	i.shareOut(len(show), func(part int, some []*entry) {
		b, w, show := &briefly{}, &Where{}, show[part]
		for _, e := range some {
			if e.gone {
				continue
			}
			if w.fill(e); !show(b.of(i, e), w) {
				return
			}
		}
	})
}

func (w *Where) fill(e *entry) {
	w.IPs, w.MACs = w.IPs[:0], w.MACs[:0]
	bindings := e.latest()
	for _, b := range bindings {
		if ip := b.ip(); (b.live || len(bindings) == 1) && len(w.IPs) < maxBindings && !slices.Contains(w.IPs, ip) {
			w.IPs = append(w.IPs, ip)
		}
	}
	if len(w.IPs) == 0 && len(bindings) > 0 {
		w.IPs = append(w.IPs, bindings[0].ip())
	}
	for _, m := range e.macs {
		w.MACs = append(w.MACs, m)
	}
}

// Holds tells whether the text of an address or a MAC holds q, in lower case,
// or a MAC's digits alone hold digits; an empty one is not looked for.
func (w *Where) Holds(q, digits string) bool {
	if q != "" {
		colons, dots := strings.Contains(q, ":"), strings.Contains(q, ".")
		for _, ip := range w.IPs {
			if ip.Is4() && colons {
				continue
			}
			if w.text = ip.AppendTo(w.text[:0]); bytes.Contains(w.text, []byte(q)) {
				return true
			}
		}
		for _, m := range w.MACs {
			if dots || digits != "" { // which say as much
				break
			}
			if w.text = appendMAC(w.text[:0], m, ":"); bytes.Contains(w.text, []byte(q)) {
				return true
			}
		}
	}
	if digits == "" {
		return false
	}
	for _, m := range w.MACs {
		if w.text = appendMAC(w.text[:0], m, ""); bytes.Contains(w.text, []byte(digits)) {
			return true
		}
	}
	return false
}

// appendMAC appends a MAC's text, its octets parted by between.
func appendMAC(b []byte, m [6]byte, between string) []byte {
	const digits = "0123456789abcdef"
	for n, octet := range m {
		if n > 0 {
			b = append(b, between...)
		}
		b = append(b, digits[octet>>4], digits[octet&15])
	}
	return b
}
