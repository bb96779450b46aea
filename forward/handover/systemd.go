//go:build unix

package handover

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// firstFD is the first of the descriptors that systemd passes (SD_LISTEN_FDS_START).
const firstFD = 3

// Inherited returns the listeners that systemd has opened for this process, none if it
// hasn't. It takes them from the environment, so that no process started from here
// takes them for its own. Sockets that are no TCP listeners are an error.
func Inherited() ([]*net.TCPListener, error) {
	pid, n := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name)
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	count, err := strconv.Atoi(n)
	if err != nil || count < 0 {
		return nil, fmt.Errorf("take over sockets of systemd: LISTEN_FDS is %q", n)
	}
	fds := make([]int, count)
	for i := range fds {
		fds[i] = firstFD + i
	}
	list, err := listenersOf(fds)
	if err != nil {
		_ = closeAll(list)
		return nil, fmt.Errorf("take over sockets of systemd: %w", err)
	}
	return list, nil
}

// What systemd is told of a service.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	Alive    = "WATCHDOG=1"
)

// MainPID says which process the service is from now on.
func MainPID(pid int) string { return fmt.Sprintf("MAINPID=%d", pid) }

// Notify tells the service manager the new state of this service, if there is one that
// wants to know it.
func Notify(state ...string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify service manager: %w", err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(strings.Join(state, "\n"))); err != nil {
		return fmt.Errorf("notify service manager: %w", err)
	}
	return nil
}

// Watchdog is how often the service manager wants to hear that this process is alive,
// 0 if it doesn't.
func Watchdog() time.Duration {
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || us <= 0 {
		return 0
	}
	return time.Duration(us) * time.Microsecond / 2 // half of the time after which it acts
}
