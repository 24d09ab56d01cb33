package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"camcensus/internal/inventory"
	"camcensus/internal/lab"
)

// sourceAt names the sources by the port that a device is asked at.
var sourceAt = map[uint16][]string{
	1900: {"ssdp"}, 37020: {"sadp"}, 37810: {"dhip"}, 5050: {"dvrip"}, 7701: {"hanwha"}, 1757: {"bosch"}, 10000: {"vivotek", "foscam"},
	20002: {"tplink"}, 20004: {"tplink"}, 2380: {"sony"}, 10670: {"panasonic"}, 10001: {"ubiquiti"}, 23456: {"tvt"}, 34569: {"xmeye"},
}

// seenBy are the sources that a device of a segment speaks to, each as a choice.
func seenBy(d *lab.Device) [][]string {
	var all [][]string
	if !d.NoARP && len(d.IPs) > 0 && !d.Truth.Layer2 {
		all = append(all, []string{"arp"})
	}
	if d.LinkLocal && !d.NoEcho {
		all = append(all, []string{"ndp"})
	}
	if d.DHCP != nil {
		all = append(all, []string{"dhcp"})
	}
	if d.Hidden {
		return all
	}
	if w := d.WSD; w != nil && (w.Hello && d.PlugAfter > 0 || slices.Contains(w.Answers, "untyped") && !slices.Contains(w.Deaf, "multicast")) {
		all = append(all, []string{"wsd"})
	}
	if d.MDNS != nil {
		all = append(all, []string{"mdns"})
	}
	for _, u := range d.UDP {
		if u.Asked != "" || u.AskedHex != "" {
			all = append(all, sourceAt[u.Port])
		}
	}
	return all
}

func TestThreeHundredDevicesAreFoundInOneCycleByEverySourceThatSeesThem(t *testing.T) {
	r := site(t, "threehundred")
	s, res := scan(t, "--interface", "cam1", "connected", "10.79.0.0/24")
	t.Logf("took %s at the default rates, %d devices listed", res.took.Round(time.Second), len(s.Devices))
	if res.status != 0 || len(r.Site.Devices) < 300 {
		t.Errorf("status %d, %d devices in the site", res.status, len(r.Site.Devices))
	}
	if len(s.Devices) != len(r.Site.Devices) {
		t.Errorf("%d devices listed, there are %d", len(s.Devices), len(r.Site.Devices))
	}
	used := map[string]int{}
	for _, d := range r.Site.Devices {
		got, ok := byMAC(s.Devices, d)
		if !ok {
			t.Errorf("%s (%s, %s) is not listed", d.Name, d.Addr(), d.HardwareAddr())
			continue
		}
		for _, source := range got.Sources {
			used[source]++
		}
		if d.Behind != "" {
			continue
		}
		for _, choice := range seenBy(d) {
			if !slices.ContainsFunc(choice, func(s string) bool { return slices.Contains(got.Sources, s) }) {
				t.Errorf("%s is listed without %v: by %v", d.Name, choice, got.Sources)
			}
		}
	}
	t.Logf("devices by source: %v", used)
	for _, n := range s.Coverage.Networks {
		if !n.Up {
			t.Errorf("%s is not covered", n.Network)
		}
	}
}

func TestWithATenthOfThePacketsLostAllAreFoundWithinThreeCycles(t *testing.T) {
	r := site(t, "threehundred")
	r.SetLoss(0.1)
	config := `
site: lossy
interfaces: [cam0, cam1]
networks: [connected, 10.79.0.0/24]
discovery:
  interval: 20s
  rate: 1500
  sources:
    arp: {rate: 400}
    sweep: {per_network_rate: 400}
`
	a := startAgent(t, t.TempDir(), config)
	missing := func() (out []string) {
		devices := a.devices()
		for _, d := range r.Site.Devices {
			if got, ok := byMAC(devices, d); !ok || got.State != inventory.Present {
				out = append(out, d.Name)
			}
		}
		return out
	}
	for cycle, last := 1, ""; cycle <= 3; cycle++ {
		a.await("another cycle", 90*time.Second, func() bool {
			v := a.sample("camcensus_cycle_last_completion_timestamp_seconds")
			ended := v != "" && v != "0" && v != last
			if ended {
				last = v
			}
			return ended
		})
		left := missing()
		t.Logf("after cycle %d, not found: %d %s", cycle, len(left), strings.Join(left, " "))
		if len(left) == 0 {
			return
		}
	}
	t.Error("not all were found within three cycles")
}
