package agent

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/internal/config"
	"camcensus/internal/inventory"
)

// idle is an agent that sends nothing, with one network on lo.
func idle(t *testing.T, record func(string, discovery.Record)) *Agent {
	t.Helper()
	c := config.Default()
	c.Mode, c.Interfaces, c.Networks = config.ModeListen, []string{"lo"}, []config.Network{"127.0.7.0/24"}
	a, err := New(t.Context(), Options{Config: c, Log: zap.NewNop(), Record: record})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// TestARoutersOwnRTSPIsNoCameraBehindIt: routers pass streams on or receive
// television, and say so on a camera's port.
func TestARoutersOwnRTSPIsNoCameraBehindIt(t *testing.T) {
	a := idle(t, nil)
	router := a.inventory.Observe(inventory.Observation{Time: time.Now(), Source: "http", IP: netip.MustParseAddr("10.0.0.1"), Solicited: true,
		Evidence: []fingerprint.Evidence{{Source: "http", Port: 80, Field: "title", Value: "RouterOS router configuration page", Seen: time.Now(), Solicited: true}}}).Device
	a.assess(router)
	if d, _ := a.inventory.Device(router); d.Class != fingerprint.ClassNetwork {
		t.Fatalf("the router is %s", d.Class)
	}
	const options = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n"
	for name, c := range map[string]struct {
		kind, raw string
		another   bool
	}{
		"takes nothing":        {"rtsp", "RTSP/1.0 405 Method Not Allowed\r\nCSeq: 1\r\n\r\n", false},
		"has no stream":        {"rtsp", options + "RTSP/1.0 404 Not Found\r\nCSeq: 2\r\n\r\n", false},
		"asks for a login":     {"rtsp", options + "RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\nWWW-Authenticate: Digest realm=\"streaming_server\", nonce=\"00\"\r\n\r\n", true},
		"describes a stream":   {"rtsp", options + "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Type: application/sdp\r\nContent-Length: 28\r\n\r\nv=0\r\nm=video 0 RTP/AVP 96\r\n", true},
		"a maker's own server": {"rtsp", "RTSP/1.0 404 Not Found\r\nCSeq: 1\r\nServer: Hipcam RealServer/V1.0\r\n\r\n", true},
		"a camera's page":      {"http", "HTTP/1.1 200 OK\r\nServer: App-webs/\r\n\r\n", true},
	} {
		answer := a.judge().parsers.Evidence(discovery.Record{Kind: c.kind, Port: 554, Path: "/", Raw: c.raw})
		if got := a.ofAnother(router, answer); got != c.another {
			t.Errorf("%s: another's %v", name, got)
		}
	}
}

// TestTheHolderOfAnAddressIsAskedForItself: of two that claim an address the
// one that frames reach is asked, and by what is known of it.
func TestTheHolderOfAnAddressIsAskedForItself(t *testing.T) {
	a := idle(t, nil)
	ip := netip.MustParseAddr("10.0.0.9")
	one, two, three := net.HardwareAddr{0x44, 0x19, 0xb6, 0, 0, 1}, net.HardwareAddr{0xac, 0xcc, 0x8e, 0, 0, 2}, net.HardwareAddr{0xac, 0xcc, 0x8e, 0, 0, 3}
	device := map[string]string{}
	for _, mac := range []net.HardwareAddr{one, two} {
		device[mac.String()] = a.inventory.Observe(inventory.Observation{Time: time.Now(), Source: "arp", IP: ip, MAC: mac}).Device
	}
	h := &host{addr: ip, tenant: tenant{mac: one, device: device[one.String()]}}
	for _, holder := range []net.HardwareAddr{two, one, three, two} {
		a.turnTo(h, holder)
		if h.device != device[holder.String()] {
			t.Errorf("%s holds the address; asked is %q, want %q", holder, h.device, device[holder.String()])
		}
		if holder.String() == three.String() && h.asked != nil {
			t.Error("a host never seen was asked before")
		}
	}
}
