package inventory

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"camcensus/internal/policy"
)

// The kill test runs this binary again as an agent under load and kills it at
// a random moment, in several stores at a time. CAMCENSUS_KILLS says how
// often: 24 by default, 500 by "make kill".
const (
	killEnv    = "CAMCENSUS_TEST_AGENT"
	limitEnv   = "CAMCENSUS_TEST_FILE_LIMIT" // bytes at which the disk is full
	killsEnv   = "CAMCENSUS_KILLS"
	killStores = 4
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
	if size, err := strconv.ParseUint(os.Getenv(limitEnv), 10, 64); err == nil {
		if err := limitFileSize(size); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	c := newClock(time.Now())
	inv, err := Open(context.Background(), Options{Dir: dir, Now: c.now})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	s := &site{Inventory: inv, clock: c}
	begin := inv.Len()
	for n := begin; ; n++ {
		hw := fmt.Sprintf("44:19:b6:%02x:%02x:%02x", n>>16, n>>8&255, n&255)
		id := s.Observe(Observation{Time: c.now(), Source: "http", IP: ip(fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)), MAC: mac(hw),
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
		return 4
	}
	return 24
}

func TestKilledAtAnyMoment(t *testing.T) {
	stores := make([]killing, killStores)
	var all sync.WaitGroup
	for n := range stores {
		k := &stores[n]
		*k = killing{t: t, rng: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(n)))}
		all.Go(func() {
			for round := 0; round < kills()/killStores && k.fault == nil; round++ {
				k.fault = k.round(round)
			}
		})
	}
	all.Wait()
	total, full := 0, 0
	for n := range stores {
		if stores[n].fault != nil {
			t.Errorf("store %d: %v", n, stores[n].fault)
		}
		total += stores[n].total + len(stores[n].acked)
		full += stores[n].full
	}
	t.Logf("%d kills, %d of them on a full disk, %d acknowledged edits, all there", kills(), full, total)
	if total == 0 {
		t.Error("nothing was acknowledged: the test shows nothing")
	}
}

// killing is one store whose agent is killed again and again.
type killing struct {
	t     *testing.T
	rng   *rand.Rand
	dir   string
	acked map[string]string // note by device
	total int
	full  int // kills on a full disk
	fault error

	length int64 // the last chain that was acknowledged
	head   string
}

// round kills one agent and holds the store against what was acknowledged.
func (k *killing) round(n int) error {
	if n%25 == 0 { // a store that grows for ever would only be slower
		k.total += len(k.acked)
		k.dir, k.acked, k.length, k.head = k.t.TempDir(), map[string]string{}, 0, ""
	}
	if err := k.kill(n%4 == 3); err != nil {
		return err
	}
	if n%3 == 2 {
		if err := k.tearTail(); err != nil {
			return err
		}
	}
	began := time.Now()
	inv, err := Open(k.t.Context(), Options{Dir: k.dir})
	if err != nil {
		return err
	}
	defer inv.Close()
	if took := time.Since(began); took > 5*time.Second {
		return fmt.Errorf("round %d: start took %v", n, took)
	}
	if h := inv.Health(); h.Problem != "" {
		return fmt.Errorf("round %d: %+v", n, h)
	}
	v, err := inv.Verify(k.t.Context(), k.head, k.length)
	if err != nil || !v.OK() {
		return fmt.Errorf("round %d: %+v %w", n, v, err)
	}
	for id, note := range k.acked {
		if d, ok := inv.Device(id); !ok || d.Annotations.Note != note {
			return fmt.Errorf("round %d: %s lost its acknowledged note %s", n, id, note)
		}
	}
	return inv.Close()
}

// kill runs the agent and kills it after a random time; it takes down what the
// agent acknowledged.
func (k *killing) kill(full bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), killEnv+"="+k.dir)
	if full {
		k.full++
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", limitEnv, k.largest()+k.rng.Int64N(300<<10)))
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	after := time.Duration(5+k.rng.IntN(595)) * time.Millisecond
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) > 0 && f[0] == "error" && !full {
			err = errors.New(lines.Text())
		}
		if len(f) != 5 || f[0] != "done" || len(f[4]) != 64 {
			continue // the line that the kill cut
		}
		k.acked[f[1]] = f[2]
		k.length, _ = strconv.ParseInt(f[3], 10, 64)
		k.head = f[4]
	}
	io.Copy(io.Discard, out)
	cmd.Wait()
	return err
}

// largest is the size of the store's largest file.
func (k *killing) largest() int64 {
	var most int64
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if st, err := os.Stat(filepath.Join(k.dir, FileName+suffix)); err == nil {
			most = max(most, st.Size())
		}
	}
	return most
}

// tearTail appends half a frame of noise to the log, as a write that power cut
// short leaves it.
func (k *killing) tearTail() error {
	f, err := os.OpenFile(filepath.Join(k.dir, FileName+"-wal"), os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil // no log was left
	}
	defer f.Close()
	noise := make([]byte, 1+k.rng.IntN(9000))
	for n := range noise {
		noise[n] = byte(k.rng.Uint32())
	}
	_, err = f.Write(noise)
	return err
}
