package lab_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestIsolatedProcessHasOnlyAWorkingLoopback(t *testing.T) {
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 && !strings.HasPrefix(i.Name, "cam") && i.HardwareAddr != nil {
			t.Errorf("interface %s of another network is here", i.Name)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("loopback does not work: %v", err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("loopback does not carry a connection: %v", err)
	}
	c.Close()
}

func TestIsolatedProcessCannotReturnToTheOuterNetwork(t *testing.T) {
	outer := os.Getenv("CAMCENSUS_LAB_OUTER_NETNS")
	if outer == "" {
		t.Fatal("the name of the outer namespace is not known")
	}
	paths, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if name, err := os.Readlink(path); err != nil || name != outer {
			continue
		}
		entered := make(chan error)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			f, err := os.Open(path)
			if err == nil {
				defer f.Close()
				err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
			}
			entered <- err
		}()
		if err := <-entered; err == nil {
			t.Fatalf("entered the outer network by %s", path)
		}
	}
}
