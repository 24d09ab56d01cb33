package lab_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bus is a system bus that needs no user of its own.
const bus = `<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/><allow receive_type="signal"/><allow receive_type="method_return"/><allow receive_type="error"/></policy></busconfig>`

// oneUser lets avahi's user be the only one that a namespace of an unprivileged user has.
func oneUser(t *testing.T) {
	for path, line := range map[string]string{"/etc/passwd": "root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/sh\n", "/etc/group": "root:x:0:\navahi:x:0:\n"} {
		own := filepath.Join(t.TempDir(), filepath.Base(path))
		if err := os.WriteFile(own, []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(own, path, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Unmount(path, unix.MNT_DETACH) })
	}
}

// daemon runs a program until the test ends.
func daemon(t *testing.T, name string, arguments ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v (make test installs it)", err)
	}
	cmd := exec.CommandContext(context.Background(), path, arguments...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
}

func TestAvahiBrowsesWhatTheDevicesPublish(t *testing.T) {
	segment(t, "sixty")
	for _, dir := range []string{"/run/dbus", "/run/avahi-daemon"} { // /run is this namespace's own
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(t.TempDir(), "bus.conf")
	if err := os.WriteFile(config, []byte(bus), 0o644); err != nil {
		t.Fatal(err)
	}
	daemon(t, "dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile")
	for range 50 {
		if _, err := os.Stat("/run/dbus/system_bus_socket"); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	oneUser(t)
	daemon(t, "avahi-daemon", "--no-drop-root", "--no-chroot")
	time.Sleep(1500 * time.Millisecond)
	out := tool(t, "avahi-browse", "--all", "--terminate", "--parsable", "--resolve")
	for _, want := range []string{`_axis-video._tcp`, "10.77.0.32;80", "macaddress=ACCC8E", "10.77.0.46;5000", "model=DS218+", "10.77.0.48;631"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}
