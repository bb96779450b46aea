package packet

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// netNS is the network namespace in which the engine was started. Its connections
// are there, whatever threads its goroutines run on later.
type netNS struct {
	file  *os.File
	inode uint64
	// cookie is a number that no other namespace ever had, nor will have until the
	// machine is started again; those of inodes come again.
	cookie uint64
}

const ownNetNS = "/proc/thread-self/ns/net"

func openNetNS() (*netNS, error) {
	f, err := os.Open(ownNetNS)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	cookie, err := netNSCookie()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	return &netNS{f, st.Ino, cookie}, nil
}

// netNSCookie asks a socket, which is in the namespace of the thread that makes it.
func netNSCookie() (uint64, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return 0, fmt.Errorf("ask for its cookie: %w", err)
	}
	return cookie, nil
}

// do runs f in the namespace.
func (n *netNS) do(f func() error) error {
	var here unix.Stat_t
	if err := unix.Stat(ownNetNS, &here); err == nil && here.Ino == n.inode {
		return f() // a process seldom has more than one
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("enter network namespace: %w", err)
			return
		}
		result <- f()
	}()
	return <-result
}

func (n *netNS) close() error { return n.file.Close() }
