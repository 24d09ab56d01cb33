package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"camcensus/internal/inventory"
)

// The site of sixty, with speakers that nobody here wrote plugged into the
// same segment: each a host of its own behind a bridge that the agent's
// interface has become.
const crowdInterface = "lan0"

// speakers are Debian's daemons by the host that they run on.
var speakers = map[string]func(t *testing.T, dir string) []string{
	"10.77.0.200": avahiCommand,
	"10.77.0.201": func(*testing.T, string) []string { return []string{"wsdd", "-i", "eth0", "--hostname", "labpc"} },
	"10.77.0.202": minidlnaCommand,
	"10.77.0.203": nil, // a plain computer, where tests run what must come from elsewhere
}

func avahiCommand(t *testing.T, dir string) []string {
	conf := avahiConfig(t, dir, "camfar", "eth0", "no")
	// ip netns exec gives it mounts of its own: so it does not share its pid
	// file with the daemon on the agent's host.
	return []string{"sh", "-c", "mount -t tmpfs tmpfs /run/avahi-daemon && exec avahi-daemon --no-drop-root --no-chroot --no-rlimits --no-proc-title -f " + conf}
}

func avahiConfig(t *testing.T, dir, host, device, bus string) string {
	return writeFile(t, filepath.Join(dir, host+".conf"), "[server]\nhost-name="+host+"\nallow-interfaces="+device+
		"\nenable-dbus="+bus+"\n[publish]\npublish-workstation=yes\n[rlimits]\n")
}

func minidlnaCommand(t *testing.T, dir string) []string {
	conf := writeFile(t, filepath.Join(dir, "minidlna.conf"), "port=8200\nnetwork_interface=eth0\nmedia_dir="+dir+
		"\ndb_dir="+dir+"/db\nlog_dir="+dir+"\nfriendly_name=lab\n")
	return []string{"minidlnad", "-S", "-f", conf, "-P", filepath.Join(dir, "minidlna.pid")}
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// tool runs a program to its end and returns what it printed.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil && ctx.Err() == nil {
		t.Logf("%s %s: %v (make test needs Debian's avahi-daemon, avahi-utils, wsdd, minidlna, snmpd, onvif-tools, nmap, gupnp-tools, arp-scan, iproute2)\n%s",
			name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func must(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// background runs a program until the test ends.
func background(t *testing.T, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(3 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
}

// bridge makes the agent's cam0 a port of lan0, to which hosts can be plugged.
func bridge(t *testing.T) {
	t.Helper()
	for _, line := range []string{
		"link add " + crowdInterface + " type bridge mcast_snooping 0 forward_delay 0",
		"addr flush dev cam0", "link set cam0 master " + crowdInterface, "link set " + crowdInterface + " up",
		"addr add 10.77.0.2/24 dev " + crowdInterface, "route replace default via 10.77.0.1",
	} {
		must(t, "ip", strings.Fields(line)...)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", crowdInterface).Run() })
}

// plugIn puts a computer of its own on the segment and returns the name of
// its namespace.
func plugIn(t *testing.T, addr string) string {
	t.Helper()
	last := addr[strings.LastIndexByte(addr, '.')+1:]
	ns, port := "h"+last, "r"+last
	for _, line := range []string{
		"netns add " + ns, "link add " + port + " type veth peer name eth0 netns " + ns,
		"link set " + port + " master " + crowdInterface + " up",
		"-n " + ns + " link set lo up", "-n " + ns + " link set eth0 up", "-n " + ns + " addr add " + addr + "/24 dev eth0",
		"-n " + ns + " route add default via 10.77.0.1",
	} {
		must(t, "ip", strings.Fields(line)...)
	}
	t.Cleanup(func() {
		_ = exec.Command("ip", "link", "del", port).Run()
		_ = exec.Command("ip", "netns", "del", ns).Run()
	})
	return ns
}

func crowd(t *testing.T) {
	t.Helper()
	site(t, "sixty")
	bridge(t)
	dir := t.TempDir()
	// An ordinary user's namespace has one user: there the daemons' own is root.
	for path, text := range map[string]string{"/etc/passwd": "root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/sh\n", "/etc/group": "root:x:0:\navahi:x:0:\n"} {
		must(t, "mount", "--bind", writeFile(t, filepath.Join(dir, filepath.Base(path)), text), path)
		t.Cleanup(func() { _ = exec.Command("umount", "--lazy", path).Run() })
	}
	if err := os.MkdirAll("/run/avahi-daemon", 0o755); err != nil {
		t.Fatal(err)
	}
	for addr, command := range speakers {
		ns := plugIn(t, addr)
		if command != nil {
			background(t, append([]string{"ip", "netns", "exec", ns}, command(t, dir)...)...)
		}
	}
}

const systemBus = `<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/><allow receive_type="signal"/><allow receive_type="method_return"/><allow receive_type="error"/></policy></busconfig>`

// neighbours are the daemons on the agent's own host that hold its ports.
func neighbours(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll("/run/dbus", 0o755); err != nil {
		t.Fatal(err)
	}
	background(t, "dbus-daemon", "--config-file="+writeFile(t, filepath.Join(dir, "bus.conf"), systemBus), "--nofork", "--nopidfile")
	eventually(t, "the system bus", func() bool { _, err := os.Stat("/run/dbus/system_bus_socket"); return err == nil })
	background(t, "avahi-daemon", "--no-drop-root", "--no-chroot", "--no-rlimits", "-f", avahiConfig(t, dir, "camown", crowdInterface, "yes"))
	background(t, "wsdd", "-i", crowdInterface, "-4", "--hostname", "ownpc")
	for _, port := range []string{":5353", ":3702"} {
		eventually(t, "a daemon at port "+port, func() bool {
			out, _ := exec.Command("ss", "-Hlun").Output()
			return strings.Contains(string(out), port+" ")
		})
	}
	eventually(t, "avahi's first answer", func() bool { return strings.Contains(tool(t, "avahi-browse", "-art"), "camown") })
}

// eventually waits for what must come.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for begun := time.Now(); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// address4or6 finds IPv4 addresses of the segment and IPv6 ones of the link.
var address4or6 = regexp.MustCompile(`10\.77\.0\.\d{1,3}\b|fe80::[0-9a-f:]+`)

// listed are the addresses in a tool's output, the agent's own left out.
func listed(out string) []string {
	found := map[string]bool{}
	for _, text := range address4or6.FindAllString(out, -1) {
		ip, err := netip.ParseAddr(text)
		if err == nil && !ownAddress(ip) {
			found[ip.String()] = true
		}
	}
	var list []string
	for ip := range found {
		list = append(list, ip)
	}
	slices.Sort(list)
	return list
}

func ownAddress(ip netip.Addr) bool {
	if ip == netip.MustParseAddr("10.77.0.2") {
		return true
	}
	out, err := exec.Command("ip", "-brief", "addr").Output()
	return err == nil && strings.Contains(string(out), ip.String()+"/")
}

// yardsticks are the tools that people list a network with.
var yardsticks = []struct {
	name    string
	command []string
}{
	{"onvif-util -a", []string{"onvif-util", "-a"}},
	{"nmap broadcast-wsdd-discover", []string{"nmap", "-e", crowdInterface, "--script", "broadcast-wsdd-discover"}},
	{"nmap broadcast-upnp-info", []string{"nmap", "-e", crowdInterface, "--script", "broadcast-upnp-info"}},
	{"nmap broadcast-dns-service-discovery", []string{"nmap", "-e", crowdInterface, "--script", "broadcast-dns-service-discovery"}},
	{"gssdp-discover", []string{"gssdp-discover", "-i", crowdInterface, "-n", "4"}},
	{"avahi-browse -art", []string{"avahi-browse", "-art"}},
	{"arp-scan", []string{"arp-scan", "-I", crowdInterface, "-l", "-x"}},
}

func scanCrowd(t *testing.T, in ...string) scanned {
	t.Helper()
	command := append(in, binary(t), "scan", "--interface", crowdInterface, "--rate", "500", "--arp-rate", "500", "--format", "json", "10.77.0.0/24", "fe80::/64")
	if len(in) > 0 {
		command[len(in)+3] = "eth0"
	}
	var s scanned
	out, err := exec.Command(command[0], command[1:]...).Output()
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("scan: %v\n%.2000s", err, out)
	}
	if err != nil {
		t.Errorf("scan: %v", err)
	}
	return s
}

// TestBesideOtherToolsAndDaemons holds camcensus against what other tools list
// on the same wire, with two agents there at a time, and against the daemons
// that share its ports: both sides keep working.
func TestBesideOtherToolsAndDaemons(t *testing.T) {
	crowd(t)
	neighbours(t)
	lists := make([][]string, len(yardsticks))
	var listing sync.WaitGroup
	for i, y := range yardsticks {
		listing.Go(func() { lists[i] = listed(tool(t, y.command[0], y.command[1:]...)) })
	}
	listing.Wait()

	avahiAnswers(t, "before the scan")
	var scanning sync.WaitGroup
	var here, there scanned
	scanning.Go(func() { here = scanCrowd(t) })
	scanning.Go(func() { there = scanCrowd(t, "ip", "netns", "exec", "h203") }) // a second agent on the same wire
	time.Sleep(time.Second)
	avahiAnswers(t, "during the scan")
	scanning.Wait()
	avahiAnswers(t, "after the scan")
	if out := tool(t, "avahi-browse", "-art"); !strings.Contains(out, "10.77.0.32") {
		t.Errorf("avahi on this host no longer sees the segment:\n%.2000s", out)
	}

	t.Run("whatever other tools list is listed", func(t *testing.T) { allListed(t, lists, here) })
	// A datagram may be lost, and a busy daemon late: then the next look has it.
	heard := here
	for try := 1; try < 3 && len(silent(heard)) > 0; try++ {
		t.Logf("not heard in scan %d: %v", try, silent(heard))
		heard = scanCrowd(t)
	}
	t.Run("speakers nobody here wrote are named right", func(t *testing.T) { speakersNamed(t, heard) })
	t.Run("two agents and the daemons keep working", func(t *testing.T) {
		if len(here.Devices) < 55 || len(there.Devices) < 55 {
			t.Errorf("%d devices from here, %d from there", len(here.Devices), len(there.Devices))
		}
		for _, d := range there.Devices {
			if slices.Contains(d.IPs, "10.77.0.2") && (!slices.Contains(d.Sources, "mdns") || !slices.Contains(d.Sources, "wsd")) {
				t.Errorf("from the other computer this host's daemons are seen by %v only", d.Sources)
			}
		}
		for _, src := range here.Coverage.Sources {
			if !src.Up && (src.Source == "mdns" || src.Source == "wsd" || src.Source == "ssdp") {
				t.Errorf("%s on %s is down beside the daemons: %s", src.Source, src.Interface, src.Reason)
			}
		}
	})
}

// avahiAnswers a unicast question from another computer. (wsdd hears its group
// only; the second agent asks there.)
func avahiAnswers(t *testing.T, when string) {
	t.Helper()
	out := tool(t, "ip", "netns", "exec", "h203", "nmap", "-n", "-Pn", "-sU", "-p", "5353", "--script", "dns-service-discovery", "10.77.0.2")
	if !strings.Contains(out, "workstation") {
		t.Errorf("%s, avahi on this host does not answer unicast on port 5353:\n%s", when, out)
	}
}

func byAddress(s scanned) map[string]inventory.Device {
	by := map[string]inventory.Device{}
	for _, d := range s.Devices {
		for _, ip := range d.IPs {
			by[ip] = d
		}
	}
	return by
}

// allListed prints what each tool lists beside what camcensus says of it.
func allListed(t *testing.T, lists [][]string, s scanned) {
	t.Helper()
	by := byAddress(s)
	var table strings.Builder
	for i, y := range yardsticks {
		if len(lists[i]) == 0 {
			t.Errorf("%s lists nothing: it measures nothing", y.name)
		}
		missing := 0
		fmt.Fprintf(&table, "%s lists %d addresses\n", y.name, len(lists[i]))
		for _, ip := range lists[i] {
			d, ok := by[ip]
			if !ok {
				missing++
				t.Errorf("%s lists %s, camcensus does not", y.name, ip)
			}
			fmt.Fprintf(&table, "  %-28s | %-28s %-8s %-12s %s\n", ip, strings.Join(d.IPs, " "), d.Class, d.Manufacturer, strings.Join(d.Sources, ","))
		}
		fmt.Fprintf(&table, "  camcensus lists all but %d of them, and %d devices altogether\n", missing, len(s.Devices))
	}
	t.Log("\n" + table.String())
}

// speakersNamed: each of Debian's daemons is found with its address and class.
// spoken is the source that each speaker answers.
var spoken = map[string]string{"10.77.0.200": "mdns", "10.77.0.201": "wsd", "10.77.0.202": "ssdp", "10.77.0.203": "arp"}

// silent are the speakers that their source has not heard.
func silent(s scanned) (list []string) {
	by := byAddress(s)
	for addr, source := range spoken {
		if !slices.Contains(by[addr].Sources, source) {
			list = append(list, fmt.Sprintf("%s by %s but by %v", addr, source, by[addr].Sources))
		}
	}
	return list
}

func speakersNamed(t *testing.T, s scanned) {
	t.Helper()
	if list := silent(s); len(list) > 0 {
		t.Errorf("not heard: %v", list)
	}
	by := byAddress(s)
	for addr, source := range spoken {
		d := by[addr]
		if d.Class != "other" && source != "arp" {
			t.Errorf("%s is taken for %q (%+v)", addr, d.Class, d.Reasons)
		}
		for _, v := range d.Verdicts {
			if v.Flagged() {
				t.Errorf("%s is accused: %+v", addr, v)
			}
		}
	}
}
