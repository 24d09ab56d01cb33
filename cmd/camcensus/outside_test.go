package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"camcensus/internal/inventory"
	"camcensus/internal/lab"
)

// The tests in the files named outside_* run the built program, as a user
// does, on a simulated site in a network namespace of its own.

func TestMain(m *testing.M) { lab.Isolate(m) }

var built struct {
	once sync.Once
	path string
	err  error
}

// binary is the program under test: CAMCENSUS_BINARY, or one built for these
// tests, static.
func binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("CAMCENSUS_BINARY"); path != "" {
		return path
	}
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "camcensus-test-")
		if err != nil {
			built.err = err
			return
		}
		built.path = filepath.Join(dir, "camcensus")
		cmd := exec.Command("go", "build", "-o", built.path, ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatalf("build camcensus: %v", built.err)
	}
	return built.path
}

// result is what one run of the program came to.
type result struct {
	status   int
	out, err string
	took     time.Duration
}

// camcensus runs the program to its end.
func camcensus(t *testing.T, stdin io.Reader, args ...string) result {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	begun := time.Now()
	err := cmd.Run()
	r := result{out: out.String(), err: errs.String(), took: time.Since(begun)}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		r.status = exit.ExitCode()
	case err != nil:
		t.Fatal(err)
	}
	return r
}

// site plays a named site on cam0 until the test ends.
func site(t *testing.T, name string) *lab.Running {
	t.Helper()
	s, err := lab.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := lab.Segment(context.Background(), lab.SegmentOptions{Site: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// scanned is what scan --format=json prints.
type scanned struct {
	Devices  []inventory.Device
	Coverage struct {
		Notes    []string
		Networks []struct {
			Network                                       string
			Tried, Answered, Excluded, Unreachable, Bogus int
			Up                                            bool
		}
		Sources []struct {
			Source, Interface, Reason string
			Up                        bool
		}
	}
}

func scan(t *testing.T, args ...string) (scanned, result) {
	t.Helper()
	r := camcensus(t, nil, append([]string{"scan", "--interface", "cam0", "--format", "json"}, args...)...)
	var s scanned
	if err := json.Unmarshal([]byte(r.out), &s); err != nil {
		t.Fatalf("scan printed no JSON: %v\nstatus %d\nstdout %.2000s\nstderr %.4000s", err, r.status, r.out, r.err)
	}
	return s, r
}

// byMAC finds the device that a scan made of a simulated one.
func byMAC(devices []inventory.Device, d *lab.Device) (inventory.Device, bool) {
	for _, got := range devices {
		for _, mac := range got.MACs {
			if mac == d.HardwareAddr().String() {
				return got, true
			}
		}
		for _, ip := range got.IPs {
			if ip == d.Addr().String() {
				return got, true
			}
		}
	}
	return inventory.Device{}, false
}

func verdictOf(d inventory.Device, policy string) string {
	for _, v := range d.Verdicts {
		if v.Policy == policy {
			return v.Verdict
		}
	}
	return ""
}

// agentProcess is a running `camcensus run`.
type agentProcess struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	dir  string
	log  agentLog
	done chan error
}

// agentLog is what the program said so far.
type agentLog struct {
	mu   sync.Mutex
	text []byte
}

func (l *agentLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *agentLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// startAgent runs the agent on the simulated site and waits until it is ready.
func startAgent(t *testing.T, dir, config string, stdin ...io.Reader) *agentProcess {
	t.Helper()
	file := filepath.Join(t.TempDir(), "camcensus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &agentProcess{t: t, url: "http://127.0.0.1:9877", dir: dir, done: make(chan error, 1)}
	a.cmd = exec.Command(binary(t), "run", "--config.file", file, "--storage.path", dir)
	a.cmd.Stderr = &a.log
	for _, in := range stdin {
		a.cmd.Stdin = in
	}
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { a.done <- a.cmd.Wait() }()
	t.Cleanup(func() { a.kill() })
	a.await("ready", time.Minute, func() bool { return a.get("/-/ready") != "" })
	return a
}

// kill ends the agent as a power cut would.
func (a *agentProcess) kill() {
	if a.cmd.ProcessState == nil {
		_ = a.cmd.Process.Kill()
		<-a.done
	}
}

// stop ends the agent politely and gives its exit status.
func (a *agentProcess) stop() int {
	a.t.Helper()
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		a.t.Fatal(err)
	}
	select {
	case <-a.done:
	case <-time.After(time.Minute):
		a.t.Fatalf("the agent did not end within a minute of SIGTERM\n%s", a.log.String())
	}
	return a.cmd.ProcessState.ExitCode()
}

// get fetches a page; "" unless the answer is 200.
func (a *agentProcess) get(path string) string {
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Get(a.url + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(b)
}

// await polls until the condition holds, and says how long that took.
func (a *agentProcess) await(what string, within time.Duration, holds func() bool) time.Duration {
	a.t.Helper()
	begun := time.Now()
	for time.Since(begun) < within {
		if holds() {
			return time.Since(begun)
		}
		time.Sleep(50 * time.Millisecond)
	}
	a.t.Fatalf("%s: not within %s; the agent's log:\n%s", what, within, tail(a.log.String(), 6000))
	return 0
}

func tail(s string, n int) string {
	if len(s) > n {
		return s[len(s)-n:]
	}
	return s
}

// sample gives the value of the one metric line that begins with name and
// holds every label given; "" when there is none.
func (a *agentProcess) sample(name string, labels ...string) string {
	for line := range strings.SplitSeq(a.get("/metrics"), "\n") {
		if !strings.HasPrefix(line, name+"{") && !strings.HasPrefix(line, name+" ") {
			continue
		}
		all := true
		for _, l := range labels {
			all = all && strings.Contains(line, l)
		}
		if all {
			return line[strings.LastIndexByte(line, ' ')+1:]
		}
	}
	return ""
}

func (a *agentProcess) devices() []inventory.Device {
	a.t.Helper()
	var list struct{ Devices []inventory.Device }
	if err := json.Unmarshal([]byte(a.get("/api/v1/devices?limit=1000")), &list); err != nil {
		a.t.Fatal(err)
	}
	return list.Devices
}

func (a *agentProcess) device(d *lab.Device) (inventory.Device, bool) {
	return byMAC(a.devices(), d)
}
