package packet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// receiveBuffer holds a burst of answers to a sweep at full speed; with the
// system's default a third of a /16 is lost.
const receiveBuffer = 8 << 20

// Conn is a raw socket on one interface. One goroutine may read while others
// write.
type Conn struct {
	file   *os.File
	raw    syscall.RawConn
	name   string
	closed atomic.Bool

	reading sync.Mutex
	in      message

	counting sync.Mutex
	stats    Stats
}

// message is the reused frame of a recvmsg call.
type message struct {
	hdr     unix.Msghdr
	iov     unix.Iovec
	from    unix.RawSockaddrLinklayer
	control [256]byte
	n       int
	errno   syscall.Errno
	call    func(fd uintptr) bool
}

// Open opens a raw socket. The filter is in place before the first frame can
// queue: the socket is made without a protocol and bound last.
func Open(o Options) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			return nil, fmt.Errorf("packet: raw socket on %s: %w", o.Interface, ErrNoCapability)
		}
		return nil, fmt.Errorf("packet: raw socket on %s: %w", o.Interface, err)
	}
	if err := prepare(fd, o); err != nil {
		return nil, errors.Join(fmt.Errorf("packet: raw socket on %s: %w", o.Interface, err), unix.Close(fd))
	}
	c := &Conn{file: os.NewFile(uintptr(fd), "packet "+o.Interface), name: o.Interface}
	if c.raw, err = c.file.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("packet: raw socket on %s: %w", o.Interface, err), c.file.Close())
	}
	c.in.prepare()
	return c, nil
}

func prepare(fd int, o Options) error {
	if o.SendOnly {
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: o.Index})
	}
	if err := attach(fd, o.Filter); err != nil {
		return err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		// Without CAP_NET_ADMIN the system's limit (net.core.rmem_max) holds.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	// Refused before Linux 4.20; ReadPacket then drops what is outgoing.
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err != nil {
		return fmt.Errorf("PACKET_AUXDATA: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return fmt.Errorf("SO_TIMESTAMPNS: %w", err)
	}
	if err := join(fd, o); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: o.Index}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

func join(fd int, o Options) error {
	if o.Promisc {
		m := unix.PacketMreq{Ifindex: int32(o.Index), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m); err != nil {
			return fmt.Errorf("promiscuous mode: %w", err)
		}
	}
	for _, mac := range o.Groups {
		m := unix.PacketMreq{Ifindex: int32(o.Index), Type: unix.PACKET_MR_MULTICAST, Alen: 6}
		copy(m.Address[:], mac)
		if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m); err != nil {
			return fmt.Errorf("join %s: %w", mac, err)
		}
	}
	return nil
}

func attach(fd int, filter []bpf.RawInstruction) error {
	if len(filter) == 0 {
		return nil
	}
	code := make([]unix.SockFilter, len(filter))
	for i, in := range filter {
		code[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	return nil
}

// networkOrder turns a number of the host's byte order into the network's.
func networkOrder(v uint16) uint16 {
	b := [2]byte{byte(v >> 8), byte(v)}
	return *(*uint16)(unsafe.Pointer(&b))
}

func (m *message) prepare() {
	m.hdr.Name = (*byte)(unsafe.Pointer(&m.from))
	m.hdr.Iov = &m.iov
	m.hdr.SetIovlen(1)
	m.hdr.Control = &m.control[0]
	m.call = func(fd uintptr) bool {
		m.hdr.Namelen = uint32(unsafe.Sizeof(m.from))
		m.hdr.SetControllen(len(m.control))
		m.hdr.Flags = 0
		n, _, errno := unix.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&m.hdr)), unix.MSG_DONTWAIT|unix.MSG_TRUNC)
		m.n, m.errno = int(n), errno
		return errno != unix.EAGAIN && errno != unix.EINTR
	}
}

// ReadPacket returns the next frame. It allocates nothing. After a deadline
// the error is os.ErrDeadlineExceeded, after Close net.ErrClosed; ENETDOWN is
// returned once when the link is switched off.
func (c *Conn) ReadPacket(b []byte) (int, CaptureInfo, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if len(b) == 0 {
		return 0, CaptureInfo{}, errors.New("packet: empty buffer")
	}
	for {
		c.in.iov.Base = &b[0]
		c.in.iov.SetLen(len(b))
		err := c.raw.Read(c.in.call)
		c.in.iov.Base = nil
		if err == nil && c.in.errno != 0 {
			err = c.in.errno
		}
		if err != nil {
			if c.closed.Load() {
				return 0, CaptureInfo{}, net.ErrClosed
			}
			return 0, CaptureInfo{}, fmt.Errorf("packet: read on %s: %w", c.name, err)
		}
		ci := c.in.captureInfo(len(b))
		if ci.Outgoing {
			continue
		}
		ci.Interface = c.name
		return min(c.in.n, len(b)), ci, nil
	}
}

func (m *message) captureInfo(size int) CaptureInfo {
	ci := CaptureInfo{
		Outgoing:  m.from.Pkttype == unix.PACKET_OUTGOING,
		ForOthers: m.from.Pkttype == unix.PACKET_OTHERHOST,
		Truncated: m.n > size,
	}
	rest := m.control[:m.hdr.Controllen]
	for len(rest) >= unix.SizeofCmsghdr {
		hdr, body, next, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			break
		}
		rest = next
		switch {
		case hdr.Level == unix.SOL_PACKET && hdr.Type == unix.PACKET_AUXDATA && len(body) >= int(unsafe.Sizeof(unix.TpacketAuxdata{})):
			aux := (*unix.TpacketAuxdata)(unsafe.Pointer(&body[0]))
			if aux.Status&unix.TP_STATUS_VLAN_VALID != 0 {
				ci.VLAN = aux.Vlan_tci & 0xfff // above it: priority and drop bit
			}
		case hdr.Level == unix.SOL_SOCKET && hdr.Type == unix.SCM_TIMESTAMPNS && len(body) >= int(unsafe.Sizeof(unix.Timespec{})):
			ts := (*unix.Timespec)(unsafe.Pointer(&body[0]))
			ci.Time = time.Unix(ts.Unix())
		}
	}
	if ci.Time.IsZero() {
		ci.Time = time.Now()
	}
	return ci
}

// WritePacket sends one Ethernet frame. It waits while the interface's queue
// is full, until ctx ends.
func (c *Conn) WritePacket(ctx context.Context, frame []byte) error {
	for {
		var failed error
		err := c.raw.Write(func(fd uintptr) bool {
			_, failed = unix.Write(int(fd), frame)
			return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
		})
		if err == nil {
			err = failed
		}
		switch {
		case err == nil:
			return nil
		case c.closed.Load():
			return net.ErrClosed
		case !errors.Is(err, unix.ENOBUFS):
			return fmt.Errorf("packet: send on %s: %w", c.name, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// SetReadDeadline ends a ReadPacket at t.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.file.SetReadDeadline(t) }

// Stats counts since the socket was opened; the kernel's own counters start
// anew at every look, which is why they are added up here.
func (c *Conn) Stats() Stats {
	c.counting.Lock()
	defer c.counting.Unlock()
	_ = c.raw.Control(func(fd uintptr) {
		s, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err == nil {
			c.stats.Received += uint64(s.Packets)
			c.stats.Dropped += uint64(s.Drops)
		}
	})
	return c.stats
}

// Close ends a blocked ReadPacket.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.Stats()
	return c.file.Close()
}
