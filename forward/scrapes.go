package forward

import (
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

// serveScrapes serves /metrics.
func serveScrapes(l *net.TCPListener, handler http.Handler) *scrapes {
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
	return s
}

func (s *scrapes) close() {
	_ = s.server.Close()
	<-s.done
}
