package lab_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"camcensus/internal/lab"
)

const probe = `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header><a:Action s:mustUnderstand="1">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action><a:MessageID>uuid:5e6f0f1c-8d4a-4e0e-9a53-2a7d11c0ffee</a:MessageID><a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header><s:Body><d:Probe><d:Types/><d:Scopes/></d:Probe></s:Body></s:Envelope>`

func loopback(t *testing.T) *lab.Running {
	t.Helper()
	site, err := lab.Named("demo")
	if err != nil {
		t.Fatal(err)
	}
	r, err := lab.Loopback(context.Background(), site)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// ask sends a datagram by an interface and returns what comes within a second, by sender.
func ask(t *testing.T, iface, from string, to netip.AddrPort, payload string) map[netip.Addr]string {
	t.Helper()
	c, err := net.ListenPacket("udp4", from)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	i, err := net.InterfaceByName(iface)
	if err != nil {
		t.Fatal(err)
	}
	p := ipv4.NewPacketConn(c)
	if err := p.SetMulticastInterface(i); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteTo([]byte(payload), net.UDPAddrFromAddrPort(to)); err != nil {
		t.Fatal(err)
	}
	answers := map[netip.Addr]string{}
	c.SetReadDeadline(time.Now().Add(time.Second))
	buf := make([]byte, 65536)
	for {
		n, sender, err := c.ReadFrom(buf)
		if err != nil {
			return answers
		}
		answers[netip.MustParseAddrPort(sender.String()).Addr()] = string(buf[:n])
	}
}

func TestLoopbackAnswersMulticastFromEachDevicesOwnAddress(t *testing.T) {
	r := loopback(t)
	got := ask(t, "lo", "127.0.0.1:0", netip.MustParseAddrPort("239.255.255.250:3702"), probe)
	for _, d := range r.Site.Devices {
		answer, answered := got[d.Addr()]
		expected := d.WSD != nil && strings.Contains(strings.Join(d.WSD.Answers, " "), "untyped") && d.PlugAfter == 0
		if answered != expected && !strings.Contains(answer, "Fault") {
			t.Errorf("%s (%s): answered %v, want %v", d.Name, d.Addr(), answered, expected)
		}
	}
	hall, _ := r.Site.Device("hall")
	if answer := got[hall.Addr()]; !strings.Contains(answer, "http://"+hall.Addr().String()+":8080/onvif/device_service") {
		t.Errorf("XAddrs do not announce the unprivileged port:\n%s", answer)
	}
}

func TestLoopbackAnswersNobodyOutsideOf127(t *testing.T) {
	loopback(t)
	site, err := lab.Named("sixty")
	if err != nil {
		t.Fatal(err)
	}
	r, err := lab.Segment(context.Background(), lab.SegmentOptions{Site: site})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for address := range ask(t, "lo", "10.77.0.2:0", netip.MustParseAddrPort("239.255.255.250:3702"), probe) {
		if address.IsLoopback() {
			t.Errorf("%s answered a sender outside of 127/8", address)
		}
	}
}

func TestLoopbackServesWebTLSAndStreamOnUnprivilegedPorts(t *testing.T) {
	r := loopback(t)
	hall, _ := r.Site.Device("hall")
	insecure := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: 5 * time.Second}
	for _, url := range []string{"http://" + hall.Addr().String() + ":8080/", "https://" + hall.Addr().String() + ":8443/"} {
		res, err := insecure.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.Header.Get("Server") != "App-webs/" || !strings.Contains(string(body), "/doc/page/login.asp") {
			t.Errorf("%s: %v, server %q, body %.100q", url, err, res.Header.Get("Server"), body)
		}
	}
	c, err := net.Dial("tcp", hall.Addr().String()+":8554")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "DESCRIBE rtsp://127.77.0.10:8554/ RTSP/1.0\r\nCSeq: 7\r\nConnection: close\r\n\r\n")
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "RTSP/1.0 401 Unauthorized\r\nCSeq: 7\r\n") || !strings.Contains(string(answer), `realm="IP Camera(C1214)"`) {
		t.Errorf("rtsp: %v\n%s", err, answer)
	}
}

func TestUnpluggedDeviceOnLoopbackIsGoneUntilPluggedIn(t *testing.T) {
	r := loopback(t)
	hall, _ := r.Site.Device("hall")
	at := hall.Addr().String() + ":8080"
	reach := func() bool {
		c, err := net.DialTimeout("tcp", at, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	for _, step := range []struct {
		do   func(string) error
		want bool
	}{{r.Unplug, false}, {r.Plug, true}, {r.Plug, true}, {r.Unplug, false}} {
		if err := step.do("hall"); err != nil {
			t.Fatal(err)
		}
		if got := reach(); got != step.want {
			t.Fatalf("reachable: %v, want %v", got, step.want)
		}
	}
	if err := r.Plug("nobody"); err == nil {
		t.Error("plugged in a device that does not exist")
	}
}
