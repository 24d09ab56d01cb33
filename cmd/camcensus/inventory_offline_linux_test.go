package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestAnEditOnADiskThatTakesNothingIsLost makes one on a small disk of its own,
// in a mount namespace: read-only, then full.
func TestAnEditOnADiskThatTakesNothingIsLost(t *testing.T) {
	dir, id := stored(t)
	const script = `mount -t tmpfs -o size=1m camcensus "$3" && cp "$2"/camcensus.db "$3" && cd "$3" || exit 70
if [ "$5" = full ]; then dd if=/dev/zero of=filler bs=4k 2>/dev/null; else mount -o remount,ro "$3" || exit 70; fi
"$1" inventory --storage.path="$3" annotate "$4" --note lost; status=$?
[ "$5" = full ] && rm filler || mount -o remount,rw "$3"
"$1" inventory --storage.path="$3" show "$4"
exit $status`
	for _, disk := range []string{"read-only", "full"} {
		cmd := exec.Command("sh", "-c", script, "sh", binary(t), dir, t.TempDir(), id, disk)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run()
		if status := cmd.ProcessState.ExitCode(); status != exitFailed || !strings.Contains(errs.String(), "the edit was NOT kept: make room on the disk, or make it writable") ||
			strings.Contains(errs.String(), "kept in memory") {
			t.Errorf("%s: %d, %s", disk, status, &errs)
		}
		if !strings.Contains(out.String(), id+":") || strings.Contains(out.String(), "lost") || strings.Contains(out.String(), "done") {
			t.Errorf("%s: %s", disk, &out)
		}
	}
}
