package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"camcensus/internal/inventory"
	"camcensus/internal/lab"
)

const fastConfig = `
site: test
interfaces: [cam0]
networks: [10.77.0.0/24]
discovery:
  interval: 10s
  sources:
    arp: {rate: 200}
inventory: {missing_after: 2}
`

// brisk makes one cycle follow the other.
var brisk = strings.Replace(fastConfig, "interval: 10s", "interval: 1s", 1)

// late takes the cable out of a Hikvision camera that announces itself when it
// is plugged in again.
func late(t *testing.T, r *lab.Running) *lab.Device {
	t.Helper()
	for _, d := range r.Site.Devices {
		if d.Truth.Maker == "Hikvision" && d.Truth.Class == "camera" && d.WSD != nil {
			if err := r.Unplug(d.Name); err != nil {
				t.Fatal(err)
			}
			return d
		}
	}
	t.Fatal("the site has no Hikvision camera that speaks WS-Discovery")
	return nil
}

func (a *agentProcess) firstCycle() {
	a.t.Helper()
	a.await("the first cycle", 2*time.Minute, func() bool {
		v := a.sample("camcensus_cycle_last_completion_timestamp_seconds")
		return v != "" && v != "0"
	})
}

func (a *agentProcess) flagged(verdict, state string) string {
	return a.sample("camcensus_flagged_devices", `manufacturer="Hikvision"`, `policy="ca-hikvision-2025"`,
		fmt.Sprintf("verdict=%q", verdict), fmt.Sprintf("state=%q", state), `excepted="false"`)
}

func TestAFlaggedDevicePluggedInIsCountedUnpluggedMissingAndNeverForgotten(t *testing.T) {
	r := site(t, "sixty")
	camera := late(t, r)
	a := startAgent(t, t.TempDir(), brisk)
	a.firstCycle()
	total := func() int {
		banned, _ := strconv.Atoi(a.flagged("banned", "present"))
		suspected, _ := strconv.Atoi(a.flagged("suspected", "present"))
		return banned + suspected
	}
	if _, known := a.device(camera); known {
		t.Fatal("the camera is known before it is plugged in")
	}
	before := total()
	if err := r.Plug(camera.Name); err != nil {
		t.Fatal(err)
	}
	took := a.await("the flagged device in the metrics", 5*time.Second, func() bool {
		d, ok := a.device(camera)
		return ok && d.Manufacturer == "Hikvision" && total() == before+1
	})
	t.Logf("counted %s after it was plugged in", took.Round(time.Millisecond))
	took = a.await("the verdict on it", time.Minute, func() bool {
		d, _ := a.device(camera)
		return verdictOf(d, "ca-hikvision-2025") == "banned"
	})
	t.Logf("banned %s later", took.Round(time.Millisecond))
	if err := r.Unplug(camera.Name); err != nil {
		t.Fatal(err)
	}
	took = a.await("the unplugged device missing", 150*time.Second, func() bool {
		d, ok := a.device(camera)
		return ok && d.State == inventory.Missing
	})
	t.Logf("missing %s after it was unplugged", took.Round(time.Second))
	if v := a.flagged("banned", "missing"); v != "1" {
		t.Errorf(`camcensus_flagged_devices{state="missing"} = %q, want 1`, v)
	}
	promtool(t, a.get("/metrics"))
	if status := a.stop(); status != 0 {
		t.Errorf("exit status %d on SIGTERM, want 0\n%s", status, tail(a.log.String(), 3000))
	}
}

// promtool has nothing to say of the metrics.
func promtool(t *testing.T, metrics string) {
	t.Helper()
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(metrics)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// stored waits until the store on disk holds what the agent shows.
func (a *agentProcess) stored() {
	a.t.Helper()
	a.await("the store", time.Minute, func() bool {
		var kept struct{ Devices []inventory.Device }
		res := camcensus(a.t, nil, "inventory", "list", "--storage.path", a.dir, "--format", "json")
		if err := json.Unmarshal([]byte(res.out), &kept); err != nil {
			a.t.Fatalf("inventory list: %v: %s", err, res.err)
		}
		return slices.Equal(essence(kept.Devices), essence(a.devices()))
	})
}

// essence is what must outlive a crash, a line for each device.
func essence(devices []inventory.Device) []string {
	var out []string
	for _, d := range devices {
		out = append(out, fmt.Sprint(d.ID, d.FirstSeen.UTC(), d.State, d.Class, d.Manufacturer, verdictOf(d, "ca-hikvision-2025")))
	}
	slices.Sort(out)
	return out
}

func TestKilledAndStartedAgainTheCountsAndFirstSeenTimesAreTheSame(t *testing.T) {
	site(t, "sixty")
	dir := t.TempDir()
	a := startAgent(t, dir, strings.Replace(fastConfig, "interval: 10s", "interval: 1h", 1))
	a.firstCycle()
	a.stored()
	before, counts := a.devices(), countLines(a.get("/metrics"))
	a.kill()
	// mode: listen sends nothing, so that the counts are the stored ones.
	b := startAgent(t, dir, strings.Replace(fastConfig, "site: test", "site: test\nmode: listen", 1))
	after := map[string]inventory.Device{}
	for _, d := range b.devices() {
		after[d.ID] = d
	}
	if len(after) != len(before) || len(before) < 50 {
		t.Errorf("%d devices before, %d after the kill", len(before), len(after))
	}
	for _, d := range before {
		if got := after[d.ID]; !got.FirstSeen.Equal(d.FirstSeen) {
			t.Errorf("%s: first seen %s before, %s after", d.ID, d.FirstSeen, got.FirstSeen)
		}
	}
	if again := countLines(b.get("/metrics")); again != counts {
		t.Errorf("the counts changed\nonly before\n%s\nonly after\n%s", linesWithout(counts, again), linesWithout(again, counts))
	}
}

// linesWithout are the lines of a that b does not hold.
func linesWithout(a, b string) string {
	var out []string
	for line := range strings.SplitSeq(a, "\n") {
		if !strings.Contains(b+"\n", line+"\n") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// countLines are the counts of devices in the metrics.
func countLines(metrics string) string {
	var out []string
	for line := range strings.SplitSeq(metrics, "\n") {
		for _, name := range []string{"camcensus_devices{", "camcensus_flagged_devices{", "camcensus_verdicts{", "camcensus_unclassified_hosts"} {
			if strings.HasPrefix(line, name) {
				out = append(out, line)
			}
		}
	}
	return strings.Join(out, "\n")
}

func TestASecondAgentOnTheSameStoreRefuses(t *testing.T) {
	site(t, "sixty")
	dir := t.TempDir()
	startAgent(t, dir, fastConfig)
	res := camcensus(t, nil, "run", "--storage.path", dir, "--web.listen-address", "127.0.0.1:9878")
	if res.status != exitFailed || !strings.Contains(res.err, dir) {
		t.Errorf("status %d, %q; want %d and the store's path named", res.status, res.err, exitFailed)
	}
}

func TestListenModeSendsNothing(t *testing.T) {
	r := site(t, "sixty")
	camera := late(t, r)
	a := startAgent(t, t.TempDir(), strings.Replace(brisk, "site: test", "site: test\nmode: listen", 1))
	if err := r.Plug(camera.Name); err != nil {
		t.Fatal(err)
	}
	a.await("the device that announced itself", 30*time.Second, func() bool { _, ok := a.device(camera); return ok })
	time.Sleep(4 * time.Second) // intervals
	for _, f := range r.Captured() {
		if work(f) {
			t.Errorf("mode listen sent a frame of type %#x, protocol %d to %s:%d", f.EtherType, f.Protocol, f.Dst, f.DstPort)
		}
	}
}

func TestPauseResumeAndRescanGoThroughTheSocket(t *testing.T) {
	r := site(t, "sixty")
	dir := t.TempDir()
	a := startAgent(t, dir, strings.Replace(fastConfig, "interval: 10s", "interval: 1h", 1))
	a.firstCycle()
	if res := camcensus(t, nil, "pause", "--storage.path", dir); res.status != 0 {
		t.Fatalf("pause: %d %s", res.status, res.err)
	}
	if v := a.sample("camcensus_paused", `reason="operator"`); v != "1" {
		t.Errorf("camcensus_paused{reason=operator} = %q", v)
	}
	r.Forget()
	if res := camcensus(t, nil, "rescan", "--storage.path", dir); res.status == 0 {
		t.Error("rescan was taken while paused")
	}
	time.Sleep(2 * time.Second)
	for _, f := range r.Captured() {
		if work(f) {
			t.Errorf("paused, it sent to %s", f.Dst)
			break
		}
	}
	if res := camcensus(t, nil, "resume", "--storage.path", dir); res.status != 0 {
		t.Fatalf("resume: %d %s", res.status, res.err)
	}
	first := a.sample("camcensus_cycle_last_completion_timestamp_seconds")
	if res := camcensus(t, nil, "rescan", "--storage.path", dir); res.status != 0 {
		t.Fatalf("rescan: %d %s", res.status, res.err)
	}
	a.await("another cycle", 2*time.Minute, func() bool {
		return a.sample("camcensus_cycle_last_completion_timestamp_seconds") != first
	})
}
