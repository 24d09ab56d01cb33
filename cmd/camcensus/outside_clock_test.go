//go:build clock

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"camcensus/internal/lab"
)

// clocked is an agent whose clock the test sets: the program that .ci/clock
// builds, with the tag that these tests have.
type clocked struct {
	*agentProcess
	clock io.Writer
}

func startClocked(t *testing.T, config string) *clocked {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	a := startAgent(t, t.TempDir(), config, out)
	out.Close()
	return &clocked{a, in}
}

// set sets the clock forward, and lets so much time pass.
func (c *clocked) set(forward, pass time.Duration) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.clock, int64(forward), int64(pass)); err != nil {
		c.t.Fatal(err)
	}
}

// figure is a metric without labels.
func (a *agentProcess) figure(name string) int {
	a.t.Helper()
	f, err := strconv.ParseFloat(a.sample(name), 64)
	if err != nil {
		a.t.Fatalf("%s: %v", name, err)
	}
	return int(f)
}

// cycles waits until so many more cycles have ended.
func (a *agentProcess) cycles(n int) {
	a.t.Helper()
	until := a.figure("camcensus_cycle_duration_seconds_count") + n
	a.await(fmt.Sprintf("%d more cycles", n), time.Duration(n)*2*time.Minute, func() bool {
		return a.figure("camcensus_cycle_duration_seconds_count") >= until
	})
}

// troublesome are the events that tell of trouble.
var troublesome = []string{"missing", "returned", "removed", "moved", "merged", "split", "network_lost", "network_back"}

// troubles lists those that are stored.
func (a *agentProcess) troubles() string {
	var out strings.Builder
	for _, event := range troublesome {
		out.WriteString(camcensus(a.t, nil, "inventory", "events", "--storage.path", a.dir, "--event", event).out)
	}
	return out.String()
}

// there is who is present, and how many events so far tell of trouble.
func (a *agentProcess) there() (present []string, trouble int) {
	a.t.Helper()
	for _, d := range a.devices() {
		if d.State == "present" {
			present = append(present, d.ID)
		}
	}
	slices.Sort(present)
	for _, event := range troublesome {
		n, err := strconv.Atoi(a.sample("camcensus_events_total", fmt.Sprintf("event=%q", event)))
		if err != nil {
			a.t.Fatal(err)
		}
		trouble += n
	}
	return present, trouble
}

func TestAClockThatIsSetMakesNobodyMissing(t *testing.T) {
	site(t, "sixty")
	a := startClocked(t, strings.Replace(fastConfig, "interval: 10s", "interval: 5s", 1))
	a.cycles(3)
	present, trouble := a.there()
	if len(present) < 55 {
		t.Fatalf("only %d devices found", len(present))
	}
	for _, step := range []struct {
		what          string
		forward, pass time.Duration
	}{
		{"an hour forward", time.Hour, 0}, {"an hour back", -time.Hour, 0}, {"two more hours back, before its start", -2 * time.Hour, 0},
		{"two hours forward", 2 * time.Hour, 0}, {"an hour asleep", time.Hour, time.Hour}, {"years forward, as NTP does at boot", 3 * 365 * 24 * time.Hour, 0},
	} {
		time.Sleep(2 * time.Second) // into a cycle
		a.set(step.forward, step.pass)
		a.cycles(4)
		now, troubleNow := a.there()
		t.Logf("%s: %d present, %d events of trouble", step.what, len(now), troubleNow-trouble)
		if !slices.Equal(now, present) || troubleNow != trouble {
			t.Errorf("%s: %d present, %d before; %d events of trouble, %d before\n%s", step.what, len(now), len(present), troubleNow, trouble, a.troubles())
			present, trouble = now, troubleNow
		}
	}
	if v := camcensus(t, nil, "inventory", "verify", "--storage.path", a.dir); v.status != 0 {
		t.Errorf("verify: %s", v.err)
	}
}

// footprint is what an agent takes.
type footprint struct{ goroutines, files, memory, store int }

func (a *agentProcess) footprint() footprint {
	a.t.Helper()
	f := footprint{a.figure("go_goroutines"), a.figure("process_open_fds"), a.figure("process_resident_memory_bytes"), 0}
	err := filepath.Walk(a.dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			f.store += int(info.Size())
		}
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return f
}

func (f footprint) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d kB resident, %d kB stored", f.goroutines, f.files, f.memory>>10, f.store>>10)
}

func TestADayOnTheClockLeavesNothingBehind(t *testing.T) {
	r := site(t, "sixty")
	interval := 7 * time.Minute
	a := startClocked(t, strings.Replace(strings.Replace(fastConfig, "interval: 10s", "interval: 7m\n  rate: 0", 1), "rate: 200", "rate: 0", 1))
	a.cycles(1)
	present, trouble := a.there()
	var early footprint
	frames := 0
	for n := range int(24 * time.Hour / interval) {
		a.set(interval+interval/20, interval+interval/20) // and the jitter
		a.cycles(1)
		frames += count(r.Captured())
		r.Forget()
		if n == 60 { // the store's log has its size by then
			early = a.footprint()
		}
		if n%20 == 0 {
			t.Logf("after %s: %s", time.Duration(n+1)*interval, a.footprint())
		}
	}
	late := a.footprint()
	t.Logf("after a day: %s; %d frames were sent", late, frames)
	if late.goroutines > early.goroutines+10 || late.files > early.files+5 || late.memory > early.memory+8<<20 || late.store > early.store+early.store/2 {
		t.Errorf("it grows: %s, and after a day %s", early, late)
	}
	if now, troubleNow := a.there(); !slices.Equal(now, present) || troubleNow != trouble {
		t.Errorf("%d present after a day, %d before; %d events of trouble, %d before", len(now), len(present), troubleNow, trouble)
	}
}

func count(frames []lab.Frame) (n int) {
	for _, f := range frames {
		if work(f) {
			n++
		}
	}
	return n
}
