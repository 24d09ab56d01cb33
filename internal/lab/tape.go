package lab

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

const (
	tapeFrames = 1 << 20 // frames kept; later ones are counted, not kept
	tapeBytes  = 1514
)

// tape keeps the frames that crossed the wire.
type tape struct {
	mu      sync.Mutex
	kept    []taped
	Dropped int
}

type taped struct {
	at         time.Time
	iface      string
	sent, lost bool
	raw        []byte
}

func newTape() *tape { return &tape{} }

func (t *tape) keep(f taped) {
	if len(f.raw) > tapeBytes {
		f.raw = f.raw[:tapeBytes]
	}
	f.raw = append([]byte(nil), f.raw...)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.kept) >= tapeFrames {
		t.Dropped++
		return
	}
	t.kept = append(t.kept, f)
}

func (t *tape) forget() {
	t.mu.Lock()
	t.kept, t.Dropped = nil, 0
	t.mu.Unlock()
}

// all returns the frames in the order in which they crossed the wire. Each
// segment is read by itself, and a busy machine reads one later than another.
func (t *tape) all() []taped {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := slices.Clone(t.kept)
	slices.SortStableFunc(all, func(a, b taped) int { return a.at.Compare(b.at) })
	return all
}

func (t *tape) frames(sentOnly bool) []Frame {
	var out []Frame
	for _, k := range t.all() {
		if k.sent || !sentOnly {
			out = append(out, k.frame())
		}
	}
	return out
}

// frame reads the headers of a kept frame.
func (k taped) frame() Frame {
	f := Frame{Time: k.at, Interface: k.iface, Sent: k.sent, Lost: k.lost, Raw: k.raw}
	if len(k.raw) < 14 {
		return f
	}
	f.DstMAC, f.SrcMAC = net.HardwareAddr(k.raw[:6]), net.HardwareAddr(k.raw[6:12])
	f.EtherType = binary.BigEndian.Uint16(k.raw[12:])
	rest := k.raw[14:]
	switch {
	case f.EtherType == uint16(layers.EthernetTypeARP) && len(rest) >= 28:
		f.Src, _ = netip.AddrFromSlice(rest[14:18])
		f.Dst, _ = netip.AddrFromSlice(rest[24:28])
	case f.EtherType == uint16(layers.EthernetTypeIPv4) && len(rest) >= 20:
		f.Src, _ = netip.AddrFromSlice(rest[12:16])
		f.Dst, _ = netip.AddrFromSlice(rest[16:20])
		f.Protocol = rest[9]
		if head := int(rest[0]&15) * 4; len(rest) >= head && binary.BigEndian.Uint16(rest[6:])&0x1fff == 0 {
			f.transport(rest[head:])
		}
	case f.EtherType == uint16(layers.EthernetTypeIPv6) && len(rest) >= 40:
		f.Src, _ = netip.AddrFromSlice(rest[8:24])
		f.Dst, _ = netip.AddrFromSlice(rest[24:40])
		f.Protocol = rest[6]
		rest = rest[40:]
		if f.Protocol == 0 && len(rest) >= 8 { // hop-by-hop options, as MLD has them
			f.Protocol = rest[0]
			rest = rest[min(len(rest), 8+int(rest[1])*8):]
		}
		f.transport(rest)
	}
	return f
}

func (f *Frame) transport(b []byte) {
	switch {
	case (f.Protocol == 6 || f.Protocol == 17) && len(b) >= 8:
		f.SrcPort, f.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		if f.Protocol == 6 && len(b) >= 14 {
			f.TCPFlags = b[13]
		}
	case (f.Protocol == 1 || f.Protocol == 58) && len(b) >= 1:
		f.ICMPType = b[0]
	}
}

func (t *tape) writePcap(w io.Writer) error {
	p := pcapgo.NewWriterNanos(w)
	if err := p.WriteFileHeader(tapeBytes, layers.LinkTypeEthernet); err != nil {
		return err
	}
	for _, k := range t.all() {
		ci := gopacket.CaptureInfo{Timestamp: k.at, CaptureLength: len(k.raw), Length: len(k.raw)}
		if err := p.WritePacket(ci, k.raw); err != nil {
			return err
		}
	}
	return nil
}
