package forward

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/proxy"
)

// TestCheckSendsProxyHeader: a backend that hangs up on those who send no PROXY header is
// well, and is told that checks are from the forwarder itself.
func TestCheckSendsProxyHeader(t *testing.T) {
	for _, version := range []config.ProxyOut{config.ProxyV1, config.ProxyV2} {
		seen := make(chan proxy.Header, 100)
		s := serve(t, func(c *net.TCPConn) { strict(c, seen) })
		cfg := configure(s.addr())
		cfg.Groups[0].Check = &backend.Check{Probe: backend.HTTP{}}
		cfg.Groups[0].SendProxy, cfg.Groups[0].CheckProxy = version, version
		r := start(t, cfg)
		until(t, "the backend was checked", func() bool { return r.Status(0).Backends[0].Checks > 0 })
		if b := r.Status(0).Backends[0]; b.State != backend.Up || b.Why != "" {
			t.Errorf("version %d: got %+v", version, b)
		}
		h := <-seen
		if h.Version != proxy.Version(version) || h.Source.IsValid() || h.Local != (version == config.ProxyV2) {
			t.Errorf("version %d: the check began with %+v", version, h)
		}
	}
}

// strict is a web server that serves those who begin with a PROXY header.
func strict(c *net.TCPConn, seen chan<- proxy.Header) {
	r := bufio.NewReader(c)
	for size := 1; ; size++ {
		b, err := r.Peek(size)
		if err != nil {
			return
		}
		h, n, err := proxy.Parse(b)
		if err == proxy.ErrShort {
			continue
		}
		if err != nil {
			return
		}
		_, _ = r.Discard(n)
		seen <- h
		break
	}
	if _, err := http.ReadRequest(r); err == nil {
		_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	}
}
