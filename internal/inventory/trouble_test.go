package inventory

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"camcensus/internal/policy"
)

// TestABackupThatFailsLeavesNothing: the next try finds the place free.
func TestABackupThatFailsLeavesNothing(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir()})
	s.answer("10.0.0.1", macA, policy.Banned)
	to := filepath.Join(t.TempDir(), "backup.db")
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.Backup(ended, to); err == nil {
		t.Fatal("a backup that was broken off passes for one")
	}
	if err := s.Backup(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), to); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a backup was overwritten: %v", err)
	}
	if st, err := os.Stat(to); err != nil || st.Size() == 0 || st.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", st, err)
	}
}

// TestAnEmptiedFileIsTold: what camcensus held before does not go without a word.
func TestAnEmptiedFileIsTold(t *testing.T) {
	core, log := observer.New(zapcore.WarnLevel)
	said := func() (lines string) {
		for _, e := range log.TakeAll() {
			lines += e.Message + "\n"
		}
		return lines
	}
	o := Options{Dir: t.TempDir(), Log: zap.New(core)}
	file := filepath.Join(o.Dir, FileName)
	empty := func() {
		if err := os.WriteFile(file, nil, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	empty()
	s := newSite(t, o)
	if told := said(); s.Health().Problem != "" || !strings.Contains(told, "is empty: a new inventory is begun") {
		t.Errorf("an empty file: %+v, %s", s.Health(), told)
	}
	s.answer("10.0.0.1", macA, policy.Banned)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	empty()
	s = newSite(t, o)
	if h := s.Health(); h.Errors == 0 || h.SetAside == "" || !strings.Contains(h.Problem, "found empty") || !strings.Contains(said(), "set aside") {
		t.Errorf("%+v", h)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s = newSite(t, o)
	if told := said(); s.Health().Problem != "" || !strings.Contains(told, "though camcensus ran here before") {
		t.Errorf("no file: %+v, %s", s.Health(), told)
	}
}

// TestWhatIsLostAtTheStopIsTold counts it.
func TestWhatIsLostAtTheStopIsTold(t *testing.T) {
	core, log := observer.New(zapcore.ErrorLevel)
	s := newSite(t, Options{Dir: t.TempDir(), Log: zap.New(core)})
	a := s.answer("10.0.0.1", macA, policy.Banned)
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.write.Exec("PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	s.camera(a, policy.Clear)
	if err := s.Annotate(a, AnnotationPatch{Note: ptr("n")}, "alice"); err == nil {
		t.Fatal("it was written")
	}
	if s.Close() == nil {
		t.Fatal("it was written at last")
	}
	lost := log.FilterMessageSnippet("is lost").All()
	if len(lost) != 1 {
		t.Fatal(log.All())
	}
	if f := lost[0].ContextMap(); f["events"] != int64(2) || f["edits"] != int64(1) || f["devices"] != int64(1) {
		t.Error(f)
	}
}

// TestAFolderInPlaceOfTheFileIsNamed, and so is a file that may not be read.
func TestAFolderInPlaceOfTheFileIsNamed(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	file := filepath.Join(o.Dir, FileName)
	refused := func(want string) {
		t.Helper()
		_, err := Open(t.Context(), o)
		_, read := OpenReadOnly(t.Context(), o)
		for _, err := range []error{err, read} {
			if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), want) {
				t.Errorf("no %q: %v", want, err)
			}
		}
	}
	if err := os.Mkdir(file, 0o750); err != nil {
		t.Fatal(err)
	}
	refused("is no file")
	if os.Geteuid() == 0 {
		return // root may read all
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	refused("chown")
}
