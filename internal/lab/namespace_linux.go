package lab

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace that lives as long as a thread of this process: sockets that are opened by do belong to it.
type namespace struct {
	work chan func()
	file *os.File
}

func newNamespace() (*namespace, error) {
	n := &namespace{work: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and the namespace with the thread
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			n.file, err = os.Open("/proc/thread-self/ns/net")
		}
		ready <- err
		if err != nil {
			return
		}
		for f := range n.work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("lab: make a network namespace for the devices: %w (needs CAP_SYS_ADMIN: call lab.Isolate first)", err)
	}
	return n, nil
}

// do runs f on the namespace's thread.
func (n *namespace) do(f func() error) error {
	done := make(chan error)
	n.work <- func() { done <- f() }
	return <-done
}

func (n *namespace) close() error {
	close(n.work)
	return n.file.Close()
}

// setting writes a kernel setting of the calling thread's network. One that this kernel lacks is passed over.
func setting(path, value string) {
	_ = os.WriteFile("/proc/sys/net/"+path, []byte(value), 0)
}

// plainFrames turns off what a virtual interface leaves to hardware: what is captured then is what a cable would carry.
func plainFrames(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const rxChecksum, txChecksum, scatter, tso, gso, gro = 0x15, 0x17, 0x19, 0x1f, 0x24, 0x2c
	for _, command := range []uint32{tso, gso, gro, txChecksum, rxChecksum, scatter} {
		value := struct{ command, data uint32 }{command, 0}
		request := struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [16]byte
		}{data: unsafe.Pointer(&value)}
		copy(request.name[:unix.IFNAMSIZ-1], name)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 && command != rxChecksum && command != scatter {
			return fmt.Errorf("lab: turn offloads off on %s: %w", name, errno)
		}
	}
	return nil
}

// openWire opens a packet socket that sees every frame that arrives on the interface, whoever it is meant for.
func openWire(index int) (*os.File, error) {
	const everything = 0x0300 // ETH_P_ALL in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("lab: open a packet socket: %w (needs CAP_NET_RAW)", err)
	}
	for _, option := range []struct{ level, name, value int }{
		{unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		{unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1},
		{unix.SOL_SOCKET, unix.SO_RCVBUF, 64 << 20},
	} {
		if err := unix.SetsockoptInt(fd, option.level, option.name, option.value); err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("lab: set up a packet socket: %w", err)
		}
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: index}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("lab: bind a packet socket: %w", err)
	}
	return os.NewFile(uintptr(fd), "packet socket"), nil
}
