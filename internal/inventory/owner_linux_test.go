package inventory

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"camcensus/internal/policy"
)

// TestWhatRootMakesBelongsToTheOwner of the store, whose agent is to start after
// an edit that root made. Whoever else runs this shows only that his stay his.
func TestWhatRootMakesBelongsToTheOwner(t *testing.T) {
	owner, group := uint32(os.Geteuid()), uint32(os.Getegid())
	dir := t.TempDir()
	if owner == 0 {
		owner, group = 4711, 4712
		if err := os.Chown(dir, int(owner), int(group)); err != nil {
			t.Fatal(err)
		}
	}
	s := newSite(t, Options{Dir: dir})
	s.answer("10.0.0.1", macA, policy.Banned)
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{LockName, FileName, FileName + "-wal", FileName + "-shm"} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if of := st.Sys().(*syscall.Stat_t); of.Uid != owner || of.Gid != group {
			t.Errorf("%s belongs to %d:%d", name, of.Uid, of.Gid)
		}
	}
}
