package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// connectTimeout stays well below the second after which the kernel would send a
// SYN again by itself, uncounted.
const connectTimeout = 750 * time.Millisecond

// DialTCP connects to a host once its turn has come: one connection at a time
// to a host, 200 ms after the last. iface is "" for a routed host. A SYN that
// a sighted host does not answer is sent once more while ctx lasts; both
// count. Close lets the next connection to the host in.
func (w *Wire) DialTCP(ctx context.Context, to netip.AddrPort, iface string) (net.Conn, error) {
	tries := 1
	if w.budget.sighted(to.Addr().Unmap().WithZone("")) {
		tries = 2
	}
	return w.dial(ctx, to, iface, attempt{tries: tries, timeout: connectTimeout})
}

// DialTCPWithin is DialTCP with a single SYN and a timeout that starts when
// it leaves, for sweeps over addresses that may not exist.
func (w *Wire) DialTCPWithin(ctx context.Context, to netip.AddrPort, iface string, timeout time.Duration) (net.Conn, error) {
	return w.dial(ctx, to, iface, attempt{tries: 1, timeout: min(timeout, connectTimeout)})
}

// attempt is how hard a connection is tried for.
type attempt struct {
	tries   int
	timeout time.Duration // of each
}

func (w *Wire) dial(ctx context.Context, to netip.AddrPort, iface string, a attempt) (net.Conn, error) {
	ip := to.Addr().Unmap().WithZone("")
	to = netip.AddrPortFrom(ip, to.Port())
	l := leaving{
		packet: Packet{Interface: iface, Protocol: "tcp", To: to.String(), Count: 1},
		to:     ip, kind: syn,
	}
	// Refused at once rather than after a wait for the line, and no entry is
	// made for hosts that are none of ours.
	if _, reason, err := w.allowed(l); err != nil {
		w.count(iface).rejected[reason].Add(1)
		return nil, fmt.Errorf("%s tcp to %s: %w", w.source, to, err)
	}
	queue := w.budget.lineOf(ip)
	if queue == nil {
		return nil, fmt.Errorf("%s tcp to %s: %w", w.source, to, ErrHostBudget)
	}
	if w.plan == nil {
		if err := queue.enter(ctx); err != nil {
			return nil, err
		}
		defer func() {
			if queue != nil {
				queue.leave()
			}
		}()
	}
	for try := 1; ; try++ {
		if err := w.admit(ctx, l); err != nil {
			return nil, err
		}
		conn, err := w.connect(ctx, to, iface, a.timeout)
		if err == nil {
			kept := queue
			queue = nil
			return &tcpConn{Conn: conn, release: sync.OnceFunc(kept.leave)}, nil
		}
		if try >= a.tries || ctx.Err() != nil || !isTimeout(err) {
			return nil, err
		}
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// connect sends one SYN.
func (w *Wire) connect(ctx context.Context, to netip.AddrPort, iface string, timeout time.Duration) (net.Conn, error) {
	n, ok := w.Scope().NetworkOf(to.Addr())
	if iface != "" {
		n, ok = w.Scope().networkOn(to.Addr(), iface)
	}
	d := net.Dialer{Timeout: timeout, Control: dialOptions}
	target := to
	if ok && n.Connected {
		local := n.Local
		if to.Addr().IsLinkLocalUnicast() && to.Addr().Is6() {
			on, _ := w.Scope().Interface(n.Interface)
			local = local.WithZone(on.zone())
			target = netip.AddrPortFrom(to.Addr().WithZone(on.zone()), to.Port())
		}
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	conn, err := d.DialContext(ctx, "tcp", target.String())
	if err != nil {
		return nil, err // a *net.OpError names the address already
	}
	return conn, nil
}

// tcpConn lets the next connection to the host in when it is closed.
type tcpConn struct {
	net.Conn
	release func()
}

func (c *tcpConn) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}
