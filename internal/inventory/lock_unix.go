//go:build unix

package inventory

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// lockFile takes the lock that ends with the process; busy tells that another
// process has it.
func lockFile(f *os.File) (busy bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return errors.Is(err, syscall.EWOULDBLOCK), err
}

// The rights that access asks for.
const (
	mayRead  = 4
	mayWrite = 2
)

// access tells whether this user has a right to a file, without opening it: to
// close it again would end the locks that sqlite holds on it.
func access(path string, right uint32) error {
	if err := syscall.Access(path, right); err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return nil
}

// giveToOwner gives a file that root made in dir to whoever owns the store
// there, or the directory.
func giveToOwner(f *os.File, dir string) {
	if os.Geteuid() != 0 {
		return
	}
	for _, path := range []string{filepath.Join(dir, FileName), dir} {
		st, err := os.Lstat(path)
		if err != nil || f.Name() == path {
			continue
		}
		if owner, ok := st.Sys().(*syscall.Stat_t); ok {
			_ = f.Chown(int(owner.Uid), int(owner.Gid)) // in a container root may not
			return
		}
	}
}

// unlockFile gives the lock back at once, also where a process that is just
// being started has inherited the file for a moment.
func unlockFile(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // closing it does the same, a little later
	f.Close()
}
