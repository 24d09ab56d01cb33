package inventory

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile takes the lock that ends with the process; busy tells that another
// process has it. It covers a byte far behind the process number, so that the
// latter stays readable.
func lockFile(f *os.File) (busy bool, err error) {
	at := &windows.Overlapped{Offset: 1 << 20}
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	return errors.Is(err, windows.ERROR_LOCK_VIOLATION), err
}

// The rights that access asks for.
const (
	mayRead  = 4
	mayWrite = 2
)

// access: opening the file tells.
func access(string, uint32) error { return nil }

// giveToOwner: who makes a file there owns it as the directory says.
func giveToOwner(*os.File, string) {}

// unlockFile gives the lock back.
func unlockFile(f *os.File) { f.Close() }
