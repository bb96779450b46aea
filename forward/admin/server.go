package admin

import (
	"bufio"
	"context"
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

	"github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/forward/handover"
)

// Handler does what clients ask for.
type Handler interface {
	// Status is forward.Forwarder's.
	Status(connections int) *forward.Status
	// Upgrade starts a successor and returns its process when that has taken over.
	Upgrade(ctx context.Context) (pid int, err error)
	// Listeners are what another process needs to take over.
	Listeners() ([]*net.TCPListener, error)
	// Succeeded says that another process serves.
	Succeeded() error
}

// Server serves clients.
type Server struct {
	handler  Handler
	path     string // where it is to be found
	private  string // where it is until Publish, and "" then
	file     fs.FileInfo
	listener *net.UnixListener
	work     sync.WaitGroup

	mu    sync.Mutex
	conns map[*net.UnixConn]bool
	ended bool
}

// InUseError is that another forwarder has the socket.
type InUseError struct {
	Path string
	PID  int // of that forwarder, 0 if it doesn't say
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("open admin socket %s: forwarder %d has it; name another one with --admin", e.Path, e.PID)
}

// Serve opens a socket at path. Another forwarder's is left alone, unless successor
// says that this one takes over from it: then the socket takes that one's place when
// Publish is called.
func Serve(path string, successor bool, h Handler) (*Server, error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("open admin socket: %w", err)
	}
	if !successor {
		if s, err := Status(path, 0); err == nil {
			return nil, &InUseError{path, s.PID}
		} else if !abandoned(err) {
			return nil, err
		}
	}
	s := &Server{handler: h, path: path, private: fmt.Sprintf("%s.%d", path, os.Getpid()), conns: make(map[*net.UnixConn]bool)}
	if err := s.listen(); err != nil {
		return nil, fmt.Errorf("open admin socket: %w", err)
	}
	if !successor {
		if err := s.Publish(); err != nil {
			s.Close()
			return nil, err
		}
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

// abandoned tells whether nobody is behind a socket.
func abandoned(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// listen opens the socket under a name that nobody looks for.
func (s *Server) listen() error {
	_ = os.Remove(s.private) // of a process with our number that has died
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.private, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	s.listener = l
	if err = os.Chmod(s.private, 0o600); err == nil {
		s.file, err = os.Lstat(s.private)
	}
	if err != nil {
		_ = l.Close()
		_ = os.Remove(s.private)
	}
	return err
}

// Publish gives the socket its place.
func (s *Server) Publish() error {
	if err := os.Rename(s.private, s.path); err != nil {
		return fmt.Errorf("open admin socket: %w", err)
	}
	s.private = ""
	return nil
}

// Close ends serving. The socket goes, unless another one has taken its place.
func (s *Server) Close() {
	if !s.end() {
		return
	}
	if s.private != "" {
		_ = os.Remove(s.private)
	} else if there, err := os.Lstat(s.path); err == nil && os.SameFile(there, s.file) {
		_ = os.Remove(s.path)
	}
}

// Leave ends serving when a successor does it. The socket is left to that one, which
// puts its own in the place: who looks first and then removes it might remove that.
func (s *Server) Leave() { s.end() }

// end ends serving, and tells whether it was going on.
func (s *Server) end() bool {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return false
	}
	s.ended = true
	for c := range s.conns {
		_ = c.SetReadDeadline(time.Now()) // answers under way are given
	}
	s.mu.Unlock()
	_ = s.listener.Close()
	s.work.Wait()
	return true
}

func (s *Server) accept() {
	for {
		c, err := s.listener.AcceptUnix()
		if err != nil {
			return
		}
		if !s.enter(c) {
			_ = c.Close()
			continue
		}
		s.work.Go(func() {
			defer s.leave(c)
			s.serve(c)
		})
	}
}

// maxClients is how many clients are served at a time.
const maxClients = 32

func (s *Server) enter(c *net.UnixConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.conns) >= maxClients {
		return false
	}
	s.conns[c] = true
	return true
}

func (s *Server) leave(c *net.UnixConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	_ = c.Close()
}

// patience is how long a client may take for a request, or to take an answer.
const patience = time.Minute

// serve answers a client's requests.
func (s *Server) serve(c *net.UnixConn) {
	requests := bufio.NewScanner(c)
	for {
		if !s.prolong(c) || !requests.Scan() {
			return
		}
		var r request
		answer := &response{}
		if err := json.Unmarshal(requests.Bytes(), &r); err != nil {
			answer.Error = "read request: " + err.Error()
		} else if answer = s.answer(c, &r); answer == nil {
			continue
		}
		_ = c.SetWriteDeadline(time.Now().Add(patience)) // an upgrade takes its time
		if send(c, answer) != nil {
			return
		}
	}
}

// prolong gives a client time, unless the server has ended.
func (s *Server) prolong(c *net.UnixConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended && c.SetDeadline(time.Now().Add(patience)) == nil
}

// answer does what a request asks for; nil if that includes answering.
func (s *Server) answer(c *net.UnixConn, r *request) *response {
	var err error
	a := &response{}
	switch r.Do {
	case "status":
		a.Status = s.handler.Status(r.Connections)
	case "upgrade":
		a.PID, err = s.handler.Upgrade(context.Background())
	case "takeover":
		return s.lend(c)
	case "ready":
		err = s.handler.Succeeded()
	default:
		err = fmt.Errorf("no request %q", r.Do)
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

// lend sends the listeners behind an answer that says how many there are.
func (s *Server) lend(c *net.UnixConn) *response {
	listeners, err := s.handler.Listeners()
	if err != nil {
		return &response{Error: err.Error()}
	}
	err = send(c, &response{PID: os.Getpid(), Listeners: len(listeners)})
	if err == nil {
		err = handover.Send(c, listeners)
	}
	if err != nil {
		_ = c.Close() // who expects descriptors can't be told anything else
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
