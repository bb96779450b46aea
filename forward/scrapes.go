package forward

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// scrapes serves the metrics.
type scrapes struct {
	addr   net.Addr
	server *http.Server
	done   chan struct{}
}

// serveScrapes listens on HOST:PORT and serves /metrics.
func serveScrapes(addr string, handler http.Handler) (*scrapes, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", handler)
	s := &scrapes{
		addr:   l.Addr(),
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute},
		done:   make(chan struct{}),
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
