package inventory

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"camcensus/internal/policy"
)

// TestWhatRootMakesBelongsToTheOwner of the store, whose agent is to start after
// an edit that root made. Only root can play that.
func TestWhatRootMakesBelongsToTheOwner(t *testing.T) {
	const other = 4711
	dir := t.TempDir()
	if os.Geteuid() != 0 || os.Chown(dir, other, other) != nil {
		t.Skip("only root gives files to others")
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
		if of := st.Sys().(*syscall.Stat_t); of.Uid != other || of.Gid != other {
			t.Errorf("%s belongs to %d:%d", name, of.Uid, of.Gid)
		}
	}
}
