package main

import (
	"context"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"camcensus/internal/agent"
	"camcensus/internal/config"
	"camcensus/internal/inventory"
	"camcensus/internal/lab"
)

const troubledConfig = `
site: test
interfaces: [cam0]
networks: [connected]
discovery:
  interval: 2s
  rate: 0
  sources:
    arp: {rate: 0}
inventory: {missing_after: 3}
`

// resident is an agent in this process, on a site that is played here too.
type resident struct {
	t    *testing.T
	a    *agent.Agent
	logs *observer.ObservedLogs
	end  func()
}

func settle(t *testing.T, dir string) *resident {
	t.Helper()
	c, err := config.Read("test.yml", strings.NewReader(troubledConfig))
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	a, err := agent.New(t.Context(), agent.Options{Config: c, StoragePath: dir, Version: "test", Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	r := &resident{t: t, a: a, logs: logs}
	r.end = func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("the agent did not end within a minute")
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	return r
}

// cycles waits until so many more cycles have ended.
func (r *resident) cycles(n int) {
	r.t.Helper()
	until := r.a.Snapshot().Cycle.Durations.Count + uint64(n)
	eventually(r.t, "another cycle", func() bool { return r.a.Snapshot().Cycle.Durations.Count >= until })
}

// noticed makes a change to the machine's interfaces and waits until the agent
// has seen it.
func (r *resident) noticed(change func()) {
	r.t.Helper()
	seen := func() int { return r.logs.FilterMessage("the interfaces changed").Len() }
	before := seen()
	change()
	eventually(r.t, "the change of the interfaces", func() bool { return seen() > before })
}

// census is who is there: the devices' ids, sorted.
func (r *resident) census() (present []string, missing []inventory.Device) {
	for _, d := range r.a.Snapshot().Devices {
		switch d.State {
		case inventory.Present:
			present = append(present, d.ID)
		case inventory.Missing:
			missing = append(missing, d)
		}
	}
	slices.Sort(present)
	return present, missing
}

// unchanged: the same devices as before, all present.
func (r *resident) unchanged(after string, want []string) {
	r.t.Helper()
	present, missing := r.census()
	for _, d := range missing {
		r.t.Errorf("%s: missing: %v %v, heard by %v", after, d.IPs, d.MACs, d.Sources)
	}
	if !slices.Equal(present, want) {
		r.t.Errorf("%s: %d devices are present, %d before", after, len(present), len(want))
	}
}

// devices are those that are listed, without the removed ones.
func (r *resident) devices() (out []inventory.Device) {
	for _, d := range r.a.Snapshot().Devices {
		if d.State != inventory.Removed {
			out = append(out, d)
		}
	}
	return out
}

// ip changes the agent's link.
func ip(t *testing.T, line string) {
	t.Helper()
	must(t, "ip", strings.Fields(line)...)
}

// usage is what a process may leak. The heap is the simulated site's as well.
type usage struct {
	goroutines, files int
	heap              uint64
}

func used() usage {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd")
	return usage{runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

func TestTroubleOnTheLineMakesNobodyMissingAndLeaksNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, err := lab.Named("sixty")
	if err != nil {
		t.Fatal(err)
	}
	var camera *lab.Device
	play := func() *lab.Running {
		r, err := lab.Segment(context.Background(), lab.SegmentOptions{Site: s})
		if err != nil {
			t.Fatal(err)
		}
		camera = late(t, r)
		return r
	}
	r := play()
	defer func() { r.Close() }()
	cable := func(in bool) {
		if err := r.Cable(0, in); err != nil {
			t.Fatal(err)
		}
	}
	a := settle(t, t.TempDir())
	a.cycles(2)
	present, _ := a.census()
	if len(present) < 55 {
		t.Fatalf("only %d devices found", len(present))
	}

	for range 2 {
		a.noticed(func() { ip(t, "link set cam0 down") })
		a.noticed(func() { ip(t, "link set cam0 up") })
	}
	a.cycles(2)
	a.unchanged("after the link flapped", present)

	// In each trouble there are two cycles in which only some devices answered,
	// as it begins and as it ends, and between them more than make one missing.
	a.noticed(func() { cable(false) })
	a.cycles(4)
	a.unchanged("while the cable was out", present)
	a.noticed(func() { cable(true) })
	a.cycles(2)
	a.unchanged("after it was put in again", present)

	r.SetLoss(1)
	a.cycles(4)
	a.unchanged("while the switch's own cable was out", present)
	r.SetLoss(0)
	a.cycles(2)
	a.unchanged("after that was put in again", present)

	a.noticed(func() {
		ip(t, "addr add 10.77.0.250/24 dev cam0")
		ip(t, "addr del 10.77.0.2/24 dev cam0")
		ip(t, "addr replace 10.77.0.250/24 dev cam0")
	})
	a.cycles(1)
	r.Forget()
	a.cycles(1)
	a.unchanged("after the address changed", present)
	from := map[netip.Addr]int{}
	for _, f := range r.Captured() {
		if work(f) {
			from[f.Src]++
		}
	}
	if old := from[netip.MustParseAddr("10.77.0.2")]; old > 0 || from[netip.MustParseAddr("10.77.0.250")] < 200 {
		t.Errorf("%d frames still bear the old address; by sender: %v", old, from)
	}

	a.noticed(func() {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	})
	a.cycles(4)
	a.unchanged("while the interface was gone", present)
	a.noticed(func() { r = play() })
	a.cycles(2)
	a.unchanged("after the interface was made anew", present)

	second := settle(t, "")
	second.cycles(2)
	a.unchanged("with a second agent on the wire", present)
	if also, _ := second.census(); len(also) != len(present) {
		t.Errorf("the second agent finds %d devices, the first %d", len(also), len(present))
	}
	second.end()

	r.Forget()
	a.cycles(1)
	start := used()
	r.Forget()
	a.cycles(2)
	r.Forget()
	end := used()
	t.Logf("%+v before, %+v after", start, end)
	if end.goroutines > start.goroutines+15 || end.files > start.files+10 || end.heap > start.heap+24<<20 {
		t.Errorf("it grows: %+v before, %+v after", start, end)
	}
	a.unchanged("in the end", present)

	if err := r.Plug(camera.Name); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a device that is plugged in after all that", func() bool {
		_, found := byMAC(a.devices(), camera)
		return found
	})
	noStrangers(t, r, a.devices())
	for _, line := range a.logs.Filter(func(e observer.LoggedEntry) bool { return e.Level > zap.InfoLevel }).All() {
		t.Logf("%s %s %v", line.Level, line.Message, line.ContextMap())
	}
	a.end()
	r.Close()
	goleak.VerifyNone(t, before)
}
