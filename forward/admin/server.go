package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/forward/handover"
	"github.com/waggle-bpf/waggle/internal/controlsock"
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
	*controlsock.Server
	handler Handler
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
	if !successor {
		if s, err := Status(path, 0); err == nil {
			return nil, &InUseError{path, s.PID}
		} else if !controlsock.Abandoned(err) {
			return nil, err
		}
	}
	socket, err := controlsock.Listen(path)
	if err != nil {
		return nil, fmt.Errorf("open admin socket: %w", err)
	}
	s := &Server{socket, h}
	if !successor {
		if err := s.Publish(); err != nil {
			s.Close()
			return nil, err
		}
	}
	socket.Serve(maxClients, s.serve)
	return s, nil
}

// Publish gives the socket its place.
func (s *Server) Publish() error {
	if err := s.Server.Publish(); err != nil {
		return fmt.Errorf("open admin socket: %w", err)
	}
	return nil
}

// maxClients is how many clients are served at a time.
const maxClients = 32

// patience is how long a client may take for a request, or to take an answer.
const patience = time.Minute

// serve answers a client's requests.
func (s *Server) serve(c *net.UnixConn) {
	requests := bufio.NewScanner(c)
	for {
		if !s.Prolong(c, patience) || !requests.Scan() {
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
		if controlsock.Send(c, answer) != nil {
			return
		}
	}
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
	err = controlsock.Send(c, &response{PID: os.Getpid(), Listeners: len(listeners)})
	if err == nil {
		err = handover.Send(c, listeners)
	}
	if err != nil {
		_ = c.Close() // who expects descriptors can't be told anything else
	}
	return nil
}
