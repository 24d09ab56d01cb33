//go:build linux

package exchange_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"camcensus/discovery"
	"camcensus/discovery/wsd"
)

var messageID = regexp.MustCompile(`MessageID>(?:urn:)?uuid:([^<]+)<`)

// echoing answers a probe with an envelope that relates to it.
func echoing(envelope []byte) func([]byte) []byte {
	return func(request []byte) []byte {
		id := messageID.FindSubmatch(request)
		if id == nil {
			return nil
		}
		return regexp.MustCompile(`(RelatesTo>)[^<]*`).ReplaceAll(envelope, append([]byte("${1}urn:uuid:"), id[1]...))
	}
}

func ask(t *testing.T, p discovery.Protocol, w *discovery.Wire) *catch {
	t.Helper()
	var found catch
	if err := source(t, p, w).Ask(context.Background(), discovery.Round{}, found.sink); err != nil {
		t.Fatal(err)
	}
	return &found
}

func TestIPv6IsAskedByItsGroup(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "10.77.0.24/24")
	far.speak(t, "cam0", speaker{ip: "10.77.0.24", port: 3702, groups: []string{"ff02::c"}, answer: echoing(fixture(t, "wsd", "axis_probematch.xml"))})
	found := ask(t, wsd.Protocol, newWire(t))
	seen := found.of("wsd", "")
	if len(seen) != 1 || !seen[0].IP.IsLinkLocalUnicast() || seen[0].Interface != "cam0" {
		t.Fatalf("found %+v", seen)
	}
}

func TestAnswersFromAForeignSubnetKeepTheirAddress(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "192.168.1.64/24", "10.77.0.9/24")
	far.speak(t, "cam0", speaker{ip: "192.168.1.64", port: 37020, groups: []string{"239.255.255.250"}, answer: func(r []byte) []byte {
		if bytes.Contains(r, []byte(">inquiry<")) {
			return fixture(t, "sadp", "hikvision.xml")
		}
		return nil
	}})
	looseReversePath(t, "cam0")
	found := ask(t, protocol(t, "sadp"), newWire(t))
	if seen := found.of("sadp", "192.168.1.64"); len(seen) != 1 || seen[0].Interface != "cam0" {
		t.Fatalf("found %+v", found.list)
	}
}

func TestSeveralMatchesInOneDatagramAreSeveralSightings(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "10.77.0.24/24")
	one := `<d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:N</a:Address></a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types></d:ProbeMatch>`
	body := `<s:Envelope xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header><a:RelatesTo></a:RelatesTo></s:Header><s:Body><d:ProbeMatches>` +
		strings.Replace(one, "N", "1", 1) + strings.Replace(one, "N", "2", 1) + `</d:ProbeMatches></s:Body></s:Envelope>`
	far.speak(t, "cam0", speaker{ip: "10.77.0.24", port: 3702, groups: []string{"239.255.255.250"}, answer: echoing([]byte(body))})
	if seen := ask(t, wsd.Protocol, newWire(t)).of("wsd", "10.77.0.24"); len(seen) != 2 {
		t.Fatalf("%d sightings", len(seen))
	}
}

func TestUnicastAnswersOfRoutedHostsProveThemselves(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "10.77.0.9/24", "10.88.0.5/29", "10.88.0.3/29")
	route(t, "10.88.0.0/29", "10.77.0.9")
	var mu sync.Mutex
	probes := 0
	answer := echoing(fixture(t, "wsd", "axis_probematch.xml"))
	far.speak(t, "cam0", speaker{ip: "10.88.0.5", port: 3702, answer: func(r []byte) []byte {
		mu.Lock()
		probes++
		mu.Unlock()
		return answer(r)
	}})
	wire := newWire(t, "connected", "10.88.0.0/29")
	found := ask(t, wsd.Protocol, wire)
	// What was sent to its twin is answered from the same address, and proves
	// nothing: both are reported.
	proven, plain := 0, 0
	for _, seen := range found.of("wsd", "10.88.0.5") {
		if seen.Solicited {
			proven++
		} else {
			plain++
		}
		if seen.Interface != "" {
			t.Errorf("a routed host on %q", seen.Interface)
		}
	}
	if proven != 1 || plain != 1 {
		t.Errorf("%d proven and %d plain answers", proven, plain)
	}
	mu.Lock()
	defer mu.Unlock()
	if probes != 4 {
		t.Errorf("%d probes for two addresses", probes)
	}
}

func TestTheMakersSearchesReachRoutedHosts(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "10.77.0.9/24", "10.88.0.2/29", "10.88.0.3/29", "10.88.0.4/29")
	route(t, "10.88.0.0/29", "10.77.0.9")
	uuid := regexp.MustCompile(`<Uuid>[^<]*</Uuid>`)
	hikvision := fixture(t, "sadp", "hikvision.xml")
	foreign := []byte("<Uuid>13A888A9-F1B1-4020-AE9F-05607682D23B</Uuid>")
	sadp := func(token func(request []byte) []byte) func([]byte) []byte {
		return func(request []byte) []byte {
			if !bytes.Contains(request, []byte("<Types>inquiry</Types>")) {
				return nil
			}
			return uuid.ReplaceAll(hikvision, token(request))
		}
	}
	echo := func(request []byte) []byte { // its case may differ
		return []byte(strings.NewReplacer("<uuid>", "<Uuid>", "</uuid>", "</Uuid>").Replace(strings.ToLower(string(uuid.Find(request)))))
	}
	far.speak(t, "cam0", speaker{ip: "10.88.0.2", alone: true, port: 37020, answer: sadp(echo)})
	far.speak(t, "cam0", speaker{ip: "10.88.0.3", alone: true, port: 37020, answer: sadp(func([]byte) []byte { return foreign })})
	far.speak(t, "cam0", speaker{ip: "10.88.0.4", alone: true, port: 37810, answer: func(request []byte) []byte {
		if bytes.Contains(request, []byte("DHDiscover.search")) {
			return fixture(t, "dhip", "dahua.bin")
		}
		return nil
	}})
	wire := newWire(t, "connected", "10.88.0.0/29")
	var found catch
	var asking sync.WaitGroup
	for _, name := range []string{"sadp", "dhip"} {
		asker := source(t, protocol(t, name), wire)
		asking.Go(func() { asker.Ask(context.Background(), discovery.Round{}, found.sink) })
	}
	asking.Wait()
	for _, tt := range []struct {
		protocol, host string
		proven         bool
	}{
		{"sadp", "10.88.0.2", true},  // gave our token back
		{"sadp", "10.88.0.3", false}, // another's: anybody could have sent it
		{"dhip", "10.88.0.4", false}, // the search has no place for a token
	} {
		seen := found.of(tt.protocol, tt.host)
		if len(seen) != 1 || seen[0].Solicited != tt.proven || seen[0].Interface != "" || seen[0].MAC != nil {
			t.Errorf("%s at %s: %d sightings, want one of no interface, proven %v", tt.protocol, tt.host, len(seen), tt.proven)
			for _, one := range seen {
				t.Logf("proven %v on %q: %s", one.Solicited, one.Interface, one.Raw[:min(200, len(one.Raw))])
			}
		}
	}
}

func TestAGroupThatCouldNotBeJoinedIsTriedAgain(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "10.77.0.25/24")
	group := netip.MustParseAddrPort("239.255.255.250:3702")
	jealous, err := net.ListenUDP("udp4", &net.UDPAddr{Port: int(group.Port())}) // shares the port with nobody
	if err != nil {
		t.Fatal(err)
	}
	s := source(t, wsd.Protocol, newWire(t)) // it hears IPv6 as well, where nothing is in the way
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var found catch
	var listening sync.WaitGroup
	listening.Go(func() { s.Listen(ctx, found.sink) })
	state := func() discovery.Status {
		for _, st := range s.Status() {
			if st.Interface == "cam0" {
				return st
			}
		}
		return discovery.Status{Up: true}
	}
	await(t, "the status says why", func() bool { return !state().Up && strings.Contains(state().Reason, "address already in use") })
	jealous.Close()
	await(t, "it is heard", func() bool {
		far.shout(t, "cam0", "10.77.0.25:3702", group.String(), fixture(t, "wsd", "dahua_hello.xml"))
		return len(found.of("wsd", "10.77.0.25")) > 0
	})
	if st := state(); !st.Up {
		t.Errorf("down: %+v", st)
	}
	stop()
	listening.Wait()
}

// await waits for a condition; how long a busy machine takes is no fault.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not in 20 s: %s", what)
}

func TestHelloAndByeAreHeardAtAnyTime(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "10.77.0.25/24")
	s := source(t, wsd.Protocol, newWire(t))
	ctx, stop := context.WithCancel(context.Background())
	var found catch
	var listening sync.WaitGroup
	listening.Go(func() { s.Listen(ctx, found.sink) })
	hello := fixture(t, "wsd", "dahua_hello.xml")
	bye := bytes.ReplaceAll(hello, []byte("Hello"), []byte("Bye"))
	for range 20 {
		for _, message := range [][]byte{hello, bye} {
			far.shout(t, "cam0", "10.77.0.25:3702", "239.255.255.250:3702", message)
		}
		if len(found.of("wsd", "10.77.0.25")) >= 2 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	listening.Wait()
	seen := found.of("wsd", "10.77.0.25")
	// The first Hello may fall before the group was joined: the order is open.
	announced, departed := 0, 0
	for _, one := range seen {
		switch {
		case one.Departed:
			departed++
		case one.Announced:
			announced++
		}
	}
	if announced != 1 || departed != 1 {
		t.Fatalf("%d Hello and %d Bye of %d sightings", announced, departed, len(seen))
	}
	for _, c := range s.Status() {
		if !c.Up {
			t.Errorf("down: %+v", c)
		}
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "10.77.0.25/24")
	wire := newWire(t)
	before := goleak.IgnoreCurrent()
	var running sync.WaitGroup
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	for _, p := range rooms() {
		s := source(t, p, wire)
		var none catch
		running.Go(func() { s.Listen(ctx, none.sink) })
		running.Go(func() { s.Ask(ctx, discovery.Round{}, none.sink) })
	}
	running.Wait()
	goleak.VerifyNone(t, before)
}

func TestListenOnlySendsNothing(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "10.77.0.25/24")
	wire := newWire(t)
	wire.SetListenOnly(true)
	for _, p := range rooms() {
		ask(t, p, wire)
	}
	for _, c := range wire.Counts() {
		if c.Sent > 0 {
			t.Errorf("%s sent %d", c.Source, c.Sent)
		}
	}
}

// shout sends one datagram from a host on the far side.
func (f *farSide) shout(t *testing.T, near, from, to string, message []byte) {
	t.Helper()
	f.do(func() {
		conn := listenReuse(t, "udp4", from)
		defer conn.Close()
		ifi, err := net.InterfaceByName(near + "f")
		if err == nil {
			err = leaveBy(conn, ifi)
		}
		if err == nil {
			_, err = conn.WriteToUDPAddrPort(message, netip.MustParseAddrPort(to))
		}
		if err != nil {
			t.Errorf("shout: %v", err)
		}
	})
}
