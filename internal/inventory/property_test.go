package inventory

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// host is one device of a random history: what is true, against which the
// inventory's memory is held.
type host struct {
	macs   []string
	serial string
	ips    []string // one per interface
	on     bool
	seen   bool
}

// world is a random site.
type world struct {
	t     *rapid.T
	s     *site
	hosts []*host
	used  map[string]bool // addresses taken now
	lies  bool
	next  int
	rng   *rand.Rand
}

func (w *world) address() string {
	for {
		a := fmt.Sprintf("10.0.0.%d", rapid.IntRange(1, 60).Draw(w.t, "host part"))
		if !w.used[a] {
			w.used[a] = true
			return a
		}
	}
}

func (w *world) add(interfaces int) {
	h := &host{on: true, serial: fmt.Sprintf("DS-7608NI2026%06d", w.next)}
	for range interfaces {
		h.macs = append(h.macs, fmt.Sprintf("44:19:b6:00:%02x:%02x", w.next>>8, w.next&255))
		h.ips = append(h.ips, w.address())
		w.next++
	}
	w.hosts = append(w.hosts, h)
}

// step changes the site as sites do.
func (w *world) step() {
	h := w.hosts[rapid.IntRange(0, len(w.hosts)-1).Draw(w.t, "host")]
	n := rapid.IntRange(0, len(h.ips)-1).Draw(w.t, "interface")
	switch rapid.SampledFrom([]string{"move", "off", "on", "replace", "swap", "add", "recorder"}).Draw(w.t, "step") {
	case "move":
		delete(w.used, h.ips[n])
		h.ips[n] = w.address()
	case "off":
		h.on = false
	case "on":
		h.on = true
	case "replace": // another device, same address
		h.on = false
		w.add(1)
		fresh := w.hosts[len(w.hosts)-1]
		delete(w.used, fresh.ips[0])
		fresh.ips[0], h.ips[n] = h.ips[n], w.address()
	case "swap":
		o := w.hosts[rapid.IntRange(0, len(w.hosts)-1).Draw(w.t, "other")]
		h.ips[n], o.ips[0] = o.ips[0], h.ips[n]
	case "add":
		w.add(1)
	case "recorder":
		w.add(2)
	}
	if len(w.hosts) > 25 {
		w.hosts = w.hosts[:25]
	}
}

// cycle lets every running host be seen, in random order.
func (w *world) cycle() {
	var list []func()
	for _, h := range w.hosts {
		if !h.on {
			continue
		}
		h.seen = true
		for n := range h.macs {
			list = append(list,
				func() { w.s.see(h.ips[n], h.macs[n], ev("arp", 0, "mac", h.macs[n])...) },
				func() {
					w.s.see(h.ips[n], h.macs[n], ev("isapi", 80, "serial", h.serial, "mac", h.macs[n], "model", "M-"+h.serial)...)
				})
			if w.lies { // one says in another's name that it is this one
				o := w.hosts[w.rng.IntN(len(w.hosts))]
				list = append(list, func() {
					if o.on && o != h {
						w.s.see(o.ips[0], o.macs[0], ev("sadp", 37020, "serial", h.serial)...)
					}
				})
			}
		}
	}
	w.rng.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
	for _, see := range list {
		see()
	}
	w.s.end(lan)
}

// check holds the inventory against the truth: every host that was ever seen
// is one device, and no device has another's evidence.
func (w *world) check() {
	byMAC := map[string]string{}
	for _, d := range w.s.Devices() {
		for _, m := range d.MACs {
			if byMAC[m] != "" {
				w.t.Fatalf("%s is in two devices", m)
			}
			byMAC[m] = d.ID
		}
	}
	owners := map[string]string{}
	seen := 0
	for _, h := range w.hosts {
		if !h.seen {
			continue
		}
		seen++
		id := byMAC[h.macs[0]]
		if id == "" {
			w.t.Fatalf("%v is lost", h)
		}
		for _, m := range h.macs {
			if byMAC[m] != id {
				w.t.Fatalf("%v is counted twice", h)
			}
		}
		if other := owners[id]; other != "" {
			w.t.Fatalf("%s and %s are one device", other, h.serial)
		}
		owners[id] = h.serial
		for _, e := range w.s.Inventory.Evidence(id) {
			if e.Field == "model" && e.Value != "M-"+h.serial {
				w.t.Fatalf("%s has %s's evidence", h.serial, e.Value)
			}
		}
		if d, _ := w.s.Device(id); h.on {
			if got, want := sortedSet(d.IPs), sortedSet(h.ips); got != want {
				w.t.Fatalf("%s is at %s, not %s", h.serial, got, want)
			}
		}
	}
	if got := len(w.s.Devices()); got != seen {
		w.t.Fatalf("%d devices, %d hosts", got, seen)
	}
	if v, _ := w.s.Verify(w.s.t.Context(), "", 0); !v.OK() {
		w.t.Fatalf("%v", v.Faults)
	}
}

func sortedSet(s []string) string {
	s = slices.Clone(s)
	slices.Sort(s)
	return strings.Join(slices.Compact(s), " ")
}

func TestRandomHistories(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := &world{t: r, s: newSite(t, Options{}), used: map[string]bool{}, lies: rapid.Bool().Draw(r, "lies"), rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "order"), 1))}
		for range rapid.IntRange(1, 8).Draw(r, "hosts") {
			w.add(1)
		}
		for range rapid.IntRange(1, 12).Draw(r, "cycles") {
			w.cycle()
			w.cycle() // addresses settle in the second
			w.check()
			for range rapid.IntRange(0, 4).Draw(r, "steps") {
				w.step()
			}
		}
	})
}

// TestOrderWithinACycleDoesNotMatter plays one cycle's observations in two
// orders, routed and unnamed ones among them.
func TestOrderWithinACycleDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(r, "hosts")
		var list []Observation
		for k := range n {
			addr := fmt.Sprintf("10.0.0.%d", k+1)
			routed := rapid.Bool().Draw(r, "routed")
			serial := fmt.Sprintf("CAM2026%06d", k)
			hw := fmt.Sprintf("44:19:b6:00:00:%02x", k)
			for _, one := range [][]fingerprint.Evidence{nil, ev("http", 80, "server", "web"+serial), ev("onvif", 80, "serial", serial)} {
				o := Observation{Time: start, Source: "sweep", IP: ip(addr), Evidence: one}
				if !routed {
					o.MAC = mac(hw)
				}
				list = append(list, o)
			}
			if !routed { // heard without its MAC as well
				list = append(list, Observation{Time: start, Source: "wsd", IP: ip(addr), Evidence: ev("wsd", 0, "type", "t"+serial)})
			}
		}
		want := play(t, list)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "order"), 2))
		rng.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
		if got := play(t, list); got != want {
			r.Fatalf("got\n%s\nin the other order\n%s", got, want)
		}
	})
}

// play shows, without ids, what a cycle came to.
func play(t *testing.T, list []Observation) string {
	s := newSite(t, Options{})
	for _, o := range list {
		s.Observe(o)
	}
	s.end(lan)
	var out []string
	for _, d := range s.Devices() {
		out = append(out, fmt.Sprint(d.IPs, d.MACs, d.Sources, s.values(d.ID)))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// TestSpoofedMulticastMovesNobody: a stranger who claims a camera's serial in
// an unasked datagram neither takes its evidence nor its address.
func TestSpoofedMulticastMovesNobody(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA, ev("http", 80, "server", "App-webs/")...).Device
	s.see("10.0.0.1", macA, ev("sadp", 37020, "serial", "DS-2CD20123456789")...)
	s.see("10.0.0.66", macC, ev("http", 80, "server", "nginx")...)
	s.Observe(Observation{Time: s.clock.now(), Source: "sadp", IP: ip("10.0.0.66"), MAC: mac(macC), Evidence: []fingerprint.Evidence{
		{Source: "sadp", Port: 37020, Field: "mac", Value: macA},
	}})
	s.want(2)
	if got := s.values(a); strings.Contains(got, "nginx") {
		t.Errorf("%q", got)
	}
	if d := s.device(a); len(d.IPs) != 1 || d.IPs[0] != "10.0.0.1" {
		t.Errorf("%v", d.IPs)
	}
}

// TestRandomMACsLeaveNothing is a year of phones: 10,000 random MACs a day.
func TestRandomMACsLeaveNothing(t *testing.T) {
	days, phones := 365, 300
	if raced {
		phones = 60
	}
	if os.Getenv("CAMCENSUS_FULL") != "" {
		phones = 10000
	}
	o := Options{Dir: t.TempDir(), Retention: DefaultRetention}
	s := newSite(t, o)
	var cams []string
	for n := range 20 {
		id := s.see(fmt.Sprintf("10.0.0.%d", n+1), fmt.Sprintf("44:19:b6:00:00:%02x", n), ev("http", 80, "server", "App-webs/")...).Device
		s.camera(id, policy.Banned)
		cams = append(cams, id)
	}
	counts := s.EventCounts()
	began := time.Now()
	for d := range days {
		for n := range phones {
			id := s.Observe(Observation{
				Time: s.clock.now(), Source: "dhcp", Interface: "eth0", IP: ip(fmt.Sprintf("10.%d.%d.%d", 1+n>>16, n>>8&255, n&255)),
				MAC: mac(fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", 2+4*(d&15), d>>4, d&255, n>>16, n>>8&255, n&255)), Hostname: "Annas-iPhone",
				Evidence: []fingerprint.Evidence{{Source: "dhcp", Field: "hostname", Value: "Annas-iPhone"}},
			}).Device
			s.Commit(id, fingerprint.Identity{Class: fingerprint.ClassUnknown}, []policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: policy.Unclassified}}, s.clock.now())
		}
		for n := range cams {
			s.see(fmt.Sprintf("10.0.0.%d", n+1), fmt.Sprintf("44:19:b6:00:00:%02x", n))
		}
		s.end(lan)
		s.clock.pass(day - 15*time.Minute)
	}
	t.Logf("%d days of %d phones took %v", days, phones, time.Since(began).Round(time.Millisecond))
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := len(s.Devices()); got > 3*phones {
		t.Errorf("%d devices are kept", got)
	}
	if fmt.Sprint(s.EventCounts()) != fmt.Sprint(counts) {
		t.Errorf("events %v, before the phones %v", s.EventCounts(), counts)
	}
	for _, id := range cams {
		if d := s.device(id); d.State != Present {
			t.Fatalf("%+v", d)
		}
	}
	s.leavesNoName("Annas-iPhone")
	if size := s.Health().Bytes; size > 64<<20 {
		t.Errorf("the store has %d MB", size>>20)
	}
}
