package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// options are set on a socket before it is bound.
type options struct {
	v6     bool
	reuse  bool
	device string // best effort: sends and receives on this interface only
}

// receiveBuffer holds the answers of a thousand devices to one question, all
// of which may come while this machine is busy.
const receiveBuffer = 4 << 20

// setOptions keeps a socket to the groups it joined itself: without
// IP_MULTICAST_ALL=0 it would hear what any process of the machine joined on
// any interface.
func setOptions(raw syscall.RawConn, o options) error {
	var failed error
	err := raw.Control(func(fd uintptr) { failed = setOptionsOn(int(fd), o) })
	return errors.Join(err, failed)
}

func setOptionsOn(fd int, o options) error {
	if o.reuse {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return fmt.Errorf("SO_REUSEADDR: %w", err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1); err != nil {
		return fmt.Errorf("SO_BROADCAST: %w", err)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		// Without CAP_NET_ADMIN the system's limit (net.core.rmem_max) holds.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	level, all := unix.IPPROTO_IP, unix.IP_MULTICAST_ALL
	if o.v6 {
		level, all = unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL
	}
	if err := unix.SetsockoptInt(fd, level, all, 0); err != nil {
		return fmt.Errorf("IP_MULTICAST_ALL: %w", err)
	}
	if o.device != "" {
		// Refused on old kernels without CAP_NET_RAW; the address that the
		// socket is bound to does most of the same.
		_ = unix.BindToDevice(fd, o.device)
	}
	return nil
}

// openGroupSockets binds to the group's own address, which package net cannot
// do. A link-local IPv6 group belongs to one interface, so each gets a socket.
func openGroupSockets(ctx context.Context, to netip.AddrPort, ifaces []Interface) ([]*udpSocket, error) {
	if to.Addr().Is4() {
		s, err := openGroupSocket(to, nil)
		if err != nil {
			return nil, err
		}
		for _, i := range ifaces {
			if err := s.join(to.Addr(), i); err != nil {
				return nil, errors.Join(fmt.Errorf("join on %s: %w", i.Name, err), s.close())
			}
		}
		return []*udpSocket{s}, nil
	}
	var out []*udpSocket
	for _, i := range ifaces {
		s, err := openGroupSocket(to, &i)
		if err == nil {
			out = append(out, s)
			err = s.join(to.Addr(), i)
		}
		if err != nil {
			for _, open := range out {
				err = errors.Join(err, open.close())
			}
			return nil, fmt.Errorf("on %s: %w", i.Name, err)
		}
	}
	return out, nil
}

func openGroupSocket(to netip.AddrPort, only *Interface) (*udpSocket, error) {
	v6 := to.Addr().Is6()
	domain := unix.AF_INET
	if v6 {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "udp "+to.String())
	defer f.Close()
	if err := setOptionsOn(fd, options{v6: v6, reuse: true}); err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, groupAddress(to, only)); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	pc, err := net.FilePacketConn(f)
	if err != nil {
		return nil, err
	}
	s, err := newUDPSocket(pc.(*net.UDPConn), v6)
	if err != nil {
		return nil, errors.Join(err, pc.Close())
	}
	if only != nil {
		s.only = only.Index
	}
	return s, nil
}

func groupAddress(to netip.AddrPort, only *Interface) unix.Sockaddr {
	if to.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	sa := &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	if only != nil {
		sa.ZoneId = uint32(only.Index)
	}
	return sa
}
