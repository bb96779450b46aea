package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/waggle-bpf/waggle/internal/controlsock"
)

// request is what a client asks for.
type request struct {
	Do string `json:"do"`
}

// response is an answer.
type response struct {
	Error  string  `json:"error,omitempty"`
	Report *Report `json:"report,omitempty"`
}

// DefaultPath is where this process has its socket unless told otherwise.
func DefaultPath() string { return path(controlsock.DefaultDir(), strconv.Itoa(os.Getpid())) }

// path is where a process has its socket in a directory; which may be "*".
func path(dir, which string) string { return filepath.Join(dir, "wake-"+which+".sock") }

// sockets are the paths of the sockets in a directory, of living processes and dead ones.
func sockets(dir string) []string {
	list, err := filepath.Glob(path(dir, "*"))
	if err != nil {
		return nil // a directory whose name is a bad pattern
	}
	return list
}

// InUseError is that another process has the socket.
type InUseError struct {
	Path string
	PID  int // of that process
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("open control socket %s: waggle wake %d has it; name another one with --control", e.Path, e.PID)
}

const (
	// maxClients is how many clients are served at a time.
	maxClients = 16
	// patience is how long a client may take for a request, or to take an answer.
	patience = 10 * time.Second
	// maxRequest bounds the length of a request.
	maxRequest = 4096
)

// Serve opens the socket at path and answers who asks there. What a dead process has left
// there is replaced, a living one's socket left alone.
func Serve(path string, report func() *Report) (s *controlsock.Server, err error) {
	taken := controlsock.Exclusively(path, func() error {
		s, err = open(path)
		return err
	})
	switch {
	case err != nil: // which says what was opened
		return nil, err
	case taken != nil:
		return nil, fmt.Errorf("open control socket %s: %w", path, taken)
	}
	s.Serve(maxClients, func(c *net.UnixConn) { serve(s, c, report) })
	return s, nil
}

// open takes the place at path if nobody has it.
func open(path string) (*controlsock.Server, error) {
	if r, err := Ask(path); err == nil {
		return nil, &InUseError{path, r.PID}
	} else if !errors.Is(err, ErrNone) {
		return nil, err
	}
	s, err := controlsock.Listen(path)
	if err == nil {
		if err = s.Publish(); err != nil {
			s.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if dir := controlsock.DefaultDir(); dir == filepath.Dir(path) {
		sweep(dir)
	}
	return s, nil
}

// sweep removes what processes have left in a directory that were killed: a socket has
// its name there only while somebody listens.
func sweep(dir string) {
	for _, path := range sockets(dir) {
		c, err := controlsock.Dial(path)
		switch {
		case err == nil:
			c.Close()
		case controlsock.Abandoned(err):
			_ = os.Remove(path)
		}
	}
}

// serve answers a client's requests.
func serve(s *controlsock.Server, c *net.UnixConn, report func() *Report) {
	requests := bufio.NewScanner(c)
	requests.Buffer(make([]byte, 0, 512), maxRequest)
	for s.Prolong(c, patience) && requests.Scan() {
		var r request
		a := &response{}
		switch err := json.Unmarshal(requests.Bytes(), &r); {
		case err != nil:
			a.Error = "read request: " + err.Error()
		case r.Do == "report":
			a.Report = report()
		default:
			a.Error = fmt.Sprintf("no request %q", r.Do)
		}
		if controlsock.Send(c, a) != nil {
			return
		}
	}
}
