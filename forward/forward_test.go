package forward

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/proxy"
	"github.com/waggle-bpf/waggle/forward/route"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

func TestForward(t *testing.T) {
	s := serve(t, echo)
	r := start(t, configure(s.addr()))
	c := r.dial()
	send(t, c, "hello")
	expect(t, c, "hello")
	_ = c.CloseWrite()
	if rest := wantsEnd(t, c); rest != "" {
		t.Errorf("got %q behind the answer", rest)
	}
	c.Close()
	l := r.ended()
	if l.Up != 5 || l.Down != 5 || l.Close != string(engine.ClientClosed) || l.Backend != s.addr() || l.Engine != "splice" || l.Why != "default" {
		t.Errorf("got log line %+v", l)
	}
}

// TestConversations plays long ones, both ways at once and with half-closed ends, with
// first bytes that are read to route them.
func TestConversations(t *testing.T) {
	for name, script := range map[string]stream.Script{
		"both ways":        {Client: stream.Side{Size: 4 << 20}, Server: stream.Side{Size: 4 << 20}},
		"upload, answer":   {Client: stream.Side{Size: 8 << 20}, Server: stream.Side{Size: 8 << 20, Start: stream.AfterEnd}},
		"download, answer": {Client: stream.Side{Size: 8 << 20, Start: stream.AfterEnd}, Server: stream.Side{Size: 8 << 20}},
		"client resets":    {Client: stream.Side{Size: 100, End: stream.RST}, Server: stream.Side{EndAt: stream.AfterEnd}},
		"server resets":    {Client: stream.Side{Size: 100, EndAt: stream.AfterEnd}, Server: stream.Side{Start: 100, End: stream.RST}},
	} {
		for _, reads := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, reads %v", name, reads), func(t *testing.T) {
				s := serve(t, nil)
				cfg := configure(s.addr())
				if reads {
					cfg.Timeouts.Header = 100 * time.Millisecond
					routes(t, cfg, route.Rule{Name: "tls", When: route.Match{SNI: []string{"*"}}, Target: "out"})
				}
				r := start(t, cfg)
				client := r.dial()
				script.Seed = 7
				served := make(chan *stream.Outcome, 1)
				deadline := time.Now().Add(patience)
				go func() { served <- script.PlayServer(s.next(t), deadline) }()
				outcome := script.PlayClient(client, deadline)
				if err := script.Judge(outcome, <-served); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestFirstBytes sends first bytes of all sizes before the forwarder can have dialled:
// not one may get lost or out of order.
func TestFirstBytes(t *testing.T) {
	s := serve(t, echo)
	cfg := configure(s.addr())
	cfg.Timeouts.Header = 50 * time.Millisecond
	routes(t, cfg,
		route.Rule{Name: "ssh", When: route.Match{SSH: []string{"SSH-2.0-x"}}, Target: "out"},
		route.Rule{Name: "window", When: route.Match{Regexp: ".*never", Window: 5000}, Target: "out"})
	r := start(t, cfg)
	for _, size := range []int64{1, 7, 100, openingSize - 1, openingSize, openingSize + 1, 3 * openingSize, 70_000, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := r.dial()
			source := stream.NewSource(uint64(size))
			go func() {
				b := make([]byte, size)
				source.Fill(b, 0)
				_, _ = c.Write(b)
				_ = c.CloseWrite()
			}()
			got, err := io.ReadAll(c)
			if err != nil || int64(len(got)) != size {
				t.Fatalf("got %d bytes and %v, want %d", len(got), err, size)
			}
			want := make([]byte, size)
			source.Fill(want, 0)
			if string(got) != string(want) {
				t.Error("the bytes are not those sent")
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	web, ssh, quiet := serve(t, says("web")), serve(t, says("ssh")), serve(t, says("quiet"))
	cfg := configure(web.addr())
	for name, s := range map[string]*server{"ssh": ssh, "quiet": quiet} {
		cfg.Groups = append(cfg.Groups, &config.Group{Config: backend.Config{Name: name, Targets: []backend.Target{{Address: s.addr()}}}})
	}
	cfg.Timeouts.Header = 200 * time.Millisecond
	cfg.Listeners[0].Default = nil
	routes(t, cfg,
		route.Rule{Name: "web", When: route.Match{Host: []string{"example.org"}}, Target: "out"},
		route.Rule{Name: "ssh", When: route.Match{SSH: []string{"SSH-2.0-"}}, Target: "ssh"},
		route.Rule{Name: "silent", When: route.Match{Silent: true}, Target: "quiet"},
		route.Rule{Name: "teapot", When: route.Match{Prefix: []string{"TEA"}}, Refuse: route.Close},
		route.Rule{Name: "bomb", When: route.Match{Prefix: []string{"BOMB"}}, Refuse: route.Reset},
	)
	for _, test := range []struct {
		name, send string
		want       string // what the backend says; nothing if refused
		reset      bool
		line       line
	}{
		{"by name", "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", "web", false, line{Route: "web", Name: "example.org"}},
		{"by protocol", "SSH-2.0-OpenSSH_10.0\r\n", "ssh", false, line{Route: "ssh"}},
		{"silent", "", "quiet", false, line{Route: "silent", Why: "silent for 2"}},
		{"none", "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", "", true, line{Refused: noRoute, Name: "example.com", Error: "no rule for host=example.com"}},
		{"ambiguous", "GET / HTTP/1.1\r\nHost: example.org\r\nHost: example.com\r\n\r\n", "", true, line{Refused: rejected, Route: "web"}},
		{"half a request", "GET / HTTP/1.1\r\nHos", "", true, line{Refused: rejected, Route: "web"}},
		{"refused with an end", "TEA", "", false, line{Refused: refusedByRoute, Route: "teapot"}},
		{"refused with a reset", "BOMB", "", true, line{Refused: refusedByRoute, Route: "bomb"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t, cfg)
			c := r.dial()
			send(t, c, test.send)
			if test.want != "" {
				expect(t, c, test.want)
			}
			if test.reset {
				wantsReset(t, c)
			} else if rest := wantsEnd(t, c); rest != "" {
				t.Errorf("got %q", rest)
			}
			c.Close()
			got := r.ended()
			if got.Route != test.line.Route || got.Refused != test.line.Refused || got.Name != test.line.Name {
				t.Errorf("got log line %+v, want %+v", got, test.line)
			}
			if !strings.HasPrefix(got.Why, test.line.Why) || test.line.Error != "" && got.Error != test.line.Error {
				t.Errorf("got log line %+v, want %+v", got, test.line)
			}
		})
	}
}

// TestServerSpeaksFirst: a client that waits for the server's banner gets it, and
// without routes that need bytes at once.
func TestServerSpeaksFirst(t *testing.T) {
	s := serve(t, says("220 ready\r\n"))
	cfg := configure(s.addr())
	cfg.Timeouts.Header = time.Hour
	c := start(t, cfg).dial()
	expect(t, c, "220 ready\r\n")
}

// TestToken: what a token's line says is for us, not for the backend.
func TestToken(t *testing.T) {
	s := serve(t, echo)
	cfg := configure(s.addr())
	key := []byte("0123456789abcdef")
	routes(t, cfg, route.Rule{Name: "in", When: route.Match{Token: &route.Token{In: route.InLine, Keys: route.Keys{key}, Scope: "db"}}, Target: "out"})
	cfg.Listeners[0].Default = nil
	r := start(t, cfg)
	c := r.dial()
	token, err := route.Mint(key, "db", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	send(t, c, "TOKEN "+token+"\nhello")
	expect(t, c, "hello")
}

func TestClientLeavesEarly(t *testing.T) {
	cfg := configure("127.0.0.1:1")
	cfg.Listeners[0].Default = nil
	routes(t, cfg, route.Rule{Name: "web", When: route.Match{Host: []string{"*"}}, Target: "out"})
	t.Run("without a word", func(t *testing.T) {
		r := start(t, cfg)
		r.dial().Close()
		if l := r.ended(); l.Refused != clientClosed {
			t.Errorf("got log line %+v", l)
		}
	})
	t.Run("with a reset", func(t *testing.T) {
		r := start(t, cfg)
		c := r.dial()
		until(t, "the connection is read", func() bool { return r.conns.count.Load() == 1 })
		_ = c.SetLinger(0)
		c.Close()
		if l := r.ended(); l.Refused != clientReset {
			t.Errorf("got log line %+v", l)
		}
	})
}

func TestProxyHeader(t *testing.T) {
	alice := "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
	v2Local := "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00" // section 2.2 of the specification
	const nobody, me, other = "", "127.0.0.0/8", "192.0.2.0/24"
	for _, test := range []struct {
		name    string
		trusted string
		send    string
		out     config.ProxyOut
		want    string // what the backend gets, %s for the client's address and port
		refused string
		source  string
	}{
		{"in", me, alice + "hello", config.NoProxy, "hello", "", "192.0.2.7:4711"},
		{"in and out", me, alice + "hello", config.ProxyV1, alice + "hello", "", "192.0.2.7:4711"},
		{"out", nobody, "hello", config.ProxyV1, "PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\nhello", "", ""},
		{"local", me, "PROXY UNKNOWN\r\nhello", config.ProxyV1, "PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\nhello", "", ""},
		{"missing", me, "hello, this is longer than a signature", config.NoProxy, "", badProxyHeader, ""},
		{"broken", me, "PROXY TCP4 192.0.2.7\r\n", config.NoProxy, "", badProxyHeader, ""},
		{"half of it", me, "PROXY TCP4 192.0", config.NoProxy, "", headerTimeout, ""},
		{"spoofed", other, alice + "hello", config.NoProxy, "", spoofedHeader, ""},
		{"spoofed, malformed", other, "PROXY hello\r\n", config.ProxyV1, "", spoofedHeader, ""},
		{"spoofed, version 2", other, v2Local + "hello", config.ProxyV2, "", spoofedHeader, ""},
		{"none from a stranger", other, "hello, this is longer than a signature", config.NoProxy, "hello, this is longer than a signature", "", ""},
		{"not spoken", nobody, alice + "hello", config.NoProxy, alice + "hello", "", ""},
		{"not spoken, but out", nobody, alice, config.ProxyV1, "PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n" + alice, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, nil)
			cfg := configure(s.addr())
			cfg.Timeouts.Header = 300 * time.Millisecond
			cfg.Groups[0].SendProxy = test.out
			if test.trusted != nobody {
				cfg.Listeners[0].Proxy = proxy.Policy{Trusted: []netip.Prefix{netip.MustParsePrefix(test.trusted)}, Require: true}
			}
			r := start(t, cfg)
			c := r.dial()
			send(t, c, test.send)
			if test.refused != "" {
				wantsReset(t, c)
				if l := r.ended(); l.Refused != test.refused || l.Error == "" {
					t.Errorf("got log line %+v, want %s and an error", l, test.refused)
				}
				return
			}
			want := test.want
			if strings.Contains(want, "%d") {
				want = fmt.Sprintf(want, addrPort(c.LocalAddr()).Port(), r.Addrs()[0].Port())
			}
			b := s.next(t)
			expect(t, b, want)
			b.Close()
			c.Close()
			if l := r.ended(); l.Source != test.source {
				t.Errorf("got source %q, want %q", l.Source, test.source)
			}
		})
	}
}

// TestProxyHeaderV2 tells the name that the client asks for, and counts hops.
func TestProxyHeaderV2(t *testing.T) {
	s := serve(t, nil)
	cfg := configure(s.addr())
	cfg.Groups[0].SendProxy = config.ProxyV2
	routes(t, cfg, route.Rule{Name: "web", When: route.Match{Host: []string{"example.org"}}, Target: "out"})
	r := start(t, cfg)
	c := r.dial()
	send(t, c, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
	b := s.next(t)
	buf := make([]byte, 1000)
	n, err := io.ReadAtLeast(b, buf, 90)
	if err != nil {
		t.Fatal(err)
	}
	h, size, err := proxy.Parse(buf[:n])
	if err != nil {
		t.Fatal(err)
	}
	names := slices.DeleteFunc(slices.Clone(h.TLVs), func(t proxy.TLV) bool { return t.Type != proxy.TypeAuthority })
	if h.Source != addrPort(c.LocalAddr()) || h.Hops() != 1 || len(names) != 1 || string(names[0].Value) != "example.org" {
		t.Errorf("got header %+v with %d hops", h, h.Hops())
	}
	if rest := string(buf[size:n]); !strings.HasPrefix(rest, "GET / HTTP/1.1\r\n") {
		t.Errorf("got %q behind the header", rest)
	}
}

// reluctant is a server with a small window, and a configuration that reads many bytes
// before it dials it.
func reluctant(t *testing.T) (*server, *config.Config) {
	t.Helper()
	s := serve(t, nil)
	raw, err := s.Listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 2048) })
	if err != nil {
		t.Fatal(err)
	}
	cfg := configure(s.addr())
	cfg.Limits.HeaderBytes = reluctantHead
	cfg.Groups[0].SendProxy = config.ProxyV1
	cfg.Groups[0].Control = func(fd int, _ netip.AddrPort) error {
		return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 4096)
	}
	routes(t, cfg, route.Rule{Name: "all", When: route.Match{Regexp: "(?s).*never", Window: reluctantHead}, Target: "out"})
	return s, cfg
}

const reluctantHead = 400_000

// TestBackendTakesNothing: first bytes that don't fit into the backend's window are
// written in time, whole and before what follows, or the connection is not forwarded.
func TestBackendTakesNothing(t *testing.T) {
	head := strings.Repeat("0123456789abcde\n", reluctantHead/16)
	t.Run("for a while", func(t *testing.T) {
		s, cfg := reluctant(t)
		cfg.Timeouts.Header = patience
		c := start(t, cfg).dial()
		go func() { _, _ = io.WriteString(c, head+"and more") }()
		b := s.next(t)
		time.Sleep(50 * time.Millisecond)
		greeting := fmt.Sprintf("PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n", addrPort(c.LocalAddr()).Port(), addrPort(c.RemoteAddr()).Port())
		expect(t, b, greeting+head+"and more")
	})
	t.Run("ever", func(t *testing.T) {
		s, cfg := reluctant(t)
		cfg.Timeouts.Header = 300 * time.Millisecond
		r := start(t, cfg)
		c := r.dial()
		go func() { _, _ = io.WriteString(c, head) }()
		b := s.next(t)
		wantsReset(t, c)
		wantsReset(t, b)
		if l := r.ended(); l.Refused != backendStuck {
			t.Errorf("got log line %+v", l)
		}
	})
}

func TestDial(t *testing.T) {
	dead := serve(t, nil)
	dead.Close()
	t.Run("the next one", func(t *testing.T) {
		good := serve(t, echo)
		r := start(t, configure(dead.addr(), good.addr()))
		for range 5 {
			c := r.dial()
			send(t, c, "x")
			expect(t, c, "x")
		}
	})
	t.Run("none", func(t *testing.T) {
		r := start(t, configure(dead.addr()))
		r.dialReset()
		if l := r.ended(); l.Refused != "refused" || !strings.Contains(l.Error, dead.addr()) {
			t.Errorf("got log line %+v", l)
		}
	})
}
