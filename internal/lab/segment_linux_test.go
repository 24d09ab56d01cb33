package lab_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/pcapgo"

	"camcensus/internal/lab"
)

func segment(t *testing.T, name string) *lab.Running {
	t.Helper()
	site, err := lab.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return play(t, site)
}

func play(t *testing.T, site *lab.Site) *lab.Running {
	t.Helper()
	r, err := lab.Segment(context.Background(), lab.SegmentOptions{Site: site})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

// tool runs a program that nobody here wrote.
func tool(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v (make test installs it)", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, arguments...).CombinedOutput()
	if err != nil && ctx.Err() == nil {
		t.Logf("%s: %v", name, err)
	}
	return string(out)
}

func TestEveryDeviceAnswersARPFromItsOwnMAC(t *testing.T) {
	r := segment(t, "sixty")
	out := tool(t, "arp-scan", "--interface=cam0", "--plain", "--retry=1", "--interval=1", "10.77.0.0/24")
	for _, d := range r.Site.Devices {
		if !strings.Contains(out, d.Addr().String()+"\t"+d.HardwareAddr().String()) {
			t.Errorf("arp-scan lacks %s: %s at %s", d.Name, d.Addr(), d.HardwareAddr())
		}
	}
	if n := strings.Count(strings.TrimSpace(out), "\n") + 1; n != len(r.Site.Devices) {
		t.Errorf("arp-scan lists %d hosts, want %d", n, len(r.Site.Devices))
	}
}

func TestCamerasAnswerOtherToolsThanOurs(t *testing.T) {
	r := segment(t, "sixty")
	for _, test := range []struct {
		tool      string
		arguments []string
		has       []string
	}{
		{"onvif-util", []string{"-a"}, []string{"(HIKVISION DS-2CD2143G2-I)", "(LTS CMIP9342-28)", "(ANNKE I91BL)", "(Dahua IPC-HFW2831S-S-S2)", "(AXIS P3245-LVE)", "(TP-IPC MODEL)"}},
		{"gssdp-discover", []string{"-i", "cam0", "--timeout=2"}, []string{"uuid:Upnp-BasicDevice-1_0-", "uuid:device_3_0-AMC"}},
		{"nmap", []string{"-n", "-e", "cam0", "-p", "80,443,554,8000", "10.77.0.10"}, []string{"80/tcp   open", "554/tcp  open", "8000/tcp open", "Hangzhou Hikvision"}},
		{"nmap", []string{"-n", "-e", "cam0", "--script", "broadcast-dns-service-discovery"}, []string{"axis-video", "ipp"}},
		{"curl", []string{"-sik", "https://10.77.0.10/ISAPI/System/deviceInfo"}, []string{"HTTP/1.1 401", `realm="IP Camera(C1214)"`}},
		{"ping", []string{"-c1", "-W1", "10.77.0.10"}, []string{"1 received"}},
		{"ping", []string{"-6", "-c2", "-W1", "ff02::1%cam0"}, []string{"bytes from fe80::"}},
	} {
		t.Run(test.tool, func(t *testing.T) {
			out := tool(t, test.tool, test.arguments...)
			for _, want := range test.has {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in\n%s", want, out)
				}
			}
		})
	}
	var file bytes.Buffer
	if err := r.WritePcap(&file); err != nil {
		t.Fatal(err)
	}
	if _, err := pcapgo.NewReader(&file); err != nil {
		t.Errorf("the capture cannot be read: %v", err)
	}
}

func TestCaptureTellsWhatTheAgentSent(t *testing.T) {
	r := segment(t, "sixty")
	hall, _ := r.Site.Device("hall")
	r.Forget()
	res, err := http.Get("http://" + hall.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	var requests, syns int
	for _, f := range r.Captured() {
		switch {
		case f.EtherType == 0x0806 && f.Dst == hall.Addr():
			requests++
		case f.Protocol == 6 && f.TCPFlags == 2 && f.DstPort == 80:
			syns++
			if f.DstMAC.String() != hall.HardwareAddr().String() {
				t.Errorf("the SYN goes to %s, want %s", f.DstMAC, hall.HardwareAddr())
			}
		}
		if !f.Sent || f.Time.IsZero() || f.Interface != "cam0" {
			t.Errorf("a frame of the agent reads %+v", f)
		}
	}
	if requests != 1 || syns != 1 {
		t.Errorf("%d ARP requests and %d SYNs, want 1 and 1", requests, syns)
	}
}

func TestUnpluggedDeviceIsSilent(t *testing.T) {
	r := segment(t, "sixty")
	hall, _ := r.Site.Device("hall")
	if err := r.Unplug("hall"); err != nil {
		t.Fatal(err)
	}
	if out := tool(t, "arp-scan", "--interface=cam0", "--plain", "--retry=1", hall.Addr().String()); strings.Contains(out, hall.HardwareAddr().String()) {
		t.Errorf("an unplugged device answers:\n%s", out)
	}
	if err := r.Plug("hall"); err != nil {
		t.Fatal(err)
	}
	if out := tool(t, "arp-scan", "--interface=cam0", "--plain", "--retry=1", hall.Addr().String()); !strings.Contains(out, hall.HardwareAddr().String()) {
		t.Errorf("a device that was plugged in again does not answer:\n%s", out)
	}
}

func TestLossLosesThatShareOfTheFrames(t *testing.T) {
	r := segment(t, "sixty")
	r.SetLoss(1)
	if out := tool(t, "arp-scan", "--interface=cam0", "--plain", "--retry=1", "10.77.0.0/26"); out != "" {
		t.Errorf("everything is lost, and yet there came:\n%s", out)
	}
	r.SetLoss(0)
	if out := tool(t, "arp-scan", "--interface=cam0", "--plain", "--retry=1", "10.77.0.0/26"); out == "" {
		t.Error("nothing is lost any more, and yet nothing came")
	}
}

// faulty is a site of one device with a fault.
func faulty(t *testing.T, faults string) (*lab.Running, *lab.Device) {
	t.Helper()
	site, err := lab.Load(strings.NewReader(fmt.Sprintf("name: faulty\nsegments: [{name: lan, prefix: 10.77.0.0/24}]\ndevices:\n  - {name: odd, kind: hikvision-camera, faults: %s}\n", faults)))
	if err != nil {
		t.Fatal(err)
	}
	return play(t, site), site.Devices[0]
}

func TestFaultsShowOnTheWire(t *testing.T) {
	fetch := func(d *lab.Device, port int) (string, error) {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", d.Addr(), port), time.Second)
		if err != nil {
			return "", err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Second))
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", d.Addr())
		b, err := io.ReadAll(io.LimitReader(c, 1<<20))
		return string(b), err
	}
	for _, test := range []struct {
		faults string
		port   int
		check  func(string, error) bool
	}{
		{"{tcp: silent}", 80, func(b string, err error) bool { return b == "" && err != nil }},
		{"{tcp: resets}", 80, func(b string, err error) bool { return strings.Contains(fmt.Sprint(err), "reset") }},
		{"{tcp: endless}", 80, func(b string, err error) bool { return len(b) == 1<<20 }},
		{"{tcp: malformed}", 80, func(b string, err error) bool { return strings.Contains(b, "\xff\xfe") }},
		{"{slow: 600ms}", 80, func(b string, err error) bool { return err != nil && b != "" }},
		{"{accepts_all: true, tcp: silent}", 4711, func(b string, err error) bool {
			return b == "" && err != nil && !strings.Contains(err.Error(), "refused")
		}},
		{"{}", 4711, func(b string, err error) bool { return strings.Contains(fmt.Sprint(err), "refused") }},
	} {
		t.Run(test.faults, func(t *testing.T) {
			r, d := faulty(t, test.faults)
			if b, err := fetch(d, test.port); !test.check(b, err) {
				for _, f := range r.Frames() {
					t.Logf("%s sent %v %v > %v protocol %d %d > %d flags %x", f.Time.Format("05.000000"), f.Sent, f.Src, f.Dst, f.Protocol, f.SrcPort, f.DstPort, f.TCPFlags)
				}
				t.Errorf("error %v, %d bytes: %.80q", err, len(b), b)
			}
		})
	}
}

func TestSADPAndDHIPAnswerTheirSearchOnly(t *testing.T) {
	r := segment(t, "sixty")
	inquiry := `<?xml version="1.0" encoding="utf-8"?><Probe><Uuid>13A888A9-F1B1-4020-AE9F-05607682D23B</Uuid><Types>inquiry</Types></Probe>`
	got := ask(t, "cam0", "10.77.0.2:0", netip.MustParseAddrPort("239.255.255.250:37020"), inquiry)
	for _, d := range r.Site.Devices {
		_, answered := got[d.Addr()]
		if want := d.UDP["sadp"] != nil; answered != want {
			t.Errorf("%s answers SADP: %v, want %v", d.Name, answered, want)
		}
	}
	if wrong := ask(t, "cam0", "10.77.0.2:0", netip.MustParseAddrPort("239.255.255.250:37020"), strings.Replace(inquiry, "inquiry", "reboot", 1)); len(wrong) > 0 {
		t.Errorf("%d devices answer another command than the inquiry", len(wrong))
	}
	search := "\x20\x00\x00\x00DHIP" + strings.Repeat("\x00", 8) + "\x3b\x00\x00\x00\x00\x00\x00\x00\x3b\x00\x00\x00\x00\x00\x00\x00" + `{"method":"DHDiscover.search","params":{"mac":"","uni":1}}` + "\n"
	lobby, _ := r.Site.Device("lobby")
	answer := ask(t, "cam0", "10.77.0.2:0", netip.MustParseAddrPort("239.255.255.251:37810"), search)[lobby.Addr()]
	if len(answer) < 32 || answer[4:8] != "DHIP" || int(answer[16])|int(answer[17])<<8 != len(answer)-32 || !strings.Contains(answer, lobby.Serial) {
		t.Errorf("DHIP answer: %q", answer)
	}
}
