package discovery

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func lan(name string, index int, prefixes ...string) Interface {
	i := Interface{Name: name, Index: index, MAC: net.HardwareAddr{2, 0, 0, 0, 0, byte(index)}, Up: true, Running: true, Broadcast: true, Multicast: true, MTU: 1500}
	for _, p := range prefixes {
		i.Prefixes = append(i.Prefixes, netip.MustParsePrefix(p))
	}
	return i
}

func machine() []Interface {
	lo := lan("lo", 1, "127.0.0.1/8", "::1/128")
	lo.Loopback, lo.Broadcast, lo.MAC = true, false, nil
	tun := lan("tun0", 4, "10.8.0.2/24")
	tun.PointToPoint, tun.Broadcast = true, false
	docker := lan("docker0", 5, "172.17.0.1/16")
	docker.Virtual = virtualName(docker.Name)
	bridge := lan("br-0a1b2c3d4e5f", 6, "172.18.0.1/24")
	bridge.Virtual = virtualName(bridge.Name)
	down := lan("eth9", 9, "10.99.0.2/24")
	down.Up = false
	return []Interface{
		lo, lan("eth0", 2, "10.20.0.2/24", "fe80::2/64", "fd00:20::2/64"), lan("eth1", 3, "10.64.0.2/16", "203.0.113.9/24", "fe80::3/64"),
		tun, docker, bridge, down,
	}
}

func TestScopeTakesWhatIsOursAndNamesTheRest(t *testing.T) {
	tests := []struct {
		name     string
		options  ScopeOptions
		networks []string // prefix, or prefix@interface when connected
		refused  []string // part of "network: reason"
	}{
		{
			"the default", ScopeOptions{},
			[]string{"10.20.0.0/24@eth0", "fe80::/64@eth0", "fd00:20::/64@eth0"},
			[]string{"10.64.0.0/16: larger than /20", "203.0.113.0/24: public", "10.8.0.0/24: point-to-point", "172.17.0.0/16: bridge", "172.18.0.0/24: bridge"},
		},
		{"a routed network beside them", ScopeOptions{Networks: []string{"connected", "10.30.0.0/22"}}, []string{"10.20.0.0/24@eth0", "fe80::/64@eth0", "fd00:20::/64@eth0", "10.30.0.0/22"}, nil},
		{"a routed network alone", ScopeOptions{Networks: []string{"10.30.0.0/22"}}, []string{"10.30.0.0/22"}, nil},
		{"a large connected one when named", ScopeOptions{Networks: []string{"10.64.0.0/16"}}, []string{"10.64.0.0/16@eth1"}, nil},
		{"a part of a connected one", ScopeOptions{Networks: []string{"10.20.0.16/28"}}, []string{"10.20.0.16/28@eth0"}, nil},
		{"one address", ScopeOptions{Networks: []string{"10.20.0.9"}}, []string{"10.20.0.9/32@eth0"}, nil},
		{"host bits are no mistake", ScopeOptions{Networks: []string{"10.30.0.77/22"}}, []string{"10.30.0.0/22"}, nil},
		{"a prefix around a connected one", ScopeOptions{Networks: []string{"10.16.0.0/12"}}, []string{"10.20.0.0/24@eth0", "10.16.0.0/12"}, nil},
		{"a bridge of containers when named", ScopeOptions{Networks: []string{"172.18.0.0/24"}}, []string{"172.18.0.0/24@br-0a1b2c3d4e5f"}, nil},
		{"behind a tunnel", ScopeOptions{Networks: []string{"10.8.0.0/24"}}, []string{"10.8.0.0/24"}, nil},
		{"loopback when named", ScopeOptions{Interfaces: []string{"lo"}, Networks: []string{"127.77.0.0/24"}}, []string{"127.77.0.0/24@lo"}, nil},
		{"one interface", ScopeOptions{Interfaces: []string{"eth1"}}, nil, []string{"10.20.0.0/24: on eth0, which is not among the interfaces"}},
		{"an interface that is not there yet", ScopeOptions{Interfaces: []string{"eth0", "eth7"}}, []string{"10.20.0.0/24@eth0", "fe80::/64@eth0", "fd00:20::/64@eth0"}, []string{"eth7: no such interface now"}},
		{"an interface that is down", ScopeOptions{Interfaces: []string{"eth9"}}, nil, []string{"eth9: the interface is down"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := NewScope(machine(), tt.options)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range s.Networks {
				text := n.Prefix.String()
				if n.Connected {
					text += "@" + n.Interface
				}
				got = append(got, text)
			}
			slices.Sort(got)
			slices.Sort(tt.networks)
			if !slices.Equal(got, tt.networks) {
				t.Errorf("networks %v, want %v", got, tt.networks)
			}
			for _, want := range tt.refused {
				if !slices.ContainsFunc(s.NotInScope, func(n NotInScope) bool { return strings.HasPrefix(n.Network+": "+n.Reason, want) }) {
					t.Errorf("%q is not among %v", want, s.NotInScope)
				}
			}
		})
	}
}

func TestScopeRefusesMistakes(t *testing.T) {
	tests := []struct {
		name    string
		options ScopeOptions
		want    string
	}{
		{"no network", ScopeOptions{Networks: []string{"office"}}, `network "office"`},
		{"a group", ScopeOptions{Networks: []string{"239.0.0.0/8"}}, "not a network of hosts"},
		{"the whole Internet", ScopeOptions{Networks: []string{"0.0.0.0/0"}}, "not a network"},
		{"too wide", ScopeOptions{Networks: []string{"10.0.0.0/7"}}, "wider than /8"},
		{"loopback unnamed", ScopeOptions{Networks: []string{"127.77.0.0/24"}}, "needs interfaces: [lo]"},
		{"no exclusion", ScopeOptions{Exclude: []Exclusion{{Match: "10.0.0"}}}, `exclude "10.0.0"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewScope(machine(), tt.options); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestExclusionsWin(t *testing.T) {
	s, err := NewScope(machine(), ScopeOptions{Exclude: []Exclusion{
		{Match: "10.20.0.5"}, {Match: "10.20.0.64/28", Reason: "X-ray room", By: "safety"}, {Match: "00:11:22:33:44:55"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Learn(netip.MustParseAddr("10.20.0.99"), net.HardwareAddr{0, 0x11, 0x22, 0x33, 0x44, 0x55})
	for ip, want := range map[string]bool{
		"10.20.0.4": false, "10.20.0.5": true, "10.20.0.63": false, "10.20.0.64": true, "10.20.0.79": true, "10.20.0.80": false,
		"10.20.0.99": true, "::ffff:10.20.0.5": true, "fe80::211:22ff:fe33:4455": true, "fe80::211:22ff:fe33:4456": false,
	} {
		if why, yes := s.Excluded(netip.MustParseAddr(ip)); yes != want {
			t.Errorf("%s excluded: %v (%s), want %v", ip, yes, why, want)
		}
	}
	if why, _ := s.Excluded(netip.MustParseAddr("10.20.0.70")); !strings.Contains(why, "X-ray room") {
		t.Errorf("reason %q", why)
	}
	if _, yes := s.ExcludedMAC(net.HardwareAddr{0, 0x11, 0x22, 0x33, 0x44, 0x55}); !yes {
		t.Error("the MAC is not excluded")
	}
}

func TestAClaimedAddressIsFreeWhenTheExcludedMACFellSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scope := func() *Scope {
			s, err := NewScope(machine(), ScopeOptions{Exclude: []Exclusion{{Match: "10.20.0.5"}, {Match: "00:11:22:33:44:55"}}})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		excluded, camera := net.HardwareAddr{0, 0x11, 0x22, 0x33, 0x44, 0x55}, net.HardwareAddr{0, 0x11, 0x22, 0x33, 0x44, 0x56}
		ip := netip.MustParseAddr("10.20.0.98")
		s := scope()
		holds := func(when string, s *Scope, want bool) {
			t.Helper()
			if _, yes := s.Excluded(ip); yes != want || s.Claimed(ip) != want {
				t.Errorf("%s: excluded %v, claimed %v, want %v", when, yes, s.Claimed(ip), want)
			}
		}
		s.Learn(ip, camera)
		holds("before", s, false)
		s.Learn(ip, excluded)
		s.Learn(ip, camera) // both at the same time: who holds it is open
		holds("claimed by both", s, true)
		time.Sleep(claimHolds - time.Second)
		s.Learn(ip, camera)
		holds("a little less than an hour later", s, true)
		w := NewWire(s, WireOptions{})
		w.Learn(ip, camera)
		reloaded := scope()
		w.SetScope(reloaded)
		holds("in the scope after a reload", reloaded, true)
		time.Sleep(time.Second)
		s.Learn(ip, camera)
		holds("an hour later", s, false)
		s.Learn(netip.MustParseAddr("10.20.0.5"), excluded)
		if s.Claimed(netip.MustParseAddr("10.20.0.5")) {
			t.Error("an address that is excluded itself counts as merely claimed")
		}
	})
}

func TestBroadcastIsTheLastAddress(t *testing.T) {
	for prefix, want := range map[string]string{
		"10.20.0.0/24": "10.20.0.255", "10.20.0.16/28": "10.20.0.31", "10.16.0.0/12": "10.31.255.255", "192.0.2.7/32": "192.0.2.7", "10.20.4.0/22": "10.20.7.255",
	} {
		if got := Broadcast(netip.MustParsePrefix(prefix)); got.String() != want {
			t.Errorf("%s: %s, want %s", prefix, got, want)
		}
	}
}

// TestWhatIsLearntWhileTheScopeChangesHolds: the interfaces may change at the
// very moment at which an excluded MAC is seen at an address.
func TestWhatIsLearntWhileTheScopeChangesHolds(t *testing.T) {
	excluded := net.HardwareAddr{0x44, 0x19, 0xb6, 1, 2, 3}
	made := func() *Scope {
		s, err := NewScope(machine(), ScopeOptions{Networks: []string{"10.64.0.0/16"}, Exclude: []Exclusion{{Match: excluded.String()}}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	w := NewWire(made(), WireOptions{})
	var changes sync.WaitGroup
	done := make(chan struct{})
	changes.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				w.SetScope(made())
			}
		}
	})
	first := netip.MustParseAddr("10.64.1.0")
	ip := first
	for range 5000 {
		w.Note(ip, excluded) // a router's table has it
		ip = ip.Next()
	}
	close(done)
	changes.Wait()
	for lost := 0; first != ip; first = first.Next() {
		if _, yes := w.Scope().Excluded(first); !yes {
			if lost++; lost == 1 {
				t.Errorf("%s may be asked, though %s was seen there", first, excluded)
			}
		}
	}
}
