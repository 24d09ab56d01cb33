package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// TestStoreTouchedByAnother: what another program does to the files of a running
// agent is noticed by the next write, and no device and no verdict is lost. Where the
// file itself is still open, no event and no evidence is lost either.
func TestStoreTouchedByAnother(t *testing.T) {
	other := t.TempDir()
	o := newSite(t, Options{Dir: other})
	o.camera(o.see("10.9.9.9", macC, ev("http", 80, "server", "Dahua")...).Device, policy.Banned)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	foreign, err := os.ReadFile(filepath.Join(other, FileName))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		touch func(t *testing.T, dir, file string) error
		whole bool // every event is still there
		quiet bool // nothing is wrong
	}{
		"deleted":          {touch: func(_ *testing.T, _, file string) error { return os.Remove(file) }, whole: true},
		"deleted with all": {touch: func(_ *testing.T, dir, _ string) error { return os.RemoveAll(dir) }, whole: true},
		"log deleted":      {touch: func(_ *testing.T, _, file string) error { return os.Remove(file + "-wal") }, whole: true},
		"replaced":         {touch: func(_ *testing.T, _, file string) error { return replaceFile(file, foreign) }, whole: true},
		"cut":              {touch: func(_ *testing.T, _, file string) error { return os.Truncate(file, 5000) }},
		"emptied":          {touch: func(_ *testing.T, _, file string) error { return os.Truncate(file, 0) }},
		"overwritten": {touch: func(_ *testing.T, _, file string) error {
			return overwrite(file, []byte(strings.Repeat("noise ", 1<<15)))
		}},
		"overwritten by like": {touch: func(_ *testing.T, _, file string) error { return overwrite(file, foreign) }},
		"only touched":        {touch: func(_ *testing.T, _, file string) error { return os.Chtimes(file, start, start) }, whole: true, quiet: true},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Dir: filepath.Join(t.TempDir(), "state")}
			s := newSite(t, o)
			a := s.see("10.0.0.1", macA, ev("http", 80, "server", "App-webs/")...).Device
			s.camera(a, policy.Banned)
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
			if _, err := s.store.write.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
				t.Fatal(err)
			}
			s.see("10.0.0.2", macB, ev("http", 80, "server", "nginx")...)
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
			s.forgetEvidence()
			length, head := s.Chain()
			time.Sleep(20 * time.Millisecond) // file systems tell times apart that are a tick apart
			if err := c.touch(t, o.Dir, s.store.path); err != nil {
				t.Fatal(err)
			}
			if err := s.Annotate(a, AnnotationPatch{Note: ptr("after")}, "alice"); err != nil {
				t.Fatal(err)
			}
			if h := s.Health(); c.quiet == (h.Problem != "") || c.quiet == (h.Errors > 0) {
				t.Errorf("%+v", h)
			} else if h.Problem != "" && Phrase("fr", h.Problem) == h.Problem {
				t.Errorf("no French for %q", h.Problem)
			}
			s = reopen(t, s, o)
			v, err := s.Verify(t.Context(), head, length)
			if err != nil || !v.OK() || c.whole != (v.Base == 0) {
				t.Errorf("%+v %v", v, err)
			}
			if d := s.device(a); len(s.Devices()) != 2 || d.Annotations.Note != "after" || d.Verdicts[0].Verdict != policy.Banned {
				t.Errorf("%+v of %d", d, len(s.Devices()))
			}
			if got := s.values(a); c.whole && !strings.Contains(got, "App-webs/") {
				t.Errorf("its evidence is %q", got)
			}
		})
	}
}

// forgetEvidence leaves evidence on disk only.
func (s *site) forgetEvidence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.devices {
		s.cool(e)
	}
}

func replaceFile(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func overwrite(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// TestAnotherAgentKeepsWhatItTook: where the directory was emptied and another
// agent has begun in it, the first leaves it alone, and says so.
func TestAnotherAgentKeepsWhatItTook(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "state")}
	s := newSite(t, o)
	a := s.see("10.0.0.1", macA).Device
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		t.Fatal(err)
	}
	other := newSite(t, o)
	other.camera(other.see("10.0.0.2", macB).Device, policy.Banned)
	if err := other.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := s.Annotate(a, AnnotationPatch{Note: ptr("n")}, "alice"); !errors.Is(err, ErrDeferred) || !errors.Is(err, ErrLocked) {
		t.Errorf("got %v", err)
	}
	if h := s.Health(); !strings.Contains(h.Problem, "another camcensus") {
		t.Errorf("%+v", h)
	}
	other = reopen(t, other, o)
	if list := other.Devices(); len(list) != 1 || list[0].MACs[0] != macB {
		t.Errorf("the other agent's devices: %+v", list)
	}
}

// TestANewFileBeginsOnceItCan: the file is damaged, and the disk does not take
// another one at once.
func TestANewFileBeginsOnceItCan(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "store")}
	away := o.Dir + ".away"
	o.Log = zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), zapcore.AddSync(io.Discard), zap.ErrorLevel),
		zap.Hooks(func(e zapcore.Entry) error { // as soon as the file is aside
			if strings.Contains(e.Message, "set aside") {
				return os.Rename(o.Dir, away)
			}
			return nil
		}))
	s := newSite(t, o)
	a := s.see("10.0.0.1", macA, ev("http", 80, "server", "App-webs/")...).Device
	s.camera(a, policy.Banned)
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	s.store.corrupt <- errIntegrity
	for began := time.Now(); s.Health().Errors < 2; time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("it was not tried in 20 seconds")
		}
	}
	if err := s.Annotate(a, AnnotationPatch{Note: ptr("too early")}, "alice"); !errors.Is(err, ErrDeferred) {
		t.Fatalf("got %v", err)
	}
	if err := os.Rename(away, o.Dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Annotate(a, AnnotationPatch{Note: ptr("after")}, "alice"); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s, Options{Dir: o.Dir})
	if d := s.device(a); d.Annotations.Note != "after" || d.Verdicts[0].Verdict != policy.Banned || !strings.Contains(s.values(a), "App-webs/") {
		t.Errorf("%+v", d)
	}
}

// TestVerdictStandsWhereItsEvidenceIsLost: judging anew takes nothing from a
// device of which nothing can be read any more, but for what rested on a list
// or a finding that is no more.
func TestVerdictStandsWhereItsEvidenceIsLost(t *testing.T) {
	lists := []string{"ca-hikvision-2025", "dropped"}
	o := Options{Dir: t.TempDir(), Judge: func(d Device, ev []fingerprint.Evidence) (id fingerprint.Identity, verdicts []policy.Verdict) {
		verdict := policy.Unclassified
		id.Class = fingerprint.ClassUnknown
		if len(ev) > 0 {
			id, verdict = fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera}, policy.Banned
		}
		if d.Determination != nil {
			verdict = policy.Clear
		}
		for _, name := range lists {
			verdicts = append(verdicts, policy.Verdict{Policy: name, Verdict: verdict})
		}
		return id, verdicts
	}}
	s := newSite(t, o)
	a := s.see("10.0.0.1", macA, ev("http", 80, "server", "App-webs/")...).Device
	s.Rejudge()
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.write.Exec("DELETE FROM evidence"); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s, o)
	show := func() string {
		d := s.device(a)
		line := d.Manufacturer + " " + string(d.Class)
		for _, v := range d.Verdicts {
			line += ", " + v.Policy + " " + v.Verdict
		}
		return line
	}
	lists[1] = "new"
	s.Rejudge()
	if got := show(); got != "Hikvision camera, ca-hikvision-2025 banned, new unknown" {
		t.Error(got)
	}
	if told := s.told(a); told[len(told)-1] != "verdict_changed" {
		t.Errorf("that a list is no longer active is not told: %v", told)
	}
	if err := s.Annotate(a, AnnotationPatch{Acquired: ptr("2022-05-01")}, "alice"); err != nil {
		t.Fatal(err)
	}
	if got := show(); got != "Hikvision camera, ca-hikvision-2025 banned, new unknown" {
		t.Error(got)
	}
	if err := s.Determine(a, &Determination{Manufacturer: "Axis", Basis: "label"}, "alice"); err != nil {
		t.Fatal(err)
	}
	if got := show(); !strings.HasSuffix(got, "ca-hikvision-2025 clear, new clear") {
		t.Error(got)
	}
	if err := s.Determine(a, nil, "alice"); err != nil {
		t.Fatal(err)
	}
	if got := show(); !strings.HasSuffix(got, "ca-hikvision-2025 unknown, new unknown") {
		t.Error(got)
	}
}

// TestJudgedAnewOnlyWhereSomethingIsNew: a start judges nothing that was judged
// by the same before, unless the agent was killed.
func TestJudgedAnewOnlyWhereSomethingIsNew(t *testing.T) {
	o := Options{Dir: t.TempDir(), Judge: func(Device, []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict) {
		return fingerprint.Identity{Class: fingerprint.ClassCamera}, nil
	}}
	s := newSite(t, o)
	s.camera(s.see("10.0.0.1", macA, ev("http", 80, "server", "App-webs/")...).Device, policy.Banned)
	for n, c := range []struct {
		by     string
		judged int
		killed bool
	}{
		{by: "rules 1", judged: 1},
		{by: "rules 1", judged: 0},
		{by: "rules 2", judged: 1, killed: true},
		{by: "rules 2", judged: 1},
		{by: "rules 2", judged: 0},
		{by: "", judged: 1},
		{by: "rules 2", judged: 1},
	} {
		if got := s.RejudgeUnless(t.Context(), c.by); got != c.judged {
			t.Errorf("start %d, by %q: %d judged, want %d", n, c.by, got, c.judged)
		}
		if c.killed {
			s.judgedBy = "" // what only an orderly end writes
		}
		s = reopen(t, s, o)
	}
	s.RejudgeUnless(t.Context(), "rules 2")
	s.Rejudge() // other rules meanwhile
	if s = reopen(t, s, o); s.RejudgeUnless(t.Context(), "rules 2") != 1 {
		t.Error("a reload in between was not told")
	}
	s = reopen(t, s, o) // by a command that edits, under whatever configuration
	if s = reopen(t, s, o); s.RejudgeUnless(t.Context(), "rules 2") != 1 {
		t.Error("an edit in between, without an agent, was not told")
	}
}

// TestAReloadWhileAllAreJudgedHasTheLastWord: the first round over all devices
// takes its time, and other rules may come meanwhile, or before it begins.
func TestAReloadWhileAllAreJudgedHasTheLastWord(t *testing.T) {
	for _, late := range []bool{false, true} {
		var rules, judged atomic.Int64
		judging, reloading := make(chan struct{}), make(chan struct{})
		o := Options{Dir: t.TempDir(), Judge: func(Device, []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict) {
			by := rules.Load()
			if judged.Add(1) == 1 && !late {
				close(judging)
				<-reloading
			}
			return fingerprint.Identity{Class: fingerprint.ClassCamera, Model: fmt.Sprintf("rules %d", by)}, nil
		}}
		s := newSite(t, o)
		for n := range 3 {
			s.see(fmt.Sprintf("10.0.0.%d", n+1), fmt.Sprintf("44:19:b6:10:20:%02x", n), ev("http", 80, "server", "App-webs/")...)
		}
		var start sync.WaitGroup
		if !late {
			start.Go(func() { s.RejudgeUnless(t.Context(), "rules 0") })
			<-judging
		}
		rules.Store(1)
		start.Go(func() {
			if late {
				s.Rejudge()
				s.RejudgeUnless(t.Context(), "rules 0")
				return
			}
			close(reloading)
			s.Rejudge()
		})
		start.Wait()
		for _, d := range s.Devices() {
			if d.Model != "rules 1" {
				t.Errorf("late %v: %s is judged by %s", late, d.ID, d.Model)
			}
		}
		if s = reopen(t, s, o); s.RejudgeUnless(t.Context(), "rules 0") != 3 {
			t.Errorf("late %v: the next start takes them for judged by the old rules", late)
		}
	}
}

// TestJudgingAllGivesUpWhenItsOutcomeIsOld: for a reload, and at the agent's end.
func TestJudgingAllGivesUpWhenItsOutcomeIsOld(t *testing.T) {
	for _, ends := range []string{"no", "start", "reload"} { // which judging the agent's end stops
		const devices = 3 * rejudgedAtOnce
		judging, goOn := make(chan struct{}), make(chan struct{})
		var calls atomic.Int64
		o := Options{Dir: t.TempDir(), Judge: func(Device, []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict) {
			if calls.Add(1) == 1 {
				close(judging)
				<-goOn
			}
			return fingerprint.Identity{Class: fingerprint.ClassCamera}, nil
		}}
		s := newSite(t, o)
		for n := range devices {
			s.see(fmt.Sprintf("10.0.0.%d", n+1), fmt.Sprintf("44:19:b6:10:20:%02x", n), ev("http", 80, "server", "App-webs/")...)
		}
		ctx, end := context.WithCancel(t.Context())
		judged, reloaded := make(chan int, 1), make(chan int, 1)
		if ends == "reload" {
			go func() { judged <- s.Rejudge() }()
		} else {
			go func() { judged <- s.RejudgeUnless(ctx, "rules 1") }()
		}
		<-judging
		switch ends {
		case "start":
			end()
		case "reload":
			s.EndJudging()
		default:
			go func() { reloaded <- s.Rejudge() }()
			for s.rejudges.Load() == 0 {
				runtime.Gosched()
			}
		}
		close(goOn)
		if n := <-judged; n != rejudgedAtOnce {
			t.Errorf("ends %s: %d devices judged before it gave up", ends, n)
		}
		if ends == "no" {
			if n := <-reloaded; n != devices {
				t.Errorf("%d devices judged by the reload", n)
			}
		}
		end()
		if s = reopen(t, s, o); s.RejudgeUnless(t.Context(), "rules 1") != devices {
			t.Errorf("ends %s: the next start takes them for judged", ends)
		}
	}
}

// TestJudgingMakesWayForReaders: while somebody reads page after page the next
// devices wait, but not for ever.
func TestJudgingMakesWayForReaders(t *testing.T) {
	const rounds = 5
	judge := func(read bool) (took time.Duration, judged int) {
		synctest.Test(t, func(t *testing.T) {
			i := newInventory(Options{Judge: func(Device, []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict) {
				judged++
				return fingerprint.Identity{}, nil
			}})
			for n := range rounds * rejudgedAtOnce {
				i.Observe(Observation{Time: time.Now(), Source: "arp", IP: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), MAC: net.HardwareAddr{0, 0x1b, 0x21, 0, byte(n >> 8), byte(n)}})
			}
			ctx, end := context.WithCancel(t.Context())
			var reader sync.WaitGroup
			defer reader.Wait()
			defer end()
			if read {
				i.EachBrief(func(*Device) bool { return true })
				reader.Go(func() {
					for ctx.Err() == nil {
						i.EachBrief(func(*Device) bool { return true })
						time.Sleep(readsTogether / 2)
					}
				})
			}
			begun := time.Now()
			i.Rejudge()
			took = time.Since(begun)
		})
		return took, judged
	}
	alone, all := judge(false)
	if all != rounds*rejudgedAtOnce || alone != 0 {
		t.Errorf("with nobody reading, %d judged in %s", all, alone)
	}
	read, all := judge(true)
	if all != rounds*rejudgedAtOnce || read < rounds*longestWay || read > 2*rounds*longestWay {
		t.Errorf("beside a reader, %d judged in %s", all, read)
	}
}
