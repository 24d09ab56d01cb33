//go:build unix

package inventory

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes the lock that ends with the process; busy tells that another
// process has it.
func lockFile(f *os.File) (busy bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return errors.Is(err, syscall.EWOULDBLOCK), err
}

// unlockFile gives the lock back at once, also where a process that is just
// being started has inherited the file for a moment.
func unlockFile(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // closing it does the same, a little later
	f.Close()
}
