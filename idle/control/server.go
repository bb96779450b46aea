package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/waggle-bpf/waggle/internal/controlsock"
)

// Handler does what clients ask for.
type Handler interface {
	Why() *Report
	Hold(reason string, ttl time.Duration) (Hold, error)
	// Release ends a hold, and tells whether there was one.
	Release(id int) bool
}

// Server serves clients.
type Server struct {
	*controlsock.Server
	handler Handler
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
	s := &Server{handler: h}
	var problem error
	err := controlsock.Exclusively(path, func() error {
		s.Server, problem = take(path)
		return problem
	})
	if err != nil && problem == nil {
		err = fmt.Errorf("open control socket: %w", err)
	}
	if err != nil {
		return nil, err
	}
	s.Server.Serve(maxClients, s.serve)
	return s, nil
}

// take puts a socket in its place, unless another process has one there. That one may
// take as long as a client has patience; who starts at the same time waits.
func take(path string) (*controlsock.Server, error) {
	if r, err := Why(path); err == nil {
		return nil, &InUseError{path, r.PID}
	} else if !errors.Is(err, ErrNone) {
		return nil, err
	}
	socket, err := controlsock.Listen(path)
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if err := socket.Publish(); err != nil {
		socket.Close()
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	return socket, nil
}

// patience is how long a client may take for a request, or to take an answer.
const patience = 10 * time.Second

// maxRequest bounds the length of a request.
const maxRequest = 4096

// serve answers a client's requests.
func (s *Server) serve(c *net.UnixConn) {
	requests := bufio.NewScanner(c)
	requests.Buffer(make([]byte, 0, 512), maxRequest)
	for s.Prolong(c, patience) && requests.Scan() {
		var r request
		answer := &response{}
		if err := json.Unmarshal(requests.Bytes(), &r); err != nil {
			answer.Error = "read request: " + err.Error()
		} else if err := s.answer(&r, answer); err != nil {
			answer.Error = err.Error()
		}
		if controlsock.Send(c, answer) != nil {
			return
		}
	}
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
		h, err := s.handler.Hold(r.Reason, r.TTL)
		if err != nil {
			return err
		}
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
