package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/miekg/dns"

	"camcensus/internal/inventory"
	"camcensus/internal/lab"
)

const hostileConfig = `
site: hostile
interfaces: [cam0]
networks: [10.77.0.0/24]
exclude: [10.77.0.66]
discovery:
  interval: 20s
  sources:
    arp: {rate: 500}
`

// Bounds that hold however the site behaves.
const (
	hostileMemory = 150 << 10 // kB of resident memory
	hostileCycle  = 150 * time.Second
)

// liar puts forged frames on the site's wire.
type liar struct {
	t *testing.T
	r *lab.Running
}

func (l *liar) frame(parts ...gopacket.SerializableLayer) {
	l.t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, parts...); err != nil {
		l.t.Fatal(err)
	}
	if err := l.r.Inject(0, b.Bytes()); err != nil {
		l.t.Fatal(err)
	}
}

// datagram forges a UDP packet to a group.
func (l *liar) datagram(mac net.HardwareAddr, from netip.Addr, port uint16, group string, payload []byte) {
	to := netip.MustParseAddrPort(group)
	dst := net.HardwareAddr{1, 0, 0x5e, 0, 0, 0}
	if a := to.Addr().As4(); a[0] == 255 {
		dst = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	} else {
		copy(dst[3:], a[1:])
		dst[3] &= 0x7f
	}
	ip := &layers.IPv4{Version: 4, TTL: 4, Protocol: layers.IPProtocolUDP, SrcIP: from.AsSlice(), DstIP: to.Addr().AsSlice()}
	udp := &layers.UDP{SrcPort: layers.UDPPort(port), DstPort: layers.UDPPort(to.Port())}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		l.t.Fatal(err)
	}
	l.frame(&layers.Ethernet{SrcMAC: mac, DstMAC: dst, EthernetType: layers.EthernetTypeIPv4}, ip, udp, gopacket.Payload(payload))
}

func (l *liar) arp(mac net.HardwareAddr, ip netip.Addr) {
	l.frame(&layers.Ethernet{SrcMAC: mac, DstMAC: net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{
			AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPRequest,
			SourceHwAddress: mac, SourceProtAddress: ip.AsSlice(), DstHwAddress: make([]byte, 6), DstProtAddress: ip.AsSlice(),
		})
}

func anyMAC() net.HardwareAddr {
	mac := make(net.HardwareAddr, 6)
	for i := range mac {
		mac[i] = byte(rand.UintN(256))
	}
	mac[0] &^= 3
	return mac
}

func anyHost() netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(1 + rand.UintN(254))}) }

const sadpLie = `<?xml version="1.0" encoding="UTF-8"?><ProbeMatch><Uuid>%s</Uuid><Types>inquiry</Types><DeviceType>141945</DeviceType>` +
	`<DeviceDescription>DS-2CD2347G2-LU</DeviceDescription><DeviceSN>DS-2CD2347G2-LU20230412AAWR%09d</DeviceSN><CommandPort>8000</CommandPort><HttpPort>80</HttpPort>` +
	`<MAC>%s</MAC><IPv4Address>%s</IPv4Address><SoftwareVersion>V5.7.12build 230106</SoftwareVersion></ProbeMatch>`

const helloLie = `<?xml version="1.0"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><e:Header><w:MessageID>uuid:%[1]s</w:MessageID><w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To><w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Hello</w:Action></e:Header><e:Body><d:Hello><w:EndpointReference><w:Address>urn:uuid:%[1]s</w:Address></w:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/name/HIKVISION%%20DS-2CD2347G2-LU onvif://www.onvif.org/hardware/DS-2CD2347G2-LU onvif://www.onvif.org/MAC/%[2]s</d:Scopes><d:XAddrs>http://%[3]s/onvif/device_service</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:Hello></e:Body></e:Envelope>`

func anyUUID() string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", rand.Uint32(), rand.Uint64()>>16)
}

// accuse says of every innocent, in its name and from its address, that it is
// a Hikvision camera.
func (l *liar) accuse() {
	for n, d := range l.r.Site.Devices {
		if !d.Truth.Innocent {
			continue
		}
		for _, mac := range []net.HardwareAddr{d.HardwareAddr(), {0x44, 0x19, 0xb6, 0, 0, byte(n)}} {
			named := strings.ReplaceAll(mac.String(), ":", "-")
			l.datagram(mac, d.Addr(), 37020, "239.255.255.250:37020", fmt.Appendf(nil, sadpLie, anyUUID(), n, named, d.Addr()))
			l.datagram(d.HardwareAddr(), d.Addr(), 3702, "239.255.255.250:3702", fmt.Appendf(nil, helloLie, anyUUID(), mac, d.Addr()))
		}
	}
}

// flood says ten thousand Hellos, fifty thousand mDNS instances, and ARP and
// DHCP of hosts that never were.
func (l *liar) flood(share int) {
	for range 10_000 / share {
		l.datagram(anyMAC(), anyHost(), 3702, "239.255.255.250:3702", fmt.Appendf(nil, helloLie, anyUUID(), anyMAC(), anyHost()))
	}
	for n := range 50_000 / 20 / share {
		m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}}
		for k := range 20 {
			instance := fmt.Sprintf("flood-%d-%d-%d._axis-video._tcp.local.", share, n, k)
			m.Answer = append(m.Answer,
				&dns.PTR{Hdr: dns.RR_Header{Name: "_axis-video._tcp.local.", Rrtype: dns.TypePTR, Class: 1, Ttl: 120}, Ptr: instance},
				&dns.SRV{Hdr: dns.RR_Header{Name: instance, Rrtype: dns.TypeSRV, Class: 1, Ttl: 120}, Port: 80, Target: fmt.Sprintf("h%d.local.", n)})
		}
		m.Compress = true
		raw, err := m.Pack()
		if err != nil {
			l.t.Fatal(err)
		}
		l.datagram(anyMAC(), anyHost(), 5353, "224.0.0.251:5353", raw)
	}
	for n := range 50_000 / share {
		ip := anyHost()
		if n%2 == 0 {
			ip = netip.AddrFrom4([4]byte{192, 168, byte(rand.UintN(256)), byte(rand.UintN(256))})
		}
		l.arp(anyMAC(), ip)
	}
	name := bytes.Repeat([]byte("\x1b[31m=cmd|' /C calc'!A0<b>\r\n\xff"), 9)[:250]
	for range 5000 / share {
		mac := anyMAC()
		d := &layers.DHCPv4{Operation: layers.DHCPOpRequest, HardwareType: layers.LinkTypeEthernet, HardwareLen: 6, Xid: rand.Uint32(), ClientHWAddr: mac}
		d.Options = layers.DHCPOptions{
			layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(layers.DHCPMsgTypeRequest)}),
			layers.NewDHCPOption(layers.DHCPOptHostname, name), layers.NewDHCPOption(layers.DHCPOptClassID, name),
		}
		b := gopacket.NewSerializeBuffer()
		if err := d.SerializeTo(b, gopacket.SerializeOptions{FixLengths: true}); err != nil {
			l.t.Fatal(err)
		}
		l.datagram(mac, netip.IPv4Unspecified(), 68, "255.255.255.255:67", b.Bytes())
	}
}

func TestAHostileSiteHarmsNobody(t *testing.T) {
	r := site(t, "hostile")
	l := &liar{t: t, r: r}
	a := startAgent(t, t.TempDir(), hostileConfig)
	begun := time.Now()
	l.accuse()
	l.flood(4)
	a.await("the first cycle", hostileCycle, func() bool {
		v := a.sample("camcensus_cycle_last_completion_timestamp_seconds")
		return v != "" && v != "0"
	})
	t.Logf("the first cycle took %s", time.Since(begun).Round(time.Second))
	first := a.sample("camcensus_cycle_last_completion_timestamp_seconds")
	for range 3 {
		l.accuse()
		l.flood(4)
	}
	a.await("another cycle", hostileCycle, func() bool {
		return a.sample("camcensus_cycle_last_completion_timestamp_seconds") != first
	})
	l.accuse()
	time.Sleep(2 * time.Second)

	t.Logf("%d devices, %s", a.list("").Total, a.memory())
	nobodyAccused(t, r, a.list("verdict=banned&limit=1000").Devices)
	honest, _ := r.Site.Device("hikvision")
	if found := a.list("q=" + honest.HardwareAddr().String()).Devices; len(found) != 1 || verdictOf(found[0], "ca-hikvision-2025") != "banned" {
		t.Errorf("the honest Hikvision camera is not banned under ca-hikvision-2025: %+v", found)
	} else if len(found[0].MACs) != 1 {
		t.Errorf("the honest Hikvision camera has %v", found[0].MACs)
		t.Logf("%s\n%s", a.get("/api/v1/events?device="+found[0].ID), a.get("/api/v1/devices/"+found[0].ID))
	}
	if peak := a.status("VmHWM"); peak > hostileMemory {
		t.Errorf("%d kB of resident memory at its peak, want at most %d", peak, hostileMemory)
	}
	done, err := strconv.Atoi(a.sample("camcensus_cycle_duration_seconds_count"))
	if err != nil {
		t.Fatal(err)
	}
	withinLimits(t, r, done+1)
	cleanPages(t, a)
	if status := a.stop(); status != 0 {
		t.Errorf("exit status %d on SIGTERM", status)
	}
	cleanLog(t, a.log.String())
}

func TestAScanOfAHostileSiteEndsAndPrintsCleanText(t *testing.T) {
	r := site(t, "hostile")
	config := filepath.Join(t.TempDir(), "c.yml")
	if err := os.WriteFile(config, []byte(hostileConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"table", "csv"} {
		res := camcensus(t, nil, "scan", "--config.file", config, "--format", format)
		if res.status != 0 {
			t.Errorf("--format %s: exit status %d: %s", format, res.status, tail(res.err, 2000))
		}
		if res.took > hostileCycle {
			t.Errorf("--format %s took %s", format, res.took)
		}
		if format == "csv" {
			cleanCSV(t, res.out)
		}
		cleanText(t, "the "+format, res.out)
		cleanText(t, "the log", res.err)
	}
	withinLimits(t, r, 2)
}

// deviceList is a page of /api/v1/devices.
type deviceList struct {
	Devices []inventory.Device
	Total   int
}

func (a *agentProcess) list(query string) (l deviceList) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.get("/api/v1/devices?"+query)), &l); err != nil {
		a.t.Fatalf("/api/v1/devices?%s: %v", query, err)
	}
	return l
}

// nobodyAccused: whatever was said of the innocents, nothing they answered is
// a listed maker's.
func nobodyAccused(t *testing.T, r *lab.Running, devices []inventory.Device) {
	t.Helper()
	honest, _ := r.Site.Device("hikvision")
	for _, d := range devices {
		for _, v := range d.Verdicts {
			if v.Verdict == "banned" && !slices.Contains(d.MACs, honest.HardwareAddr().String()) {
				t.Errorf("%v %v is banned under %s: %+v", d.IPs, d.MACs, v.Policy, d.Reasons)
			}
		}
	}
}

// memory is what the agent's process takes.
func (a *agentProcess) memory() string {
	return fmt.Sprintf("%d kB resident, %d kB at the peak", a.status("VmRSS"), a.status("VmHWM"))
}

// status reads a number of /proc/PID/status.
func (a *agentProcess) status(field string) int {
	a.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.cmd.Process.Pid))
	if err != nil {
		a.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				a.t.Fatal(err)
			}
			return n
		}
	}
	a.t.Fatalf("no %s in /proc/PID/status", field)
	return 0
}

// withinLimits: no frame beyond the scope, none to the excluded host, and per
// host no more than DESIGN section 10 allows for so many cycles.
func withinLimits(t *testing.T, r *lab.Running, cycles int) {
	t.Helper()
	scope, excluded := netip.MustParsePrefix("10.77.0.0/24"), netip.MustParseAddr("10.77.0.66")
	syns, datagrams := map[netip.Addr]int{}, map[netip.Addr]int{}
	for _, f := range r.Captured() {
		switch {
		case !work(f) || !f.Dst.IsValid() || f.Dst.IsMulticast():
		case f.Dst == netip.MustParseAddr("255.255.255.255") || f.Dst == netip.MustParseAddr("10.77.0.255"):
		case f.Dst.Is4() && !scope.Contains(f.Dst):
			t.Errorf("a frame of type %#x, protocol %d went to %s:%d, outside the scope", f.EtherType, f.Protocol, f.Dst, f.DstPort)
		case f.Dst == excluded:
			t.Errorf("a frame of type %#x, protocol %d went to the excluded host, port %d", f.EtherType, f.Protocol, f.DstPort)
		case f.Protocol == 6:
			syns[f.Dst]++
		case f.Protocol == 17:
			datagrams[f.Dst]++
		}
	}
	for host, n := range syns {
		if n > 8*cycles {
			t.Errorf("%d SYNs to %s in %d cycles", n, host, cycles)
		}
	}
	for host, n := range datagrams {
		if n > 12*cycles {
			t.Errorf("%d datagrams to %s in %d cycles", n, host, cycles)
		}
	}
}

func cleanText(t *testing.T, what, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Errorf("%s is not valid UTF-8", what)
	}
	for _, c := range s {
		if unicode.IsControl(c) && c != '\n' && c != '\t' && c != '\r' {
			t.Errorf("%s holds the control character %U", what, c)
			return
		}
	}
}

// cleanCSV: no cell begins as a formula does.
func cleanCSV(t *testing.T, s string) {
	t.Helper()
	cleanText(t, "the CSV", s)
	rows, err := csv.NewReader(strings.NewReader(s)).ReadAll()
	if err != nil {
		t.Errorf("the CSV: %v", err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("a cell of the CSV is a formula: %.60q", cell)
			}
		}
	}
}

func cleanPages(t *testing.T, a *agentProcess) {
	t.Helper()
	for _, path := range []string{"/", "/metrics", "/api/v1/export?format=html"} {
		page := a.get(path)
		if page == "" {
			t.Errorf("%s does not answer", path)
		}
		cleanText(t, path, page)
		for _, mark := range []string{"<script>alert", "<img src=x", "<svg/onload", "onerror=alert(1)>"} {
			if strings.Contains(page, mark) {
				t.Errorf("%s holds %q unescaped", path, mark)
			}
		}
	}
	cleanCSV(t, a.get("/api/v1/export?format=csv"))
	for _, d := range a.devices() {
		cleanText(t, "device "+d.ID, fmt.Sprintf("%v", d))
	}
}

var logLine = regexp.MustCompile(`^(ts|level|time)=`)

func cleanLog(t *testing.T, log string) {
	t.Helper()
	cleanText(t, "the log", log)
	for line := range strings.Lines(log) {
		if !logLine.MatchString(line) || strings.HasPrefix(line, "level=fatal") {
			t.Errorf("a line of the log that is none of ours: %.200q", line)
			return
		}
	}
}
