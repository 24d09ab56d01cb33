package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// SegmentOptions says how a site is played on a segment.
type SegmentOptions struct {
	Site *Site
	// AgentInterface is the name of the agent's interface on the first segment, default cam0; further ones count up.
	AgentInterface string
	// Agent is the agent's address on the first segment, default the second of its prefix.
	Agent netip.Prefix
}

// segment plays a site behind veth pairs: one packet socket per pair speaks for all hosts in ARP, NDP, ICMP and UDP, and
// their TCP goes through a second pair to this process's own listeners, to which all addresses of the site are local.
type segment struct {
	run        *Running
	ns         *namespace
	kernel     *os.File // a packet socket: what is written reaches the devices' kernel, what it sends is read
	hostsMAC   hardware
	hostsIndex int
	wires      []*wire
	listeners  []net.Listener
	ports      map[uint16]bool
	flows      *flows

	mu     sync.Mutex
	agents map[netip.Addr]bool // addresses that a route leads back to
	work   sync.WaitGroup
}

// discardPort takes the connections of devices that accept every port.
const discardPort = 9

// Segment plays the site on new interfaces of this process's network namespace, which must be an isolated one (Isolate or Enter).
func Segment(ctx context.Context, o SegmentOptions) (*Running, error) {
	if os.Getenv(outerNamespace) == "" {
		return nil, errors.New("lab: a segment needs a network namespace of its own (call lab.Isolate in TestMain first)")
	}
	if o.AgentInterface == "" {
		o.AgentInterface = "cam0"
	}
	r := newRunning(o.Site, samePort)
	s := &segment{run: r, agents: map[netip.Addr]bool{}, ports: map[uint16]bool{discardPort: true}, flows: newFlows()}
	r.form = s
	var err error
	if s.ns, err = newNamespace(); err != nil {
		return nil, err
	}
	if err := s.setUp(o); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.begin()
	r.start()
	context.AfterFunc(ctx, func() { _ = r.Close() })
	return r, nil
}

func (s *segment) setUp(o SegmentOptions) error {
	if err := s.ns.do(s.setUpHosts); err != nil {
		return err
	}
	for i, spec := range s.run.Site.Segments {
		agent := o.Agent
		if i > 0 || !agent.IsValid() {
			agent = netip.PrefixFrom(spec.Prefix.Masked().Addr().Next().Next(), spec.Prefix.Bits())
		}
		if err := s.addWire(i, numbered(o.AgentInterface, i), agent); err != nil {
			return fmt.Errorf("lab: segment %s: %w", spec.Prefix, err)
		}
	}
	for _, routed := range s.run.Site.Routed {
		if err := s.addRoute(routed); err != nil {
			return fmt.Errorf("lab: routed network %s: %w", routed.Prefix, err)
		}
	}
	return s.ns.do(s.listen)
}

// numbered counts an interface name up: cam0, cam1.
func numbered(name string, i int) string {
	base := strings.TrimRight(name, "0123456789")
	first, _ := strconv.Atoi(name[len(base):])
	return base + strconv.Itoa(first+i)
}

// setUpHosts prepares the namespace of the devices: every address of the site is its own, and what it sends comes back to this process.
func (s *segment) setUpHosts() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	for path, value := range map[string]string{
		"ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0", "ipv4/tcp_timestamps": "1",
		"ipv6/conf/all/accept_dad": "0", "ipv6/conf/default/accept_dad": "0", "core/somaxconn": "4096",
	} {
		setting(path, value)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	link, err := s.addHosts()
	if err != nil {
		return err
	}
	s.hostsIndex, s.hostsMAC = link.Attrs().Index, hardware(link.Attrs().HardwareAddr)
	_, all4, _ := net.ParseCIDR("0.0.0.0/0")
	_, all6, _ := net.ParseCIDR("::/0")
	for _, dst := range []*net.IPNet{all4, all6} {
		if err := netlink.RouteReplace(&netlink.Route{LinkIndex: s.hostsIndex, Dst: dst, Scope: netlink.SCOPE_LINK}); err != nil {
			return fmt.Errorf("lab: route what the devices send: %w", err)
		}
	}
	for _, prefix := range s.hostPrefixes() {
		route := &netlink.Route{LinkIndex: lo.Attrs().Index, Dst: ipNet(prefix), Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("lab: make %s local to the devices: %w", prefix, err)
		}
	}
	return nil
}

// addHosts makes the pair by which the kernel that plays the devices is fed: "hosts" is its own end, without ARP.
func (s *segment) addHosts() (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "hosts"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "feed"}); err != nil {
		return nil, fmt.Errorf("lab: make the pair that feeds the devices: %w (needs CAP_NET_ADMIN)", err)
	}
	setting("ipv6/conf/feed/disable_ipv6", "1")
	for _, name := range []string{"hosts", "feed"} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(plainFrames(name), netlink.LinkSetARPOff(link)); err != nil {
			return nil, err
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return nil, err
		}
		if name == "feed" { // after it is up: a socket bound before has an error waiting that the first write would get, its frame lost
			if s.kernel, err = openWire(link.Attrs().Index); err != nil {
				return nil, err
			}
		}
	}
	if err := errors.Join(carrier("hosts"), carrier("feed")); err != nil {
		return nil, err
	}
	return netlink.LinkByName("hosts")
}

// hostPrefixes returns the networks in which the devices live, and single addresses outside of these.
func (s *segment) hostPrefixes() []netip.Prefix {
	site := s.run.Site
	all := []netip.Prefix{shadowHosts}
	for _, spec := range site.Segments {
		all = append(all, spec.Prefix.Masked())
		if spec.Prefix6.IsValid() {
			all = append(all, spec.Prefix6.Masked())
		}
	}
	for _, r := range site.Routed {
		all = append(all, r.Prefix.Masked())
	}
	for _, d := range site.Devices {
		if d.ProxyARP.IsValid() {
			all = append(all, d.ProxyARP.Masked())
		}
		for _, ip := range d.Addresses() {
			if !ip.IsLinkLocalUnicast() && !within(all, ip) {
				all = append(all, netip.PrefixFrom(ip, ip.BitLen()))
			}
		}
	}
	return all
}

func within(prefixes []netip.Prefix, ip netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// listen opens the TCP ports of all devices: which device has which is decided by the first segment of a connection.
func (s *segment) listen() error {
	for _, v := range s.run.voices {
		for number := range v.Ports {
			s.ports[number] = true
		}
	}
	for number := range s.ports {
		l, err := net.Listen("tcp", ":"+strconv.Itoa(int(number)))
		if err != nil {
			return fmt.Errorf("lab: listen for the devices: %w", err)
		}
		s.listeners = append(s.listeners, l)
	}
	return nil
}

// addWire makes the veth pair of a segment, its agent end configured and up.
func (s *segment) addWire(i int, name string, agent netip.Prefix) error {
	w := newWire(s, i, name)
	peer := "far" + strconv.Itoa(i)
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = name, net.HardwareAddr{0x02, 0xca, 0, 0, 0, byte(i + 1)}
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: peer, PeerHardwareAddr: net.HardwareAddr{0x02, 0xca, 0, 0, 1, byte(i + 1)}}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("make the pair %s: %w (needs CAP_NET_ADMIN)", name, err)
	}
	far, err := netlink.LinkByName(peer)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetNsFd(far, int(s.ns.file.Fd())); err != nil {
		return fmt.Errorf("move %s to the devices: %w", peer, err)
	}
	if err := s.ns.do(func() error { return w.attach(peer) }); err != nil {
		return err
	}
	s.wires = append(s.wires, w)
	if err := w.setUpAgent(agent, s.run.Site.Segments[i].Prefix6); err != nil {
		return err
	}
	if err := carrier(name); err != nil {
		return err
	}
	return s.ns.do(func() error { return carrier(peer) }) // until then what the devices send is dropped
}

// attach brings the devices' end up with nothing of the kernel's own on it, and opens the packet socket.
func (w *wire) attach(peer string) error {
	link, err := netlink.LinkByName(peer)
	if err != nil {
		return err
	}
	setting("ipv6/conf/"+peer+"/disable_ipv6", "1")
	if err := netlink.LinkSetARPOff(link); err != nil {
		return err
	}
	if err := plainFrames(peer); err != nil {
		return err
	}
	w.far = link
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	w.socket, err = openWire(link.Attrs().Index) // after it is up, as in addHosts
	return err
}

// setUpAgent gives the agent's end its addresses and brings it up.
func (w *wire) setUpAgent(agent, prefix6 netip.Prefix) error {
	link, err := netlink.LinkByName(w.name)
	if err != nil {
		return err
	}
	setting("ipv6/conf/"+w.name+"/accept_dad", "0")
	setting("ipv6/conf/"+w.name+"/router_solicitations", "0")
	if err := plainFrames(w.name); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	addresses := []netip.Prefix{agent}
	if prefix6.IsValid() {
		addresses = append(addresses, netip.PrefixFrom(prefix6.Masked().Addr().Next().Next(), prefix6.Bits()))
	}
	for _, a := range addresses {
		own := &netlink.Addr{IPNet: ipNet(a)}
		if a.Addr().Is6() {
			own.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(link, own); err != nil {
			return fmt.Errorf("give %s the address %s: %w", w.name, a, err)
		}
	}
	if w.far.Attrs().Name == "far0" { // as DHCP would: tools that bind to nothing multicast by the default route
		_, everywhere, _ := net.ParseCIDR("0.0.0.0/0")
		gateway := agent.Masked().Addr().Next()
		if err := netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: everywhere, Gw: gateway.AsSlice()}); err != nil {
			return fmt.Errorf("route by %s: %w", gateway, err)
		}
	}
	return nil
}

// carrier waits until the kernel says that the interface is running: it notices a new cable within a second or so.
func carrier(name string) error {
	for range 300 {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if link.Attrs().OperState == netlink.OperUp {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s has no carrier after 3 s", name)
}

// addRoute leads the agent to a network behind a router of the site.
func (s *segment) addRoute(r RoutedSpec) error {
	router, ok := s.run.byName[r.Router]
	if !ok {
		return fmt.Errorf("no router is named %q", r.Router)
	}
	link, err := netlink.LinkByName(s.wires[router.segment].name)
	if err != nil {
		return err
	}
	return netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(r.Prefix.Masked()), Gw: router.Addr().AsSlice()})
}

// begin starts what runs until close.
func (s *segment) begin() {
	for _, l := range s.listeners {
		s.work.Go(func() { s.accept(l) })
	}
	for _, w := range s.wires {
		s.work.Go(w.readFrames)
	}
	s.work.Go(s.readKernel)
}

func (s *segment) plugged(v *voice, in bool) {
	if in {
		s.wires[v.segment].arrive(v)
	}
}

func (s *segment) chatter(v *voice) { s.wires[v.segment].requestLease(v) }

func (s *segment) send(v *voice, d datagram) { s.wires[v.segment].sendDatagram(v, d) }

func (s *segment) inject(index int, frame []byte) error {
	if index < 0 || index >= len(s.wires) {
		return fmt.Errorf("lab: inject: there is no segment %d", index)
	}
	_, err := s.wires[index].socket.Write(frame)
	return err
}

func (s *segment) cable(index int, in bool) error {
	if index < 0 || index >= len(s.wires) {
		return fmt.Errorf("lab: cable: there is no segment %d", index)
	}
	w, change := s.wires[index], netlink.LinkSetDown
	if in {
		change = netlink.LinkSetUp
	}
	if err := s.ns.do(func() error { return change(w.far) }); err != nil {
		return fmt.Errorf("lab: cable of %s: %w", w.name, err)
	}
	if in {
		return carrier(w.name)
	}
	return nil
}

func (s *segment) close() error {
	var problems []error
	for _, l := range s.listeners {
		problems = append(problems, l.Close())
	}
	for _, w := range s.wires {
		problems = append(problems, w.socket.Close())
		if link, err := netlink.LinkByName(w.name); err == nil {
			problems = append(problems, netlink.LinkDel(link))
		}
	}
	if s.kernel != nil {
		problems = append(problems, s.kernel.Close())
	}
	s.work.Wait()
	return errors.Join(append(problems, s.ns.close())...)
}
