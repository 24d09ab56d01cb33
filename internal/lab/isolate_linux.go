package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// outerNamespace is the environment variable by which the isolated process knows the network namespace that it must not be in.
const outerNamespace = "CAMCENSUS_LAB_OUTER_NETNS"

// mountsHidden is set once the mounts are those of the isolated process: its children inherit both.
const mountsHidden = "CAMCENSUS_LAB_MOUNTS"

// Isolate is the first line of a TestMain: it runs the tests in a network namespace of their own, where nothing but a loopback
// interface exists, and ends the process with their status. m is a *testing.M. Where namespaces are forbidden it fails and says what would allow them.
func Isolate(m interface{ Run() int }) {
	if err := Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Enter returns nil inside a network namespace of the process's own. Outside of one it runs the same program with the same
// arguments in a new user, mount and network namespace, and ends with that run's exit status. The user namespace owns nothing of
// the outer network, so that not even root in there can go back to the machine's interfaces.
func Enter() error {
	outer := os.Getenv(outerNamespace)
	if outer == "" {
		return reenter()
	}
	now, err := networkNamespace()
	if err != nil {
		return err
	}
	if now == outer {
		return fmt.Errorf("lab: %s is set, yet this is the namespace %s outside (needs to be unset)", outerNamespace, outer)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("lab: find lo in the new namespace: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("lab: bring lo up in the new namespace: %w (needs CAP_NET_ADMIN in a namespace of its own)", err)
	}
	return hideOuterMounts()
}

func networkNamespace() (string, error) {
	name, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return "", fmt.Errorf("lab: read the name of the network namespace: %w (needs /proc)", err)
	}
	return name, nil
}

// hideOuterMounts shows the new namespace's interfaces under /sys and gives `ip netns` a private folder. Programs in the lab see
// only their own network by it; a kernel that refuses costs no isolation, so a refusal is no error.
func hideOuterMounts() error {
	if os.Getenv(mountsHidden) != "" {
		return nil
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("lab: make the mounts private: %w (needs a mount namespace of its own)", err)
	}
	if unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "") != nil {
		_ = unix.Mount("tmpfs", "/sys/class/net", "tmpfs", 0, "")
	}
	_ = unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755")
	return os.Setenv(mountsHidden, "private")
}

func reenter() error {
	outer, err := networkNamespace()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("lab: find the path of this program: %w", err)
	}
	runtime.LockOSThread() // the child dies with the thread that started it
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), outerNamespace+"="+outer)
	cmd.SysProcAttr = namespaces()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("lab: start in a network namespace: %w (%s)", err, namespaceRemedy(err))
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	os.Exit(exitStatus(cmd.Wait()))
	return nil
}

// namespaces maps every user to itself for root (daemons in a lab drop to users of their own) and the caller to root otherwise.
func namespaces() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	if os.Geteuid() == 0 {
		const everyone = 1 << 16
		attr.UidMappings = []syscall.SysProcIDMap{{Size: everyone}}
		attr.GidMappings = []syscall.SysProcIDMap{{Size: everyone}}
		attr.GidMappingsEnableSetgroups = true
	}
	return attr
}

func namespaceRemedy(err error) string {
	if errors.Is(err, unix.ENOSPC) {
		return "needs more namespaces: sysctl user.max_user_namespaces=15000"
	}
	for _, knob := range []struct{ path, blocks, remedy string }{
		{"/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
		{"/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"},
	} {
		value, err := os.ReadFile(knob.path)
		if err == nil && strings.TrimSpace(string(value)) == knob.blocks {
			return "needs user namespaces: " + knob.remedy
		}
	}
	return "needs user and network namespaces, as `unshare -Urnm true` does: in a container, run it with --security-opt seccomp=unconfined or --privileged"
}

func exitStatus(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		return 1
	case exit.ExitCode() < 0: // ended by a signal
		return 128 + int(exit.Sys().(syscall.WaitStatus).Signal())
	}
	return exit.ExitCode()
}
