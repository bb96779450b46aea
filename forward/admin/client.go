package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/forward/handover"
	"github.com/waggle-bpf/waggle/internal/controlsock"
)

// client is a connection to a forwarder.
type client struct{ *net.UnixConn }

// ErrNone is that no forwarder runs, or none that has its socket there.
var ErrNone = errors.New("no forwarder runs")

func dial(path string) (*client, error) {
	c, err := controlsock.Dial(path)
	if err != nil {
		if controlsock.Abandoned(err) {
			return nil, fmt.Errorf("open admin socket %s: %w: %w", path, ErrNone, err)
		}
		return nil, fmt.Errorf("open admin socket %s: %w", path, err)
	}
	return &client{c}, nil
}

// ask sends a request and reads the answer.
func (c *client) ask(r *request, within time.Duration) (*response, error) {
	_ = c.SetDeadline(time.Now().Add(within))
	var a response
	err := controlsock.Send(c, r)
	if err == nil {
		err = json.NewDecoder(oneLine{c.UnixConn}).Decode(&a)
	}
	if err != nil {
		return nil, fmt.Errorf("ask forwarder for %s: %w", r.Do, err)
	}
	if a.Error != "" {
		return nil, errors.New(a.Error)
	}
	return &a, nil
}

// oneLine reads up to the end of a line and nothing behind it: descriptors come with a
// byte of their own.
type oneLine struct{ *net.UnixConn }

func (c oneLine) Read(b []byte) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	size := 0
	err = raw.Read(func(fd uintptr) bool {
		var again error
		size, _, again = unix.Recvfrom(int(fd), b, unix.MSG_PEEK)
		return again != unix.EAGAIN
	})
	if err != nil {
		return 0, err
	}
	if end := bytes.IndexByte(b[:max(size, 0)], '\n'); end >= 0 {
		size = end + 1
	}
	return c.UnixConn.Read(b[:max(size, 1)]) // that gets an error, too
}

// Status asks the forwarder at path for its status, with at most limit connections,
// all of them if it is negative.
func Status(path string, limit int) (*forward.Status, error) {
	c, err := dial(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	a, err := c.ask(&request{Do: "status", Connections: limit}, patience)
	if err != nil {
		return nil, err
	}
	if a.Status == nil {
		return nil, errors.New("ask forwarder for status: it has none")
	}
	return a.Status, nil
}

// Upgrade makes the forwarder at path start its program again and hand everything
// over. It returns the number of the new process.
func Upgrade(path string) (pid int, err error) {
	c, err := dial(path)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	a, err := c.ask(&request{Do: "upgrade"}, 2*UpgradePatience)
	if err != nil {
		return 0, err
	}
	return a.PID, nil
}

// UpgradePatience is how long a successor may take until it serves.
const UpgradePatience = 30 * time.Second

// Takeover is a forwarder about to be succeeded.
type Takeover struct {
	c *client
	// Listeners are its listeners, which it goes on using until Ready.
	Listeners []*net.TCPListener
	PID       int
}

// TakeOver asks the forwarder at path for its listeners.
func TakeOver(path string) (*Takeover, error) {
	c, err := dial(path)
	if err != nil {
		return nil, err
	}
	a, err := c.ask(&request{Do: "takeover"}, patience)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	list, err := handover.Receive(c.UnixConn, a.Listeners)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return &Takeover{c, list, a.PID}, nil
}

// Ready tells the forwarder that this one serves, and that it is to end.
func (t *Takeover) Ready() error {
	_, err := t.c.ask(&request{Do: "ready"}, patience)
	return errors.Join(err, t.c.Close())
}

// Close gives the take-over up. The other forwarder goes on.
func (t *Takeover) Close() { _ = t.c.Close() }
