package discovery

import (
	"context"
	"time"

	"golang.org/x/net/bpf"

	"camcensus/internal/packet"
)

// ErrNoCapability is returned where raw sockets need CAP_NET_RAW, or the
// system has none.
var ErrNoCapability = packet.ErrNoCapability

// CaptureInfo is what is known of a captured frame beside its bytes.
type CaptureInfo = packet.CaptureInfo

// PacketConn captures the frames of one interface and sends those few that
// discovery may send: ARP requests, neighbour solicitations and multicast
// echo requests.
type PacketConn interface {
	// ReadPacket returns the next frame that passes the filter.
	ReadPacket(buf []byte) (n int, ci CaptureInfo, err error)
	// WriteFrame sends one Ethernet frame when its turn has come. Wire reads
	// the frame itself: what describes it to the plan only.
	WriteFrame(ctx context.Context, frame []byte, what Packet) error
	SetReadDeadline(t time.Time) error
	// Stats counts frames since the socket was opened.
	Stats() packet.Stats
	Close() error
}

// OpenPacket opens a raw socket on an interface; promisc also captures
// unicast frames between others. errors.Is(err, ErrNoCapability) tells that
// CAP_NET_RAW is missing.
func (w *Wire) OpenPacket(ctx context.Context, iface string, filter []bpf.RawInstruction, promisc bool) (PacketConn, error) {
	return nil, ErrNoCapability
}
