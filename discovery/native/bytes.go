package native

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"

	"camcensus/discovery/facts"
)

// at returns n bytes at an offset, or nothing where the answer is shorter.
func at(raw []byte, offset, n int) []byte {
	if offset < 0 || n < 0 || offset+n > len(raw) {
		return nil
	}
	return raw[offset : offset+n]
}

// text is a NUL-padded string field.
func text(raw []byte, offset, n int) string {
	field := at(raw, offset, n)
	if end := bytes.IndexByte(field, 0); end >= 0 {
		field = field[:end]
	}
	return string(field)
}

func addMAC(l *facts.List, raw []byte, offset int) {
	if mac, ok := facts.MACBytes(at(raw, offset, 6)); ok {
		l.Add("mac", mac)
	}
}

// addIP reads four bytes in network order.
func addIP(l *facts.List, b []byte) {
	if ip, ok := netip.AddrFromSlice(b); ok && !ip.IsUnspecified() {
		l.Add("ip", ip.String())
	}
}

func addIPText(l *facts.List, s string) {
	if ip, err := netip.ParseAddr(s); err == nil && !ip.IsUnspecified() {
		l.Add("ip", ip.String())
	}
}

func addPort(l *facts.List, name string, order binary.ByteOrder, b []byte) {
	if len(b) == 2 {
		l.AddPort(name, strconv.Itoa(int(order.Uint16(b))))
	}
}
