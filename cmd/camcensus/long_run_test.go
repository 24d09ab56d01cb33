package main

import (
	"context"
	"os"
	"os/exec"
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
inventory: {missing_after: 2}
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
	core, logs := observer.New(zap.WarnLevel)
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
		case <-time.After(20 * time.Second):
			t.Error("the agent did not end within 20 s")
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
	for begun := time.Now(); r.a.Snapshot().Cycle.Durations.Count < until; time.Sleep(50 * time.Millisecond) {
		if time.Since(begun) > 120*time.Second {
			r.t.Fatalf("%d cycles did not end within 120 s", n)
		}
	}
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

func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
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

// longRun is how long the steady part takes: CAMCENSUS_LONG_RUN=1h for a soak.
func longRun(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("CAMCENSUS_LONG_RUN")
	if text == "" {
		return 20 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("CAMCENSUS_LONG_RUN: %v", err)
	}
	return d
}

func TestTroubleOnTheLineMakesNobodyMissingAndLeaksNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, err := lab.Named("sixty")
	if err != nil {
		t.Fatal(err)
	}
	play := func() *lab.Running {
		r, err := lab.Segment(context.Background(), lab.SegmentOptions{Site: s})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := play()
	defer func() { r.Close() }()
	a := settle(t, t.TempDir())
	a.cycles(3)
	present, _ := a.census()
	if len(present) < 55 {
		t.Fatalf("only %d devices found", len(present))
	}

	ip(t, "link", "set", "cam0", "down")
	time.Sleep(5 * time.Second)
	ip(t, "link", "set", "cam0", "up")
	time.Sleep(3 * time.Second)
	a.cycles(2)
	a.unchanged("after the link flapped", present)

	r.SetLoss(1)
	a.cycles(3)
	r.SetLoss(0)
	a.unchanged("while the cable was out behind the switch", present)
	a.cycles(2)
	a.unchanged("after it was put in again", present)

	ip(t, "addr", "del", "10.77.0.2/24", "dev", "cam0")
	ip(t, "addr", "add", "10.77.0.250/24", "dev", "cam0")
	time.Sleep(3 * time.Second)
	a.cycles(2)
	a.unchanged("after the address changed", present)

	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	a.unchanged("while the interface was gone", present)
	r = play()
	time.Sleep(3 * time.Second)
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
	begun := a.a.Snapshot().Cycle.Durations.Count
	time.Sleep(longRun(t))
	r.Forget()
	a.cycles(1)
	end := used()
	t.Logf("%d cycles: %+v before, %+v after", a.a.Snapshot().Cycle.Durations.Count-begun, start, end)
	if end.goroutines > start.goroutines+15 || end.files > start.files+10 || end.heap > start.heap+24<<20 {
		t.Errorf("it grows: %+v before, %+v after", start, end)
	}
	a.unchanged("in the end", present)
	for _, line := range a.logs.All() {
		t.Logf("%s %s %v", line.Level, line.Message, line.ContextMap())
	}
	a.end()
	r.Close()
	goleak.VerifyNone(t, before)
}
