package inventory

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

const lan = "10.0.0.0/24"

// values lists the values that count for a device.
func (s *site) values(id string) string {
	var out []string
	for _, e := range s.Inventory.Evidence(id) {
		out = append(out, e.Value)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (s *site) want(n int) {
	s.t.Helper()
	if got := len(s.Devices()); got != n {
		var list []string
		for _, d := range s.Devices() {
			list = append(list, fmt.Sprint(d.ID, d.IPs, d.MACs, d.State))
		}
		s.t.Fatalf("%d devices, not %d: %v", got, n, list)
	}
}

func (s *site) device(id string) Device {
	s.t.Helper()
	d, ok := s.Device(id)
	if !ok {
		s.t.Fatalf("no device %s", id)
	}
	return d
}

func TestMoveByDHCPKeepsTheDevice(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA, ev("http", 80, "server", "App-webs/")...).Device
	s.camera(a, policy.Banned)
	s.end(lan)
	if got := s.see("10.0.0.9", macA); got.Device != a || got.New || !got.Changed {
		t.Fatalf("%+v, was %s", got, a)
	}
	s.end(lan)
	s.want(1)
	if d := s.device(a); len(d.IPs) != 1 || d.IPs[0] != "10.0.0.9" {
		t.Errorf("at %v", d.IPs)
	}
	if !slices.Contains(s.told(a), "moved") || s.values(a) != "App-webs/" {
		t.Errorf("events %v, evidence %q", s.told(a), s.values(a))
	}
}

// After a restart the kernel's neighbour table still has the old address.
func TestASightingFromBeforeAMoveMovesNobodyBack(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	s.end(lan)
	before := s.clock.now()
	s.clock.pass(time.Minute)
	s.see("10.0.0.9", macA)
	s.end(lan)
	s.end(lan)
	s.Observe(Observation{Time: before, Source: "neighbor", Interface: "eth0", IP: ip("10.0.0.1"), MAC: mac(macA)})
	if d := s.device(a); len(d.IPs) != 1 || d.IPs[0] != "10.0.0.9" {
		t.Errorf("at %v, events %v", d.IPs, s.told(a))
	}
	s.see("10.0.0.1", macA)
	if d := s.device(a); d.IPs[0] != "10.0.0.1" {
		t.Errorf("moved back, yet at %v", d.IPs)
	}
}

func TestMoveWithinOneCycleIsToldAtItsEnd(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	s.camera(a, policy.Banned)
	s.see("10.0.0.9", macA)
	s.end(lan)
	s.see("10.0.0.9", macA)
	s.end(lan)
	if d := s.device(a); len(d.IPs) != 1 || d.IPs[0] != "10.0.0.9" || !slices.Contains(s.told(a), "moved") {
		t.Errorf("at %v, events %v", d.IPs, s.told(a))
	}
}

func TestReplacedCameraIsANewDevice(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA, ev("http", 80, "server", "App-webs/", "model", "DS-1")...).Device
	s.camera(a, policy.Banned)
	s.end(lan)
	b := s.see("10.0.0.1", macC, ev("http", 80, "server", "Boa")...).Device
	if a == b {
		t.Fatal("the new camera is taken for the old one")
	}
	s.see("10.0.0.1", "", ev("http", 80, "title", "WEB SERVICE")...)
	if got := s.values(b); got != "Boa WEB SERVICE" {
		t.Errorf("the new one has %q", got)
	}
	if got := s.values(a); got != "App-webs/ DS-1" {
		t.Errorf("the old one has %q", got)
	}
	for range 3 {
		s.see("10.0.0.1", macC)
		s.end(lan)
	}
	if d := s.device(a); d.State != Missing || d.Manufacturer != "Hikvision" || len(d.IPs) != 1 {
		t.Errorf("%+v", d)
	}
}

func TestReplacedCameraWithoutMAC(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.9.0.1", "", ev("onvif", 80, "serial", "AAA111222", "manufacturer", "HIKVISION")...).Device
	s.see("10.9.0.1", "", ev("http", 80, "server", "App-webs/")...)
	s.end("10.9.0.0/24")
	s.see("10.9.0.1", "", ev("http", 80, "server", "Boa")...)
	b := s.see("10.9.0.1", "", ev("onvif", 80, "serial", "BBB333444", "manufacturer", "Dahua")...).Device
	if a == b {
		t.Fatal("another serial, yet the same device")
	}
	if got := s.values(b); !strings.Contains(got, "Boa") || strings.Contains(got, "AAA") {
		t.Errorf("the new one has %q", got)
	}
	if got := s.values(a); strings.Contains(got, "Boa") || strings.Contains(got, "BBB") {
		t.Errorf("the old one has %q", got)
	}
	s.want(2)
}

// TestRecorderWithTwoInterfaces: both answer with its serial, or announce it and
// answer as one maker's.
func TestRecorderWithTwoInterfaces(t *testing.T) {
	for _, source := range []string{"isapi", "sadp"} {
		for _, order := range [][2]int{{0, 1}, {1, 0}} {
			s := newSite(t, Options{})
			nics := [2][2]string{{"10.0.0.1", macA}, {"10.0.1.1", macB}}
			var ids []string
			for _, n := range order {
				s.see(nics[n][0], nics[n][1])
				s.see(nics[n][0], nics[n][1], ev("http", 80, "server", "App-webs/")...)
				id := s.see(nics[n][0], nics[n][1], ev(source, 80, "serial", "DS-7608NI0123456789", "model", "DS-7608NI", "mac", nics[n][1])...).Device
				ids = append(ids, id)
			}
			if source == "sadp" {
				s.want(2)
				for _, id := range ids {
					s.Commit(id, fingerprint.Identity{Manufacturer: "Hikvision", Serial: "DS-7608NI0123456789", Reasons: byAnswer}, nil, s.clock.now())
				}
			}
			s.want(1)
			d := s.Devices()[0]
			if len(d.MACs) != 2 || d.MACs[0] != macA || len(d.IPs) != 2 {
				t.Errorf("%+v", d)
			}
			for _, id := range ids {
				if got, ok := s.Device(id); !ok || got.ID != d.ID {
					t.Errorf("%s is lost", id)
				}
			}
		}
	}
}

func TestRoutedSightingJoinsByMACOrSerial(t *testing.T) {
	for name, identity := range map[string][]string{
		"serial":   {"serial", "DS-2CD20123456789"},
		"mac":      {"mac", macA},
		"endpoint": {"epr", "urn:uuid:12345678-1234-4321-aaaa-4419b6102001"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Options{})
			first := s.see("10.9.0.1", "", ev("onvif", 80, identity...)...).Device
			s.camera(first, policy.Banned)
			s.end("10.9.0.0/24")
			x := s.see("10.9.0.7", "", ev("http", 80, "status", "200")...)
			if !x.New {
				t.Fatalf("%+v", x)
			}
			if got := s.see("10.9.0.7", "", ev("onvif", 80, identity...)...); got.Device != first {
				t.Fatalf("%+v, not %s", got, first)
			}
			s.want(1)
			if d, ok := s.Device(x.Device); !ok || d.ID != first {
				t.Error("the merged id no longer leads anywhere")
			}
			if !slices.Contains(s.told(first), "merged") {
				t.Errorf("%v", s.told(first))
			}
		})
	}
}

func TestAddressLearnsItsMAC(t *testing.T) {
	s := newSite(t, Options{})
	x := s.see("10.0.0.1", "", ev("wsd", 0, "type", "NetworkVideoTransmitter")...).Device
	if a := s.see("10.0.0.1", macA).Device; a != x {
		t.Errorf("%s became %s", x, a)
	}
	s.want(1)
	if d := s.device(x); len(d.MACs) != 1 || s.values(x) != "NetworkVideoTransmitter" {
		t.Errorf("%+v %q", d, s.values(x))
	}
}

func TestAddressOfANamedHostLearnsItsMAC(t *testing.T) {
	const endpoint = "urn:uuid:aed1f3a4-f2aa-4f2c-a093-c5619478eaae"
	s := newSite(t, Options{})
	x := s.see("10.0.0.1", "", ev("wsd", 0, "epr", endpoint)...).Device
	if a := s.see("10.0.0.1", macA, ev("arp", 0, "mac", macA)...).Device; a != x {
		t.Errorf("%s became %s", x, a)
	}
	s.want(1)

	// The MAC is known from another address of the host before.
	s = newSite(t, Options{})
	s.see("fe80::1", macA, ev("ndp", 0, "mac", macA)...)
	s.see("10.0.0.1", "", ev("wsd", 0, "epr", endpoint)...)
	s.see("10.0.0.1", macA, ev("arp", 0, "mac", macA)...)
	s.want(1)
}

func TestOneMACWithManyAddressesIsNoIdentity(t *testing.T) {
	s := newSite(t, Options{})
	for round := range 3 {
		for n := range 20 {
			addr := fmt.Sprintf("10.0.0.%d", n+1)
			s.see(addr, macA, ev("arp", 0, "mac", macA)...)
			s.see(addr, macA, ev("http", 80, "server", fmt.Sprintf("web%d", n))...)
		}
		s.end(lan)
		s.want(20)
		for _, d := range s.Devices() {
			if len(d.MACs) != 0 || len(d.IPs) != 1 || strings.Contains(s.values(d.ID), macA) || strings.Count(s.values(d.ID), "web") != 1 {
				t.Fatalf("round %d: %+v has %q", round, d, s.values(d.ID))
			}
		}
	}
}

// TestAHostHeardBesideItsGatewaysFramesIsOneDevice: a socket hears what a router
// passes on, and a tap shows the router's MAC for it.
func TestAHostHeardBesideItsGatewaysFramesIsOneDevice(t *testing.T) {
	for name, order := range map[string][]string{"the socket first": {"", macC}, "the frame first": {macC, ""}, "the socket again": {"", macC, ""}} {
		s := newSite(t, Options{})
		for _, hw := range order {
			for n := range 8 {
				own := fmt.Sprintf("ac:cc:8e:00:00:%02x", n)
				said := ev("mdns", 5353, "mac", own, "host", "axis-"+own)
				if hw != "" {
					said = append(ev("mdns", 5353, "mac", hw), said...) // as the frame's bytes are recorded
				}
				s.see(fmt.Sprintf("10.79.0.%d", 20+n), hw, said...)
				s.clock.pass(time.Millisecond)
			}
		}
		if len(s.Devices()) != 8 {
			t.Errorf("%s: %d devices, there are 8", name, len(s.Devices()))
		}
		for _, d := range s.Devices() {
			if len(d.IPs) != 1 || len(d.MACs) != 1 || strings.Count(s.values(d.ID), "axis-") != strings.Count(s.values(d.ID), "axis-"+d.MACs[0]) {
				t.Errorf("%s: %v %v %q", name, d.IPs, d.MACs, s.values(d.ID))
			}
		}
	}
}

func TestVirtualMACIsNoIdentity(t *testing.T) {
	s := newSite(t, Options{})
	s.see("10.0.0.1", "00:00:5e:00:01:0a")
	s.see("10.0.0.2", "00:00:5e:00:01:0a")
	s.want(2)
}

func TestForwardedPortsAreDevicesOfTheirOwn(t *testing.T) {
	for name, hw := range map[string]string{"routed": "", "connected": macA} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Options{})
			for range 2 {
				a := s.see("10.0.0.1", hw, ev("onvif", 8001, "serial", "CAM00000AAA1")...).Device
				b := s.see("10.0.0.1", hw, ev("onvif", 8002, "serial", "CAM00000BBB2")...).Device
				if a == b {
					t.Fatal("two serials on two ports, one device")
				}
				if got := s.see("10.0.0.1", hw, ev("http", 8002, "server", "x")...).Device; got != b {
					t.Errorf("port 8002 speaks for %s, not %s", got, b)
				}
				if got := s.values(a); strings.Contains(got, "BBB2") || strings.Contains(got, "x") {
					t.Errorf("%q", got)
				}
				s.end(lan)
			}
			s.want(2)
			for _, d := range s.Devices() {
				if len(d.IPs) != 1 || d.IPs[0] != "10.0.0.1" || d.State != Present {
					t.Errorf("%+v", d)
				}
			}
		})
	}
}

func TestWhatARouterForwardsIsADeviceOfItsOwn(t *testing.T) {
	for name, hw := range map[string]string{"routed": "", "connected": macA} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Options{})
			camera := ""
			for round := range 2 {
				router := s.see("10.0.0.1", hw, ev("http", 80, "title", "RouterOS")...).Device
				o := Observation{Time: s.clock.now(), IP: ip("10.0.0.1"), Solicited: true, Behind: true, Evidence: ev("http", 8000, "server", "App-webs/")}
				if hw != "" {
					o.MAC = mac(hw)
				}
				seen := s.Observe(o)
				if seen.Device == router || seen.New != (round == 0) || camera != "" && seen.Device != camera {
					t.Fatalf("round %d: %+v beside the router %s", round, seen, router)
				}
				camera = seen.Device
				if got := s.see("10.0.0.1", hw, ev("isapi", 8000, "serial", "DS-2CD2042WD-I20170101AAWR0001")...).Device; got != camera {
					t.Errorf("round %d: its serial is taken for %s's", round, got)
				}
				if got := s.see("10.0.0.1", hw, ev("http", 80, "server", "mikrotik")...).Device; got != router {
					t.Errorf("round %d: the router's page is taken for %s's", round, got)
				}
				if strings.Contains(s.values(router), "App-webs") || strings.Contains(s.values(camera), "RouterOS") {
					t.Errorf("%q and %q", s.values(router), s.values(camera))
				}
				s.end(lan)
			}
			s.want(2)
		})
	}
}

// What a router forwards is heard only when it is asked, once a day: the cycles
// between, in which its router shows itself, say nothing of it.
func TestWhatIsOnlyHeardWhenAskedIsMissingAfterThatManyQuestions(t *testing.T) {
	s := newSite(t, Options{})
	router := s.see("10.0.0.1", macA).Device
	camera := s.Observe(Observation{Time: s.clock.now(), Source: "sweep", IP: ip("10.0.0.1"), MAC: mac(macA), Solicited: true, Behind: true,
		Evidence: ev("http", 8000, "server", "App-webs/")}).Device
	gone := s.see("10.0.0.2", macB).Device
	for cycle := 1; cycle <= 75; cycle++ {
		s.clock.pass(time.Hour)
		s.see("10.0.0.1", macA)
		s.EndCycle(CycleEnd{Number: cycle, Time: s.clock.now(), Covered: nets(lan), Asked: 24 * time.Hour})
		for device, since := range map[string]int{router: 1000, camera: 72, gone: 4} {
			if got := s.device(device).State; (got == Missing) != (cycle >= since) {
				t.Fatalf("cycle %d: %s is %s", cycle, device, got)
			}
		}
	}
}

func TestIDIsMadeOfTheHardware(t *testing.T) {
	s := newSite(t, Options{})
	o := newSite(t, Options{})
	a, b := s.see("10.0.0.1", macA).Device, o.see("10.7.0.1", macA).Device
	if a != b || len(a) != 15 || !strings.HasPrefix(a, "d-") {
		t.Errorf("%s and %s", a, b)
	}
	if a, b := s.see("10.0.0.2", "").Device, o.see("10.0.0.2", "").Device; a == b {
		t.Error("an address alone gave the same id twice")
	}
	if a, b := s.see("10.0.0.3", "02:00:00:00:00:01").Device, o.see("10.0.0.3", "02:00:00:00:00:01").Device; a == b {
		t.Error("a random MAC gave the same id twice")
	}
}

func TestMergeAndSplitByHand(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := newSite(t, o)
	a := s.see("10.0.0.1", macA, ev("http", 80, "server", "one")...).Device
	b := s.see("10.0.0.2", macB, ev("http", 80, "server", "two")...).Device
	s.camera(a, policy.Banned)
	s.camera(b, policy.Banned)
	kept, err := s.Merge(a, b, "same housing", "alice")
	if err != nil {
		t.Fatal(err)
	}
	s.want(1)
	gone := a
	if kept == a {
		gone = b
	}
	s = reopen(t, s, o)
	s.want(1)
	if m := s.Merges(kept); len(m) != 1 || m[0].Gone != gone {
		t.Fatalf("%+v", m)
	}
	if err := s.Split(gone, "two housings after all", "alice"); err != nil {
		t.Fatal(err)
	}
	s.want(2)
	s = reopen(t, s, o)
	s.want(2)
	if s.see("10.0.0.1", macA).Device != a || s.see("10.0.0.2", macB).Device != b {
		t.Error("the devices are mixed up")
	}
	if s.values(a) != "one" || s.values(b) != "two" {
		t.Errorf("%q %q", s.values(a), s.values(b))
	}
	if d := s.device(b); len(d.MACs) != 1 || d.MACs[0] != macB {
		t.Errorf("%+v", d)
	}
}

func TestEvidenceThatIsNotRepeatedFades(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA, ev("http", 80, "server", "App-webs/", "realm", "IPC")...).Device
	s.see("10.0.0.1", macA, ev("rtsp", 554, "realm", "IP Camera")...)
	s.clock.pass(10 * day)
	s.see("10.0.0.1", macA, ev("http", 80, "server", "nginx")...)
	if got := s.values(a); got != "IP Camera IPC nginx" {
		t.Errorf("at once: %q", got)
	}
	s.clock.pass(31 * day)
	s.see("10.0.0.1", macA, ev("http", 80, "server", "nginx")...)
	if got := s.values(a); got != "IP Camera nginx" {
		t.Errorf("after 30 days: %q (rtsp was not asked again, so it counts)", got)
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	s := newSite(t, Options{})
	var pairs []string
	for n := range 300 {
		pairs = append(pairs, fmt.Sprintf("header.x%03d", n), strings.Repeat("y", 5000))
	}
	a := s.see("10.0.0.1", macA, ev("http", 80, append(pairs, "server", "App-webs/")...)...).Device
	got := s.Inventory.Evidence(a)
	if len(got) > maxItems || !strings.Contains(s.values(a), "App-webs/") {
		t.Errorf("%d items", len(got))
	}
	for _, e := range got {
		if len(e.Value) > maxValue {
			t.Fatalf("a value of %d bytes", len(e.Value))
		}
	}
}

func TestMissingNeedsCoverage(t *testing.T) {
	s := newSite(t, Options{MissingAfter: 3})
	a := s.see("10.0.0.1", macA).Device
	s.camera(a, policy.Banned)
	s.end(lan)
	for range 5 {
		s.end("10.1.0.0/24") // ours was not covered
	}
	s.EndCycle(CycleEnd{Time: s.clock.now(), Covered: nets(lan), Blind: nets(lan)})
	if d := s.device(a); d.State != Present {
		t.Fatal("missing although nobody looked")
	}
	s.end(lan)
	s.end(lan)
	if d := s.device(a); d.State != Present {
		t.Fatal("missing too soon")
	}
	s.end(lan)
	d := s.device(a)
	if d.State != Missing || d.Manufacturer != "Hikvision" || d.Verdicts[0].Verdict != policy.Banned {
		t.Fatalf("%+v", d)
	}
	s.see("10.0.0.1", macA)
	if d := s.device(a); d.State != Present || !d.Returned.IsZero() {
		t.Errorf("%+v", d)
	}
	if got := strings.Join(s.told(a), " "); got != "appeared identified verdict_changed missing returned" {
		t.Error(got)
	}
}

func TestRemovedDeviceReturns(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	s.camera(a, policy.Banned)
	if err := s.Remove(a, "scrapped", "bob"); err != nil {
		t.Fatal(err)
	}
	if d := s.device(a); d.State != Removed || d.Removal == nil || d.Removal.By != "bob" {
		t.Fatalf("%+v", d)
	}
	for range 5 {
		s.end(lan)
	}
	if d := s.device(a); d.State != Removed {
		t.Fatal("removed devices do not go missing")
	}
	s.see("10.0.0.1", macA)
	if d := s.device(a); d.State != Present || d.Removal != nil || d.Returned.IsZero() {
		t.Errorf("%+v", d)
	}
	if events, _, _ := s.Events(t.Context(), EventQuery{Device: a, Event: "returned"}); len(events) != 1 || events[0].From != "removed" {
		t.Errorf("%+v", events)
	}
}

// TestEvidenceOfOneBindingCounts: what a camera behind a router said at its
// former address does not add up with what it says at the new one.
func TestEvidenceOfOneBindingCounts(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.9.0.1", "", ev("onvif", 80, "serial", "CAM2026000001")...).Device
	s.see("10.9.0.1", "", ev("http", 8080, "server", "at the former address")...)
	s.end("10.9.0.0/24")
	s.see("10.9.0.2", "", ev("onvif", 80, "serial", "CAM2026000001")...)
	s.see("10.9.0.2", "", ev("http", 80, "server", "at the new one")...)
	s.end("10.9.0.0/24")
	s.want(1)
	if got := s.values(a); strings.Contains(got, "former") || !strings.Contains(got, "new") {
		t.Errorf("%q counts", got)
	}
}

// TestQuarrelOverAnAddressMovesNobody: two cameras with the factory's address
// on one wire answer in turns for ever.
func TestQuarrelOverAnAddressMovesNobody(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	b := s.see("10.0.0.2", macB).Device
	s.camera(a, policy.Banned)
	s.camera(b, policy.Banned)
	s.end(lan)
	for range 6 {
		for range 3 {
			s.see("10.0.0.64", macA)
			s.see("10.0.0.64", macB)
		}
		s.end(lan)
	}
	s.want(2)
	for _, id := range []string{a, b} {
		moves, _, err := s.Events(t.Context(), EventQuery{Device: id, Event: "moved"})
		if err != nil || len(moves) != 1 {
			t.Errorf("%s moved %d times: %+v %v", id, len(moves), moves, err)
		}
	}
}

// TestReturnFromAbsenceIsNoReturnAfterRemoval: the alert is for removals.
func TestReturnFromAbsenceIsNoReturnAfterRemoval(t *testing.T) {
	s := newSite(t, Options{MissingAfter: 1})
	a := s.see("10.0.0.1", macA).Device
	s.camera(a, policy.Banned)
	s.end(lan)
	s.end(lan)
	if d := s.device(a); d.State != Missing {
		t.Fatalf("%+v", d)
	}
	s.see("10.0.0.1", macA)
	if d := s.device(a); d.State != Present || !d.Returned.IsZero() {
		t.Errorf("%s, returned %v", d.State, d.Returned)
	}
	if events, _, _ := s.Events(t.Context(), EventQuery{Device: a, Event: "returned"}); len(events) != 1 || events[0].From != "missing" {
		t.Errorf("%+v", events)
	}
}

func TestExceptionExpires(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	s.camera(a, policy.Banned)
	for _, bad := range []Exception{
		{Policy: "p", Owner: "o", Reason: "r", By: "a", Expires: s.clock.now()},
		{Owner: "o", Reason: "r", By: "a", Expires: s.clock.now().Add(day)},
		{Policy: "p", Owner: "o", Reason: "r", Expires: s.clock.now().Add(day)},
	} {
		if _, err := s.Except(a, bad); err == nil {
			t.Errorf("accepted %+v", bad)
		}
	}
	if _, err := s.Except(a, Exception{Policy: "ca-hikvision-2025", Owner: "o", Reason: "r", By: "alice", Expires: s.clock.now().Add(day)}); err != nil {
		t.Fatal(err)
	}
	if !s.device(a).Verdicts[0].Excepted {
		t.Error("not excepted")
	}
	s.clock.pass(25 * 3600e9)
	if s.device(a).Verdicts[0].Excepted {
		t.Error("still excepted after its expiry")
	}
	s.Expire()
	if got := s.told(a); got[len(got)-1] != "exception_expired" || len(s.device(a).Exceptions) != 0 {
		t.Error(got)
	}
}

func TestCertificateJoinsAcrossAMove(t *testing.T) {
	const routed = "10.9.0.0/24"
	cert := strings.Repeat("ab", 32)
	s := newSite(t, Options{})
	a := s.see("10.9.0.1", "", ev("tls", 443, "sha256", cert)...).Device
	s.end(routed)
	s.see("10.9.0.5", "", ev("tls", 443, "sha256", cert)...)
	s.want(2)
	s.end(routed)
	s.want(1)
	if d := s.device(a); !slices.Contains(d.IPs, "10.9.0.5") {
		t.Errorf("%v", d.IPs)
	}
}

func TestSharedCertificateJoinsNobody(t *testing.T) {
	const routed = "10.9.0.0/24"
	cert := strings.Repeat("cd", 32)
	s := newSite(t, Options{})
	for n := range 4 {
		s.see(fmt.Sprintf("10.9.0.%d", n+1), "", ev("tls", 443, "sha256", cert)...)
	}
	s.end(routed)
	s.see("10.9.0.9", "", ev("tls", 443, "sha256", cert)...)
	s.end(routed)
	s.want(5)
}

func TestTwoCertificatesOfOneHost(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA, ev("tls", 443, "sha256", strings.Repeat("ab", 32))...).Device
	if b := s.see("10.0.0.1", macA, ev("tls", 8443, "sha256", strings.Repeat("cd", 32))...).Device; b != a {
		t.Error("a host with two certificates became two")
	}
}

// A recorder answers WS-Discovery for its cameras in one datagram: what comes
// first, ARP or the answer, changes nothing.
func TestARecorderAndTheCamerasThatItAnswersForAreDevicesOfTheirOwn(t *testing.T) {
	const own, foreign = "cea94000-fb96-11b3-8260-00408c000001", "cea94000-fb96-11b3-8260-44a642000002"
	arp := func(s *site) { s.see("10.0.0.1", macA) }
	answer := func(hw string) func(*site) {
		return func(s *site) {
			at := s.clock.now()
			for part, uuid := range []string{own, foreign} {
				o := Observation{Time: at, Source: "wsd", Interface: "eth0", Kind: "wsd", IP: ip("10.0.0.1"), Part: part, Evidence: ev("wsd", 3702, "epr", uuid, "scope.hardware", uuid[len(uuid)-1:])}
				if hw != "" {
					o.MAC = mac(hw)
				}
				s.Observe(o)
			}
		}
	}
	heard, captured := answer(""), answer(macA)
	for name, order := range map[string][]func(*site){
		"ARP first": {arp, heard, heard}, "answer first": {heard, arp, heard}, "captured too": {heard, captured, arp, captured, heard},
		"captured first": {captured, heard, arp}, "captured after ARP": {arp, captured, heard},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Options{})
			for range 2 {
				for _, step := range order {
					step(s)
				}
				s.end(lan)
			}
			s.want(2)
			a := s.see("10.0.0.1", macA).Device
			for _, d := range s.Devices() {
				want := "2 " + foreign
				if d.ID == a {
					want = "1 " + own
				}
				if got := s.values(d.ID); got != want {
					t.Errorf("%s: %q", d.ID, got)
				}
			}
		})
	}
}

// A camera names the MAC of its cable and speaks through its Wi-Fi module.
func TestADeviceThatNamesItsOtherMACIsOneDevice(t *testing.T) {
	wsd := ev("wsd", 3702, "epr", "cea94000-fb96-11b3-8260-44a642000002", "mac", "44:a6:42:00:00:02")
	for name, order := range map[string][]string{
		"heard first": {"", macA}, "captured first": {macA, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Options{})
			for _, hw := range order {
				s.see("10.0.0.1", hw, wsd...)
				s.see("10.0.0.1", macA)
			}
			s.end(lan)
			s.want(1)
			if d := s.Devices()[0]; !slices.Contains(d.MACs, macA) {
				t.Errorf("%v", d.MACs)
			}
		})
	}
}

// A forger names the MAC of an innocent host: the two stay two.
func TestAForgerThatNamesAnothersMACIsNotThatHost(t *testing.T) {
	forged := ev("sadp", 37020, "serial", "DS-2CD2143G0-I20190414AAWRD33842199", "mac", macC)
	for name, innocentFirst := range map[string]bool{"forger first": false, "innocent first": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Options{})
			innocent := func() { s.see("10.0.0.2", ""); s.see("10.0.0.2", macC, ev("http", 80, "server", "Apache")...) }
			if innocentFirst {
				innocent()
			}
			s.see("10.0.0.1", "", forged...)
			s.see("10.0.0.1", macA, forged...)
			if !innocentFirst {
				innocent()
			}
			s.end(lan)
			a, c := s.see("10.0.0.1", macA).Device, s.see("10.0.0.2", macC).Device
			if a == c {
				t.Fatal("one device")
			}
			if !strings.Contains(s.values(a), "DS-2CD") {
				t.Errorf("the forger said %q", s.values(a))
			}
		})
	}
}

func TestARelativeStoragePathIsReadAndWritten(t *testing.T) {
	t.Chdir(t.TempDir())
	o := Options{Dir: "store", Site: "hq"}
	s := newSite(t, o)
	a := s.see("10.0.0.1", macA).Device
	s.end(lan)
	s = reopen(t, s, o)
	s.device(a)
}
