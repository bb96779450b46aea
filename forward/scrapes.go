package forward

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// scrapes serves the metrics.
type scrapes struct {
	listener *net.TCPListener
	server   *http.Server
	done     chan struct{}
}

// serveScrapes listens on HOST:PORT, unless that is among the listeners that are open
// already, and serves /metrics.
func serveScrapes(addr string, inherited []*net.TCPListener, handler http.Handler) (*scrapes, error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w", err)
	}
	l := takeListener(inherited, addrPort(tcp))
	if l == nil {
		if l, err = net.ListenTCP("tcp", tcp); err != nil {
			return nil, fmt.Errorf("serve metrics: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", handler)
	s := &scrapes{
		listener: l,
		server:   &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute},
		done:     make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(l) // until it is closed
	}()
	return s, nil
}

func (s *scrapes) close() {
	_ = s.server.Close()
	<-s.done
}
