package discovery

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/bpf"

	"camcensus/internal/packet"
)

// ErrNoCapability is returned where raw sockets need CAP_NET_RAW, or the
// system has none.
var ErrNoCapability = packet.ErrNoCapability

// errFrame is why WriteFrame refuses a frame that discovery never sends.
var errFrame = errors.New("not a frame that discovery may send")

// CaptureInfo is what is known of a captured frame beside its bytes.
type CaptureInfo = packet.CaptureInfo

// PacketConn captures the frames of one interface and sends those few that
// discovery may send: ARP requests, neighbour solicitations and multicast
// echo requests.
type PacketConn struct {
	*packet.Conn
	w     *Wire
	iface Interface
}

// OpenPacket opens a raw socket on an interface; promisc also captures
// unicast frames between others. errors.Is(err, ErrNoCapability) tells that
// CAP_NET_RAW is missing.
func (w *Wire) OpenPacket(iface string, filter []bpf.RawInstruction, promisc bool) (*PacketConn, error) {
	i, ok := w.Scope().Interface(iface)
	if !ok {
		return nil, fmt.Errorf("open raw socket on %s: interface %w", iface, ErrOutOfScope)
	}
	conn, err := packet.Open(packet.Options{
		Interface: i.Name, Index: i.Index, Filter: filter, Promisc: promisc,
		Groups: packet.AnnouncementGroups(),
	})
	if err != nil {
		return nil, err
	}
	return &PacketConn{Conn: conn, w: w, iface: i}, nil
}

// linkPause is waited where a read fails: the link is down, and what follows
// comes when it is back.
const linkPause = 10 * time.Millisecond

// ReadFrames hands on every frame that came from others until the socket is
// closed. take keeps no reference to the frame.
func (c *PacketConn) ReadFrames(take func(*packet.Frame, CaptureInfo)) {
	decoder, buf := packet.NewDecoder(), make([]byte, 1<<16)
	var f packet.Frame
	for {
		n, ci, err := c.ReadPacket(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(linkPause)
			continue
		}
		if decoder.Decode(buf[:n], &f) == nil && !bytes.Equal(f.Source[:], c.iface.MAC) {
			take(&f, ci)
		}
	}
}

// WriteFrame sends one Ethernet frame when its turn has come. Wire reads the
// frame itself: what describes it to the plan only. In a dry run it returns
// nil.
func (c *PacketConn) WriteFrame(ctx context.Context, frame []byte, what Packet) error {
	l, err := c.examine(frame)
	if err != nil {
		c.w.count(c.iface.Name).rejected[rejectFrame].Add(1)
		return fmt.Errorf("%s on %s: %w", c.w.source, c.iface.Name, err)
	}
	l.packet.Note = what.Note
	if err := c.w.admit(ctx, l); err != nil {
		if errors.Is(err, ErrPlanned) {
			return nil
		}
		return err
	}
	return c.WritePacket(ctx, frame)
}

var allNodes = netip.MustParseAddr("ff02::1")

// examine reads what a frame asks whom. Only requests from our own MAC and
// address pass: never a reply, an announcement or another's name.
func (c *PacketConn) examine(f []byte) (leaving, error) {
	if len(f) < 14 || len(c.iface.MAC) != 6 || [6]byte(f[6:12]) != [6]byte(c.iface.MAC) {
		return leaving{}, fmt.Errorf("%w: not from the interface's own MAC", errFrame)
	}
	dst := net.HardwareAddr(f[:6])
	if reason, yes := c.w.Scope().ExcludedMAC(dst); yes {
		return leaving{}, fmt.Errorf("to %s: %w (%s)", dst, ErrExcluded, reason)
	}
	switch binary.BigEndian.Uint16(f[12:14]) {
	case 0x0806:
		return c.examineARP(f[14:])
	case 0x86dd:
		return c.examineICMPv6(f[14:])
	}
	return leaving{}, fmt.Errorf("%w: EtherType %x", errFrame, f[12:14])
}

func (c *PacketConn) examineARP(b []byte) (leaving, error) {
	// RFC 826: Ethernet, IPv4, lengths 6 and 4, request.
	if len(b) < 28 || [8]byte(b[:8]) != [8]byte{0, 1, 8, 0, 6, 4, 0, 1} {
		return leaving{}, fmt.Errorf("%w: ARP, but no request", errFrame)
	}
	sender, target := netip.AddrFrom4([4]byte(b[14:18])), netip.AddrFrom4([4]byte(b[24:28]))
	if [6]byte(b[8:14]) != [6]byte(c.iface.MAC) || !c.iface.Has(sender) {
		return leaving{}, fmt.Errorf("%w: ARP in another's name", errFrame)
	}
	if c.iface.Has(target) {
		return leaving{}, fmt.Errorf("%w: gratuitous ARP", errFrame)
	}
	if n, ok := c.w.Scope().networkOn(target, c.iface.Name); ok && !n.Connected {
		return leaving{}, fmt.Errorf("arp to %s: routed: %w", target, ErrOutOfScope)
	}
	return leaving{
		packet: Packet{Interface: c.iface.Name, Protocol: "arp", To: target.String(), Count: 1},
		to:     target, kind: resolve,
	}, nil
}

func (c *PacketConn) examineICMPv6(b []byte) (leaving, error) {
	if len(b) < 44 || b[0]>>4 != 6 || b[6] != 58 {
		return leaving{}, fmt.Errorf("%w: IPv6, but no ICMPv6", errFrame)
	}
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	if !c.iface.Has(src) {
		return leaving{}, fmt.Errorf("%w: ICMPv6 in another's name", errFrame)
	}
	switch {
	case b[40] == 128 && dst == allNodes: // echo request
		return leaving{
			packet: Packet{Interface: c.iface.Name, Protocol: "icmp", To: dst.String(), Count: 1},
			to:     dst, kind: group, question: questionOf("echo "+c.w.source, nil),
		}, nil
	case b[40] == 135 && len(b) >= 64: // neighbour solicitation
		target := netip.AddrFrom16([16]byte(b[48:64]))
		if c.iface.Has(target) {
			return leaving{}, fmt.Errorf("%w: solicitation for ourselves", errFrame)
		}
		if !c.w.budget.sighted(target) {
			return leaving{}, fmt.Errorf("ndp to %s: %w", target, ErrNotSighted)
		}
		return leaving{
			packet: Packet{Interface: c.iface.Name, Protocol: "ndp", To: target.String(), Count: 1},
			to:     target, kind: resolve,
		}, nil
	}
	return leaving{}, fmt.Errorf("%w: ICMPv6 type %d to %s", errFrame, b[40], dst)
}
