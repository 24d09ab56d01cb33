package ndp

import (
	"net"
	"net/netip"

	"camcensus/discovery"
	"camcensus/internal/packet"
)

// Fields of a neighbour discovery record: none, its MAC is the evidence.
func Fields(string, []byte) []discovery.Field { return nil }

// requests are the two messages there are, with documentation addresses (RFC
// 3849, RFC 7042).
func requests() []discovery.Request {
	mac := net.HardwareAddr{0x00, 0x00, 0x5e, 0x00, 0x53, 0x01}
	own, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	build := packet.NewBuilder()
	var out []discovery.Request
	if frame, err := build.EchoAllNodes(mac, own, 1, 1); err == nil {
		out = append(out, discovery.Request{Name: "echo request", Bytes: append([]byte(nil), frame...), To: "ff02::1"})
	}
	if frame, err := build.Solicit(mac, own, other); err == nil {
		out = append(out, discovery.Request{Name: "neighbour solicitation", Bytes: append([]byte(nil), frame...), To: "ff02::1:ff00:2"})
	}
	return out
}
