//go:build linux

package exchange_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"camcensus/discovery"
)

// start runs a daemon on the far side until the test ends.
func (f *farSide) start(t *testing.T, name string, args ...string) {
	t.Helper()
	f.do(func() { run(t, name, args...) })
}

// run starts a daemon where the calling thread is.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v (install the package %s)", err, filepath.Base(name))
	}
	var output bytes.Buffer
	c := exec.Command(path, args...)
	c.Stdout, c.Stderr = &output, &output
	if err := c.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		if t.Failed() {
			t.Logf("%s said: %s", name, output.String())
		}
	})
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// until asks again until a condition holds, for a daemon needs time to come up.
func until(t *testing.T, p discovery.Protocol, w *discovery.Wire, done func(*catch) bool) *catch {
	t.Helper()
	var found *catch
	for range 4 {
		w.NewCycle()
		found = ask(t, p, w)
		if done(found) {
			return found
		}
	}
	return found
}

func TestAvahiIsFoundAsItIs(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "10.77.0.80/24")
	far.do(func() { avahi(t, "camfar", "cam0f") })
	found := until(t, protocol(t, "mdns"), newWire(t), func(c *catch) bool { return hasService(c, "10.77.0.80", "_axis-video._tcp") })
	if !hasService(found, "10.77.0.80", "_axis-video._tcp") {
		t.Fatalf("not found: %s", raws(found))
	}
}

// avahi runs avahi-daemon with one camera's service where the calling thread is.
func avahi(t *testing.T, host, device string) {
	t.Helper()
	// In the mount namespace of these tests alone.
	if err := unix.Mount("tmpfs", "/etc/avahi/services", "tmpfs", 0, ""); err != nil {
		t.Fatalf("a folder for the daemon's services: %v", err)
	}
	t.Cleanup(func() { unix.Unmount("/etc/avahi/services", unix.MNT_DETACH) })
	write(t, "/etc/avahi/services/camera.service", `<service-group><name>AXIS P0000 - ACCC8E000001</name>`+
		`<service><type>_axis-video._tcp</type><port>80</port><txt-record>macaddress=ACCC8E000001</txt-record></service></service-group>`)
	conf := write(t, filepath.Join(t.TempDir(), "avahi.conf"), "[server]\nhost-name="+host+"\nuse-ipv6=yes\nallow-interfaces="+device+
		"\nenable-dbus=no\n[publish]\npublish-workstation=yes\n[rlimits]\n")
	os.MkdirAll("/run/avahi-daemon", 0o755)
	// A user's own namespace has one user: there the daemon's is root.
	for path, line := range map[string]string{"/etc/passwd": "root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/sh\n", "/etc/group": "root:x:0:\navahi:x:0:\n"} {
		own := write(t, filepath.Join(t.TempDir(), filepath.Base(path)), line)
		if err := unix.Mount(own, path, "", unix.MS_BIND, ""); err != nil {
			t.Fatalf("users of the daemon's own: %v", err)
		}
		t.Cleanup(func() { unix.Unmount(path, unix.MNT_DETACH) })
	}
	run(t, "avahi-daemon", "--no-drop-root", "--no-chroot", "--no-rlimits", "--no-proc-title", "-f", conf)
}

func hasService(c *catch, ip, service string) bool {
	for _, s := range c.of("mdns", ip) {
		if strings.Contains(string(s.Raw), service) && strings.Contains(string(s.Raw), "macaddress=ACCC8E000001") {
			return true
		}
	}
	return false
}

func raws(c *catch) string {
	var text strings.Builder
	for _, s := range c.list {
		text.WriteString(s.IP.String() + " " + s.Kind + " " + string(s.Raw) + "\n")
	}
	return text.String()
}

func TestAvahiOnThisMachineKeepsItsUnicast(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "10.77.0.80/24")
	far.do(func() { avahi(t, "camfar", "cam0f") })
	squatter := listenReuse(t, "udp4", "0.0.0.0:5353") // as avahi holds it
	defer squatter.Close()
	wire := newWire(t)
	s := source(t, protocol(t, "mdns"), wire)
	ctx, stop := context.WithCancel(context.Background())
	var found catch
	var listening sync.WaitGroup
	listening.Go(func() { s.Listen(ctx, found.sink) })
	got := make(chan bool, 64)
	go func() {
		buffer := make([]byte, 2048)
		for {
			n, _, err := squatter.ReadFromUDP(buffer)
			if err != nil {
				close(got)
				return
			}
			if string(buffer[:n]) == "to avahi" {
				got <- true
			}
		}
	}()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		s.Ask(ctx, discovery.Round{}, found.sink)
	}()
	for range 10 {
		far.shout(t, "cam0", "10.77.0.80:4444", "10.77.0.1:5353", []byte("to avahi"))
		time.Sleep(300 * time.Millisecond)
	}
	<-asked
	stop()
	listening.Wait()
	if len(got) != 10 {
		t.Errorf("the other daemon got %d of its 10 datagrams", len(got))
	}
	if !hasService(&found, "10.77.0.80", "_axis-video._tcp") {
		t.Errorf("not found: %s", raws(&found))
	}
	for _, c := range wire.Counts() {
		if c.Sent > 3 {
			t.Errorf("%d packets though zeroconf must stand back", c.Sent)
		}
	}
}

func TestWsddIsFoundAsAComputer(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "10.77.0.81/24")
	far.start(t, "wsdd", "-i", "cam0f", "-4", "--hostname", "labpc", "-v")
	found := until(t, protocol(t, "wsd"), newWire(t), func(c *catch) bool { return len(c.of("wsd", "10.77.0.81")) > 0 })
	for _, s := range found.of("wsd", "10.77.0.81") {
		if has(protocol(t, "wsd").Fields("wsd", s.Raw), discovery.Field{Name: "type", Value: "Computer"}) {
			return
		}
	}
	t.Fatalf("not found: %s", raws(found))
}

func TestMediaServersAreFoundBySSDP(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "10.77.0.82/24")
	dir := t.TempDir()
	conf := write(t, filepath.Join(dir, "minidlna.conf"), "port=8200\nnetwork_interface=cam0f\nmedia_dir="+dir+"\ndb_dir="+dir+"/db\nlog_dir="+dir+"\nfriendly_name=lab\n")
	far.start(t, "minidlnad", "-S", "-f", conf, "-P", filepath.Join(dir, "pid"))
	home := t.TempDir()
	media := filepath.Dir(write(t, filepath.Join(home, "media", "read.me"), "no film\n"))
	write(t, filepath.Join(home, ".config", "rygel.conf"), "[general]\nupnp-enabled=true\ninterface=cam0f\nport=8201\n[MediaExport]\nenabled=true\ntitle=lab\nuris="+media+"\n")
	// There is no desktop session, and none is looked for.
	far.start(t, "env", "HOME="+home, "XDG_RUNTIME_DIR="+home, "GSETTINGS_BACKEND=memory",
		"DBUS_SESSION_BUS_ADDRESS=disabled:", "DBUS_SYSTEM_BUS_ADDRESS=disabled:", "rygel")
	missing := func(c *catch) (names []string) {
		for name, location := range map[string]string{"MiniDLNA/": "http://10.77.0.82:8200/", "GUPnP/": "http://10.77.0.82:8201/"} {
			if !slices.ContainsFunc(c.of("ssdp", "10.77.0.82"), func(s discovery.Sighting) bool {
				return strings.Contains(string(s.Raw), name) && strings.Contains(string(s.Raw), location)
			}) {
				names = append(names, name)
			}
		}
		return names
	}
	found := until(t, protocol(t, "ssdp"), newWire(t), func(c *catch) bool { return missing(c) == nil })
	if names := missing(found); names != nil {
		t.Fatalf("%v not found: %s", names, raws(found))
	}
}
