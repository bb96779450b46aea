package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Handler does what clients ask for.
type Handler interface {
	Why() *Report
	Hold(reason string, ttl time.Duration) Hold
	// Release ends a hold, and tells whether there was one.
	Release(id int) bool
}

// Server serves clients.
type Server struct {
	handler  Handler
	path     string
	file     fs.FileInfo
	listener *net.UnixListener
	work     sync.WaitGroup
	slots    chan struct{} // one for each client that is served

	mu    sync.Mutex
	conns map[net.Conn]bool // nil once closed
}

// InUseError is that another process has the socket.
type InUseError struct {
	Path string
	PID  int // of that process
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("open control socket %s: waggle idle %d has it; name another one with --control", e.Path, e.PID)
}

// maxClients is how many clients are served at a time.
const maxClients = 16

// Serve opens the socket at path. What a dead process has left there is replaced, a
// living one's socket left alone.
func Serve(path string, h Handler) (*Server, error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if r, err := Why(path); err == nil {
		return nil, &InUseError{path, r.PID}
	} else if !errors.Is(err, ErrNone) {
		return nil, err
	}
	s := &Server{handler: h, path: path, conns: make(map[net.Conn]bool), slots: make(chan struct{}, maxClients)}
	if err := s.listen(); err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	s.work.Go(s.accept)
	return s, nil
}

// makeDir makes a directory for us alone. One that is there has to be ours, or root's:
// who owns it can put another socket in the place of this one.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d", dir, st.Uid)
	}
	return nil
}

// listen opens the socket under a name that nobody looks for, until it is ours alone.
func (s *Server) listen() error {
	private := fmt.Sprintf("%s.%d", s.path, os.Getpid())
	_ = os.Remove(private) // of a process with our number that has died
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: private, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(private, 0o600); err == nil {
		if s.file, err = os.Lstat(private); err == nil {
			err = os.Rename(private, s.path)
		}
	}
	if err != nil {
		return errors.Join(err, l.Close(), os.Remove(private))
	}
	s.listener = l
	return nil
}

// Close ends serving. The socket goes, unless another one has taken its place.
func (s *Server) Close() {
	_ = s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.SetReadDeadline(time.Now()) // answers under way are given
	}
	s.conns = nil
	s.mu.Unlock()
	s.work.Wait()
	if there, err := os.Lstat(s.path); err == nil && os.SameFile(there, s.file) {
		_ = os.Remove(s.path)
	}
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		select {
		case s.slots <- struct{}{}:
		default:
			_ = c.Close()
			continue
		}
		s.work.Go(func() {
			s.serve(c)
			<-s.slots
		})
	}
}

// patience is how long a client may take for a request, or to take an answer.
const patience = 10 * time.Second

// maxRequest bounds the length of a request.
const maxRequest = 4096

// serve answers a client's requests.
func (s *Server) serve(c net.Conn) {
	defer c.Close()
	if !s.enter(c) {
		return
	}
	defer s.leave(c)
	requests := bufio.NewScanner(c)
	requests.Buffer(make([]byte, 0, 512), maxRequest)
	for requests.Scan() {
		var r request
		answer := &response{}
		if err := json.Unmarshal(requests.Bytes(), &r); err != nil {
			answer.Error = "read request: " + err.Error()
		} else if err := s.answer(&r, answer); err != nil {
			answer.Error = err.Error()
		}
		if send(c, answer) != nil {
			return
		}
	}
}

func (s *Server) enter(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		return false
	}
	s.conns[c] = true
	return c.SetDeadline(time.Now().Add(patience)) == nil
}

func (s *Server) leave(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// answer does what a request asks for.
func (s *Server) answer(r *request, a *response) error {
	switch r.Do {
	case "why":
		a.Report = s.handler.Why()
	case "hold":
		if err := checkHold(r.Reason, r.TTL); err != nil {
			return err
		}
		h := s.handler.Hold(r.Reason, r.TTL)
		a.Hold = &h
	case "release":
		if !s.handler.Release(r.ID) {
			return fmt.Errorf("release %d: there is no such hold", r.ID)
		}
	default:
		return fmt.Errorf("no request %q", r.Do)
	}
	return nil
}

// send writes an object on a line.
func send(c net.Conn, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = c.Write(append(b, '\n'))
	return err
}
