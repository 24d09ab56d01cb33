package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"camcensus/internal/inventory"
	"camcensus/internal/lab"
)

func TestWithoutAnyPrivilegeEverySourceThatNeedsNoneWorks(t *testing.T) {
	r := site(t, "sixty")
	program := binary(t)
	if os.Getenv("CAMCENSUS_BINARY") == "" {
		if err := os.Chmod(filepath.Dir(program), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs",
		program, "scan", "--interface", "cam0", "--rate", "500", "--format", "json", "connected").Output()
	var s scanned
	if bad := json.Unmarshal(out, &s); bad != nil || err != nil {
		t.Fatalf("%v, %v: %.500s", err, bad, out)
	}
	needs := map[string]bool{"arp": true, "ndp": true, "listen": true, "dhcp": true}
	for _, src := range s.Coverage.Sources {
		switch {
		case needs[src.Source] && (src.Up || !strings.Contains(src.Reason, "CAP_NET_RAW")):
			t.Errorf("%s on %s: up %v, reason %q; the capability ought to be named", src.Source, src.Interface, src.Up, src.Reason)
		case needs[src.Source]:
			t.Logf("%s: %s", src.Source, src.Reason)
		case !src.Up:
			t.Errorf("%s on %s needs nothing and is down: %s", src.Source, src.Interface, src.Reason)
		}
	}
	found := 0
	for _, d := range r.Site.Devices {
		if d.Unplugged || d.Hidden || d.Truth.SameAs != "" || d.WSD == nil || !slices.Contains(d.WSD.Answers, "untyped") {
			continue
		}
		got, ok := byMAC(s.Devices, d)
		if !ok || len(got.MACs) == 0 && got.Reachability == "ip" {
			t.Errorf("%s at %s: listed %v, MACs %v", d.Name, d.Addr(), ok, got.MACs)
		}
		found++
	}
	if found < 20 {
		t.Errorf("only %d devices of the site could be expected", found)
	}
}

// ipCommand changes the agent's link.
func ipCommand(t *testing.T, line string) {
	t.Helper()
	must(t, "ip", strings.Fields(line)...)
}

func (a *agentProcess) nextCycle() {
	a.t.Helper()
	last := a.sample("camcensus_cycle_last_completion_timestamp_seconds")
	a.await("another cycle", 60*time.Second, func() bool {
		v := a.sample("camcensus_cycle_last_completion_timestamp_seconds")
		return v != "" && v != last
	})
}

// descriptors are those that are open between two cycles: the fewest within
// two of them.
func (a *agentProcess) descriptors() int {
	fewest := 1 << 20
	for begun := time.Now(); time.Since(begun) < 12*time.Second; time.Sleep(50 * time.Millisecond) {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", a.cmd.Process.Pid))
		if err != nil {
			a.t.Fatal(err)
		}
		fewest = min(fewest, len(entries))
	}
	return fewest
}

func TestTheLinkMayGoComeAndChangeItsAddressWithoutARestart(t *testing.T) {
	r := site(t, "sixty")
	config := strings.Replace(strings.Replace(fastConfig, "networks: [10.77.0.0/24]", "networks: [connected]", 1), "interval: 10s", "interval: 4s", 1)
	a := startAgent(t, t.TempDir(), config)
	a.firstCycle()
	before, descriptors := a.devices(), a.descriptors()
	present := func(when string) {
		t.Helper()
		missing := 0
		for _, d := range a.devices() {
			if d.State == inventory.Missing {
				missing++
			}
		}
		if n := len(a.devices()); missing > 0 || n > len(before)+2 || n < len(before) {
			t.Errorf("%s: %d devices, %d of them missing; there were %d", when, n, missing, len(before))
		}
	}

	for range 3 {
		ipCommand(t, "link set cam0 down")
		time.Sleep(2500 * time.Millisecond)
		ipCommand(t, "link set cam0 up")
		time.Sleep(2500 * time.Millisecond)
	}
	a.nextCycle()
	a.nextCycle()
	present("after the interface had flapped")

	r.SetLoss(1) // the cable at the far end of the switch is pulled: the link stays, nobody answers
	for range 3 {
		a.nextCycle()
	}
	present("with the cable pulled for more cycles than make a device missing")
	r.SetLoss(0)
	a.nextCycle()
	present("with the cable in again")

	ipCommand(t, "addr add 10.77.0.3/24 dev cam0")
	ipCommand(t, "addr del 10.77.0.2/24 dev cam0")
	ipCommand(t, "addr replace 10.77.0.3/24 dev cam0")
	time.Sleep(4 * time.Second)
	r.Forget()
	a.nextCycle()
	a.nextCycle()
	asked := 0
	for _, f := range r.Captured() {
		if work(f) && f.Src == netip.MustParseAddr("10.77.0.2") {
			t.Errorf("a frame of type %#x still bears the old address", f.EtherType)
		}
		if work(f) && f.Src == netip.MustParseAddr("10.77.0.3") {
			asked++
		}
	}
	if asked < 200 {
		t.Errorf("only %d frames from the new address", asked)
	}
	present("after the address had changed")

	camera := late(t, r)
	if err := r.Plug(camera.Name); err != nil {
		t.Fatal(err)
	}
	a.await("a device that is plugged in after all that", 10*time.Second, func() bool { _, ok := a.device(camera); return ok })
	if now := a.descriptors(); now > descriptors+8 {
		t.Errorf("%d file descriptors, there were %d", now, descriptors)
	}
	noStrangers(t, r, a)
}

// noStrangers holds that every device listed is one of the site's.
func noStrangers(t *testing.T, r *lab.Running, a *agentProcess) {
	t.Helper()
	for _, d := range a.devices() {
		if !simulated(r, d) {
			t.Errorf("%v %v is listed, but no device of the site", d.IPs, d.MACs)
		}
	}
}
