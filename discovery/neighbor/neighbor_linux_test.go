package neighbor

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/internal/lab"
)

func TestMain(m *testing.M) { lab.Isolate(m) }

func veth(t *testing.T) int {
	t.Helper()
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "left0"}, PeerName: "right0"}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatalf("make a veth pair: %v (needs a network namespace of its own)", err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(link) })
	for _, name := range []string{"left0", "right0"} {
		l, err := netlink.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(l); err != nil {
			t.Fatal(err)
		}
	}
	l, err := netlink.LinkByName("left0")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 66, 0, 2), Mask: net.CIDRMask(24, 32)}}); err != nil {
		t.Fatal(err)
	}
	return l.Attrs().Index
}

// opened is the source, over what interfaces there are.
func opened(t *testing.T, now func() time.Time) discovery.Source {
	t.Helper()
	all, err := discovery.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	scope, err := discovery.NewScope(all, discovery.ScopeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wire := discovery.NewWire(scope, discovery.WireOptions{ListenOnly: true})
	source, err := Protocol.New(discovery.Env{Wire: wire.For(name), Log: zap.NewNop(), Now: now}, Protocol.Settings())
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestTableAndItsChangesAreReported(t *testing.T) {
	index := veth(t)
	source := opened(t, time.Now)
	set := func(ip string, mac net.HardwareAddr, state int) {
		if err := netlink.NeighSet(&netlink.Neigh{LinkIndex: index, Family: netlink.FAMILY_V4, State: state, IP: net.ParseIP(ip), HardwareAddr: mac}); err != nil {
			t.Fatal(err)
		}
	}
	one, two := net.HardwareAddr{2, 1, 1, 1, 1, 1}, net.HardwareAddr{2, 2, 2, 2, 2, 2}
	set("10.66.0.9", one, netlink.NUD_REACHABLE)
	set("10.66.0.10", two, netlink.NUD_FAILED)
	set("10.66.0.12", two, netlink.NUD_PERMANENT) // typed in by somebody: no sign of life

	var mu sync.Mutex
	found := map[netip.Addr]string{}
	sink := func(s discovery.Sighting) {
		mu.Lock()
		defer mu.Unlock()
		found[s.IP] = s.MAC.String()
	}
	if err := source.Ask(t.Context(), discovery.Round{}, sink); err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[netip.MustParseAddr("10.66.0.9")] != one.String() {
		t.Errorf("table: %v", found)
	}
	ctx, stop := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() {
		if err := source.Listen(ctx, sink); err != nil {
			t.Error(err)
		}
	})
	time.Sleep(100 * time.Millisecond)
	set("10.66.0.11", two, netlink.NUD_REACHABLE)
	deadline := time.Now().Add(3 * time.Second)
	heard := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return found[netip.MustParseAddr("10.66.0.11")] == two.String()
	}
	for !heard() && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if !heard() {
		t.Error("the change was not heard")
	}
	stop()
	ended := make(chan struct{})
	go func() { listening.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(3 * time.Second):
		t.Error("Listen did not end")
	}
}

// TestANeighbourWasSeenWhenItProvedItself: the kernel takes one for reachable
// long after its last word.
func TestANeighbourWasSeenWhenItProvedItself(t *testing.T) {
	index := veth(t)
	noon := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	source := opened(t, func() time.Time { return noon })
	if err := netlink.NeighSet(&netlink.Neigh{LinkIndex: index, Family: netlink.FAMILY_V4, State: netlink.NUD_REACHABLE,
		IP: net.IPv4(10, 66, 0, 9), HardwareAddr: net.HardwareAddr{2, 1, 1, 1, 1, 1}}); err != nil {
		t.Fatal(err)
	}
	const silent = 300 * time.Millisecond
	time.Sleep(silent)
	seen := 0
	if err := source.Ask(t.Context(), discovery.Round{}, func(s discovery.Sighting) {
		if seen++; noon.Sub(s.Time) < silent-5*tick {
			t.Errorf("%s was seen %s ago, and was silent for %s", s.IP, noon.Sub(s.Time), silent)
		}
	}); err != nil || seen != 1 {
		t.Errorf("%d seen, %v", seen, err)
	}
}

// TestAnOldProofIsToldOnce: an entry that stays in the table is no new sign of
// its host, whatever its state.
func TestAnOldProofIsToldOnce(t *testing.T) {
	index := veth(t)
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	source := opened(t, func() time.Time { return now })
	set := func(last byte, state int) {
		t.Helper()
		if err := netlink.NeighSet(&netlink.Neigh{LinkIndex: index, Family: netlink.FAMILY_V4, State: state,
			IP: net.IPv4(10, 66, 0, last), HardwareAddr: net.HardwareAddr{2, 1, 1, 1, 1, last}}); err != nil {
			t.Fatal(err)
		}
	}
	asked := func() (seen []netip.Addr) {
		t.Helper()
		if err := source.Ask(t.Context(), discovery.Round{}, func(s discovery.Sighting) { seen = append(seen, s.IP) }); err != nil {
			t.Fatal(err)
		}
		return seen
	}
	set(9, netlink.NUD_REACHABLE)
	set(10, netlink.NUD_STALE)
	if seen := asked(); len(seen) != 2 {
		t.Errorf("%v seen, want both", seen)
	}
	if seen := asked(); len(seen) != 0 {
		t.Errorf("%v seen again without a new proof", seen)
	}
	now = now.Add(time.Minute)
	set(9, netlink.NUD_REACHABLE)
	if seen := asked(); !slices.Contains(seen, netip.MustParseAddr("10.66.0.9")) {
		t.Errorf("%v seen, without the one that proved itself again", seen)
	}
}
