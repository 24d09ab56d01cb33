package inventory

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"camcensus/internal/policy"
)

// The kill test runs this binary again as an agent under load and kills it at
// a random moment. CAMCENSUS_KILLS says how often, 12 by default.
const (
	killEnv  = "CAMCENSUS_TEST_AGENT"
	killsEnv = "CAMCENSUS_KILLS"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		agentUnderLoad(dir)
	}
	os.Exit(m.Run())
}

// agentUnderLoad observes and edits for ever; each line it prints is an edit
// that was acknowledged.
func agentUnderLoad(dir string) {
	c := &clock{t: time.Now()}
	inv, err := Open(context.Background(), Options{Dir: dir, Now: c.now})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	s := &site{Inventory: inv, clock: c}
	begin := inv.Len()
	for n := begin; ; n++ {
		hw := fmt.Sprintf("44:19:b6:%02x:%02x:%02x", n>>16, n>>8&255, n&255)
		id := s.Observe(Observation{Time: c.t, Source: "http", IP: ip(fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)), MAC: mac(hw),
			Evidence: ev("http", 80, "server", "App-webs/", "body", strings.Repeat("x", 3000))}).Device
		s.camera(id, policy.Banned)
		if n%7 == 0 {
			note := strconv.Itoa(n)
			if err := s.Annotate(id, AnnotationPatch{Note: &note}, "load"); err == nil {
				length, head := s.Chain()
				fmt.Println("done", id, note, length, head)
			}
		}
	}
}

func kills() int {
	if n, err := strconv.Atoi(os.Getenv(killsEnv)); err == nil {
		return n
	}
	if testing.Short() {
		return 3
	}
	return 12
}

func TestKilledAtAnyMoment(t *testing.T) {
	dir, total := "", 0
	var acked map[string]string
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for round := range kills() {
		if round%25 == 0 { // a store that grows for ever would only be slower
			total += len(acked)
			dir, acked = t.TempDir(), map[string]string{}
		}
		length, head := killOne(t, dir, acked, time.Duration(20+rng.IntN(280))*time.Millisecond)
		if round%3 == 2 {
			tearTail(t, dir, rng)
		}
		began := time.Now()
		s := &site{t: t, clock: &clock{t: time.Now()}}
		inv, err := Open(t.Context(), Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		s.Inventory = inv
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("start took %v", took)
		}
		if h := inv.Health(); h.Problem != "" {
			t.Fatalf("%+v", h)
		}
		v, err := inv.Verify(t.Context(), head, length)
		if err != nil || !v.OK() {
			t.Fatalf("round %d: %+v %v", round, v, err)
		}
		for id, note := range acked {
			if d, ok := inv.Device(id); !ok || d.Annotations.Note != note {
				t.Fatalf("round %d: %s lost its acknowledged note %s", round, id, note)
			}
		}
		if err := inv.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d acknowledged edits, all there", kills(), total+len(acked))
	if total+len(acked) == 0 {
		t.Error("nothing was acknowledged: the test shows nothing")
	}
}

// killOne runs the agent and kills it, some time after its first
// acknowledgement; it returns the last head that was acknowledged.
func killOne(t *testing.T, dir string, acked map[string]string, after time.Duration) (length int64, head string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), killEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after+200*time.Millisecond, func() { cmd.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) != 5 || f[0] != "done" || len(f[4]) != 64 {
			if len(f) > 0 && f[0] == "error" {
				t.Fatal(lines.Text())
			}
			continue // the line that the kill cut
		}
		acked[f[1]] = f[2]
		length, _ = strconv.ParseInt(f[3], 10, 64)
		head = f[4]
	}
	io.Copy(io.Discard, out)
	cmd.Wait()
	return length, head
}

// tearTail appends half a frame of noise to the log, as a write that power cut
// short leaves it.
func tearTail(t *testing.T, dir string, rng *rand.Rand) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, FileName+"-wal"), os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return // no log was left
	}
	defer f.Close()
	noise := make([]byte, 1+rng.IntN(9000))
	for n := range noise {
		noise[n] = byte(rng.Uint32())
	}
	if _, err := f.Write(noise); err != nil {
		t.Fatal(err)
	}
}
