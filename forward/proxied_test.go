package forward

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

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

// TestLimitOfProxiedSource: the limit of a source is that of the client in the PROXY header,
// not that of the load balancer which sends it.
func TestLimitOfProxiedSource(t *testing.T) {
	const (
		alice   = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
		bob     = "PROXY TCP4 192.0.2.8 198.51.100.1 4711 443\r\n"
		unknown = "PROXY UNKNOWN\r\n"
		none    = "x, and no header but something longer than one"
	)
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	s := serve(t, echo)
	cfg := configure(s.addr())
	cfg.Limits.PerSource = 2
	cfg.Listeners[0].Proxy = proxy.Policy{Trusted: loopback}
	r := start(t, cfg)
	var clients []*net.TCPConn
	for _, header := range []string{alice, bob, unknown, alice, unknown, bob, unknown, none, none} {
		c := r.dial()
		clients = append(clients, c)
		send(t, c, header)
		if header != none {
			send(t, c, "x")
		}
		expect(t, c, "x")
	}
	refused := func(header string) {
		t.Helper()
		c := r.dial()
		send(t, c, header)
		wantsReset(t, c)
	}
	refused(alice)
	refused(none)
	for _, l := range r.lines(2) {
		if l.Refused != tooManyOfSource {
			t.Errorf("got log line %+v", l)
		}
	}
	clients[0].Close() // alice's
	until(t, "it has ended", func() bool { return r.conns.count.Load() == int64(len(clients)-1) })
	c := r.dial()
	send(t, c, alice+"x")
	expect(t, c, "x")
	for _, c := range append(clients, c) {
		c.Close()
	}
	until(t, "nobody is counted", func() bool {
		r.sources.mu.Lock()
		defer r.sources.mu.Unlock()
		return len(r.sources.n) == 0
	})
}

// TestHeaderInTwoParts: a stranger who begins a PROXY header and waits until nobody looks
// any more doesn't get the rest of it to the backend.
func TestHeaderInTwoParts(t *testing.T) {
	for _, begin := range []string{"P", "PROXY", "\r", "\r\n\r\n\x00\r\nQUIT"} {
		s := serve(t, echo)
		cfg := configure(s.addr())
		cfg.Timeouts.Header = 100 * time.Millisecond
		cfg.Listeners[0].Proxy = proxy.Policy{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Require: true}
		r := start(t, cfg)
		c := r.dial()
		send(t, c, begin)
		wantsReset(t, c)
		if l := r.ended(); l.Refused != headerTimeout || !strings.Contains(l.Error, proxy.ErrUntrusted.Error()) {
			t.Errorf("%q: got log line %+v", begin, l)
		}
	}
}
