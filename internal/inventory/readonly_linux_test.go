package inventory

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"camcensus/internal/policy"
)

// TestADiskThatIsReadOnlyAtTheStart runs itself in a mount namespace of its own:
// a store was restored there, and nothing else lies beside it.
func TestADiskThatIsReadOnlyAtTheStart(t *testing.T) {
	dir := os.Getenv("CAMCENSUS_READONLY")
	if dir == "" {
		cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), "CAMCENSUS_READONLY="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("camcensus", dir, "tmpfs", flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(0)
	o := Options{Dir: dir}
	s := newSite(t, o)
	a := s.answer("10.0.0.1", macA, policy.Banned)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, LockName)); err != nil {
		t.Fatal(err)
	}
	remount(syscall.MS_REMOUNT | syscall.MS_RDONLY)
	s = newSite(t, o)
	if err := s.Annotate(a, AnnotationPatch{Note: ptr("from memory")}, "alice"); !errors.Is(err, ErrDeferred) {
		t.Errorf("an edit: %v", err)
	}
	if s.Health().Problem == "" {
		t.Error("nothing is told")
	}
	refused := func(when string) {
		t.Helper()
		if _, err := Open(t.Context(), o); !errors.Is(err, ErrLocked) {
			t.Errorf("a second agent %s: %v", when, err)
		}
	}
	refused("on the read-only disk")
	remount(syscall.MS_REMOUNT)
	for began := time.Now(); s.Health().Problem != ""; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("it did not catch up in 20 seconds: %+v", s.Health())
		}
	}
	refused("once it can be written")
	s = reopen(t, s, o)
	if d := s.device(a); d.Annotations.Note != "from memory" {
		t.Errorf("%+v", d.Annotations)
	}
}
