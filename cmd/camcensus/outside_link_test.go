package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
	command := []string{"--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", program, "scan", "--interface", "cam0", "--rate", "500", "--format", "json", "connected"}
	if users, err := os.ReadFile("/proc/self/uid_map"); err == nil && !strings.HasSuffix(strings.TrimSpace(string(users)), " 1") {
		command = append([]string{"--reuid=65534", "--regid=65534", "--clear-groups"}, command...) // there are others than root
	}
	out, err := exec.Command("setpriv", command...).Output()
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

// noStrangers holds that every device listed is one of the site's.
func noStrangers(t *testing.T, r *lab.Running, devices []inventory.Device) {
	t.Helper()
	for _, d := range devices {
		if !simulated(r, d) {
			t.Errorf("%v %v is listed, but no device of the site", d.IPs, d.MACs)
		}
	}
}
