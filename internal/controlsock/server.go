package controlsock

import (
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

// Server has a socket and serves its clients.
type Server struct {
	path     string // where it is to be found
	private  string // where it is until Publish, and "" then
	file     fs.FileInfo
	listener *net.UnixListener
	work     sync.WaitGroup

	mu    sync.Mutex
	conns map[*net.UnixConn]bool
	ended bool
}

// Listen makes a socket and the directory for it. Nobody finds it before Publish.
func Listen(path string) (*Server, error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	s := &Server{path: path, private: fmt.Sprintf("%s.%d", path, os.Getpid()), conns: make(map[*net.UnixConn]bool)}
	_ = os.Remove(s.private) // of a process with our number that has died
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.private, Net: "unix"})
	if errors.Is(err, syscall.EINVAL) { // sockaddr_un, unix(7)
		return nil, fmt.Errorf("the path has %d bytes, which is too long for a socket: %s", len(path), path)
	}
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	s.listener = l
	if err = os.Chmod(s.private, 0o600); err == nil {
		s.file, err = os.Lstat(s.private)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close(), os.Remove(s.private))
	}
	return s, nil
}

// makeDir makes a directory for us alone. One that is there has to be ours, or root's,
// and nobody else may write to it: who can could put another socket in the place of this
// one. Where everybody may, as in /tmp, only owners rename and remove.
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
	if info.Mode()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("others may write to %s; chmod go-w %[1]s", dir)
	}
	return nil
}

// lockPatience bounds how long Exclusively waits: longer than clients do for an answer.
var lockPatience = 15 * time.Second

// Exclusively runs f while nobody else does so for a socket in the same directory: f may
// look whether somebody has the place, and take it if not. It does not wait for ever:
// whoever may read the directory may lock it, and this is against accidents only.
func Exclusively(path string, f func() error) error {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close() // which unlocks it
	for deadline := time.Now().Add(lockPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			break // it is ours, or this file system has no locks
		}
	}
	return f()
}

// Abandoned tells whether an error of a client means that nobody is behind a socket.
func Abandoned(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// Publish gives the socket its place, from which it takes what is there.
func (s *Server) Publish() error {
	if err := os.Rename(s.private, s.path); err != nil {
		return err
	}
	s.private = ""
	return nil
}

// Serve begins to serve clients, so many at a time, until the server is closed or left.
func (s *Server) Serve(clients int, serve func(*net.UnixConn)) {
	s.work.Go(func() {
		for {
			c, err := s.listener.AcceptUnix()
			if err != nil {
				return
			}
			if !s.enter(c, clients) {
				_ = c.Close()
				continue
			}
			s.work.Go(func() {
				defer s.leave(c)
				serve(c)
			})
		}
	})
}

func (s *Server) enter(c *net.UnixConn, clients int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.conns) >= clients {
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

// Prolong gives a client time for its next request and the answer, and tells whether the
// server has not ended.
func (s *Server) Prolong(c *net.UnixConn, patience time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended && c.SetDeadline(time.Now().Add(patience)) == nil
}

// Close ends serving when the answers under way are given. The socket goes, unless
// another one has taken its place.
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
