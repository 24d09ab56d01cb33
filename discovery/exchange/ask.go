package exchange

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"camcensus/discovery"
)

// Bounds of the unicast questions of one cycle. Larger networks are gone
// through over several cycles.
const (
	unicastRate  = 200 // hosts per second, below the ceiling of Wire
	unicastHosts = 8192
	unicastTail  = 2 * time.Second // how long the last host's answer is awaited
)

// Ask puts the questions on every interface at the same time, and the unicast
// ones beside them.
func (s *Source) Ask(ctx context.Context, round discovery.Round, sink discovery.Sink) error {
	s.gate.reset()
	s.asking.Store(true)
	defer s.asking.Store(false)
	ctx, end := context.WithCancel(ctx)
	defer end()
	if round.Progress != nil {
		round.Progress(0, 1)
		defer round.Progress(1, 1)
	}

	for _, i := range s.env.Wire.Scope().Interfaces {
		s.board.Begin(i.Name, Asking)
		s.board.Begin(i.Name, Asking6)
		s.board.Begin(i.Name, Answering)
	}
	window, closeWindow := context.WithCancel(ctx)
	defer closeWindow()
	var receivers, senders sync.WaitGroup
	fixed := s.openFixed(window)
	for _, conn := range fixed {
		receivers.Go(func() { s.receive(window, conn, nil, sink) })
	}
	for _, i := range s.env.Wire.Scope().Interfaces {
		conns := s.openOn(window, i)
		for _, conn := range conns {
			receivers.Go(func() { s.receive(window, conn, nil, sink) })
		}
		for index, conn := range fixed {
			conns[index] = conn
		}
		s.ask(window, i, conns, &senders)
	}
	unicast := s.askHosts(ctx, sink)
	// The window is counted from the last question: a low rate delays them.
	senders.Wait()
	s.wait(window, s.talk.tail())
	closeWindow()
	receivers.Wait()
	<-unicast
	return nil
}

// tail is how much of the window is left after the last question, when none is
// delayed.
func (c Conversation) tail() time.Duration {
	last := time.Duration(0)
	for _, q := range c.Questions {
		if at := q.At(); len(at) > 0 {
			last = max(last, at[len(at)-1])
		}
	}
	return max(time.Second, c.Window-last)
}

// wait lasts as long as d, unless nothing is sent at all.
func (s *Source) wait(ctx context.Context, d time.Duration) {
	if s.env.Wire.Planning() || s.env.Wire.ListenOnly() {
		return
	}
	_ = discovery.Sleep(ctx, d)
}

// openFixed opens the sockets of a fixed port: one for all interfaces.
func (s *Source) openFixed(ctx context.Context) map[int]*discovery.UDPConn {
	open := map[int]*discovery.UDPConn{}
	var names []string
	for _, i := range s.env.Wire.Scope().Interfaces {
		if Carries(i, false) {
			names = append(names, i.Name)
		}
	}
	for index, socket := range s.talk.Sockets {
		if socket.Port == 0 || len(names) == 0 {
			continue
		}
		conn, err := s.env.Wire.ListenUDP(ctx, socket.Port, names)
		if err == nil && socket.Join.IsValid() {
			err = conn.JoinGroup(socket.Join)
		}
		if err != nil {
			for _, name := range names {
				s.board.Fail(name, Answering, err)
			}
			if conn == nil {
				continue
			}
		}
		open[index] = conn
	}
	return open
}

// openOn opens the sockets of ephemeral ports on one interface.
func (s *Source) openOn(ctx context.Context, i discovery.Interface) map[int]*discovery.UDPConn {
	open := map[int]*discovery.UDPConn{}
	for index, socket := range s.talk.Sockets {
		if socket.Port != 0 || !Carries(i, socket.V6) {
			continue
		}
		o := discovery.UDPOptions{Interface: i.Name, Network: "udp4", TTL: socket.TTL}
		if socket.V6 {
			o.Network = "udp6"
		}
		conn, err := s.env.Wire.OpenUDP(ctx, o)
		if err != nil {
			s.board.Fail(i.Name, Asking.of(socket.V6), err)
			continue
		}
		open[index] = conn
	}
	return open
}

// ask starts the senders of one interface.
func (s *Source) ask(ctx context.Context, i discovery.Interface, conns map[int]*discovery.UDPConn, senders *sync.WaitGroup) {
	for _, q := range s.talk.Questions {
		conn := conns[q.Socket]
		if conn == nil || !Carries(i, s.talk.Sockets[q.Socket].V6) {
			continue
		}
		q.To = onLoopback(i, q.To)
		senders.Go(func() { s.repeat(ctx, i.Name, conn, q) })
	}
}

// onLoopback is the destination as the loopback interface, where the demo's
// devices live, has it: it knows no limited broadcast.
func onLoopback(i discovery.Interface, to netip.AddrPort) netip.AddrPort {
	if !i.Loopback || to.Addr() != Broadcast {
		return to
	}
	for _, p := range i.Prefixes {
		if p.Addr().Is4() {
			return netip.AddrPortFrom(discovery.Broadcast(p), to.Port())
		}
	}
	return to
}

// repeat sends the same bytes at each of the question's times.
func (s *Source) repeat(ctx context.Context, iface string, conn *discovery.UDPConn, q Question) {
	message := q.Message(NewToken())
	start := time.Now()
	for _, at := range q.At() {
		s.wait(ctx, time.Until(start.Add(at)))
		err := conn.SendVia(ctx, iface, message, q.To)
		switch {
		case err == nil:
			s.board.Work(iface, Asking.of(q.To.Addr().Is6()))
		case ctx.Err() != nil || refused(err):
			return
		default:
			s.board.Fail(iface, Asking.of(q.To.Addr().Is6()), err)
			return
		}
	}
}

// refused reports an answer of Wire that is no fault of the network.
func refused(err error) bool {
	for _, by := range []error{
		discovery.ErrListenOnly, discovery.ErrMulticastBudget, discovery.ErrHostBudget,
		discovery.ErrExcluded, discovery.ErrOutOfScope, discovery.ErrNotSighted, discovery.ErrPlanned,
	} {
		if errors.Is(err, by) {
			return true
		}
	}
	return false
}

// askHosts puts the unicast questions to the routed networks. The returned
// channel closes when the last window has.
func (s *Source) askHosts(ctx context.Context, sink discovery.Sink) <-chan struct{} {
	done := make(chan struct{})
	targets := s.targets()
	if len(s.talk.Unicast) == 0 || len(targets) == 0 {
		close(done)
		return done
	}
	ctx, end := context.WithCancel(ctx)
	s.board.Begin("", Asking)
	conn, err := s.env.Wire.OpenUDP(ctx, discovery.UDPOptions{Network: "udp4"})
	if err != nil {
		s.board.Fail("", Asking, err)
		end()
		close(done)
		return done
	}
	asked := &asked{tokens: map[netip.Addr][]string{}}
	go func() {
		defer close(done)
		var receiver sync.WaitGroup
		receiver.Go(func() { s.receive(ctx, conn, asked, sink) })
		s.sendEach(ctx, conn, targets, asked)
		s.wait(ctx, unicastTail)
		end()
		receiver.Wait()
	}()
	return done
}

func (s *Source) sendEach(ctx context.Context, conn *discovery.UDPConn, targets []netip.Addr, asked *asked) {
	pace := rate.NewLimiter(unicastRate, 1)
	for _, ip := range targets {
		if !s.env.Wire.Planning() && pace.Wait(ctx) != nil {
			return
		}
		for _, u := range s.talk.Unicast {
			token := NewToken()
			asked.add(ip, token)
			err := conn.Send(ctx, u.Message(token), netip.AddrPortFrom(ip, u.Port))
			if errors.Is(err, discovery.ErrListenOnly) || ctx.Err() != nil {
				return
			}
			switch {
			case err == nil:
				s.board.Work("", Asking)
			case !refused(err): // no route: the rest of the network will say so too
				s.board.Fail("", Asking, err)
			}
		}
	}
}

// targets are the hosts of the routed networks whose turn it is.
func (s *Source) targets() []netip.Addr {
	scope := s.env.Wire.Scope()
	var prefixes []netip.Prefix
	total := uint64(0)
	for _, n := range scope.Networks {
		if !n.Connected && n.Prefix.Addr().Is4() {
			prefixes = append(prefixes, n.Prefix.Masked())
			total += size(n.Prefix)
		}
	}
	var list []netip.Addr
	for range min(total, unicastHosts) {
		ip := nth(prefixes, s.next%total)
		s.next = (s.next + 1) % total
		if _, excluded := scope.Excluded(ip); !excluded && host(scope, ip) {
			list = append(list, ip)
		}
	}
	return list
}

func size(p netip.Prefix) uint64 { return 1 << (32 - p.Bits()) }

// nth is the address at an index into several prefixes.
func nth(prefixes []netip.Prefix, index uint64) netip.Addr {
	for _, p := range prefixes {
		if index >= size(p) {
			index -= size(p)
			continue
		}
		b := p.Addr().As4()
		n := uint64(b[0])<<24 + uint64(b[1])<<16 + uint64(b[2])<<8 + uint64(b[3]) + index
		return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	return netip.Addr{}
}

// host leaves out the ends of a prefix and what another, connected network
// holds.
func host(scope *discovery.Scope, ip netip.Addr) bool {
	n, ok := scope.NetworkOf(ip)
	if !ok || n.Connected {
		return false
	}
	return n.Prefix.Bits() >= 31 || ip != n.Prefix.Masked().Addr() && ip != discovery.Broadcast(n.Prefix)
}
