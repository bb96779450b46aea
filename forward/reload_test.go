package forward

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/accesslog"
	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// free is an address that nobody listens at.
func free(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return addrPort(l.Addr())
}

// TestReload changes where connections go, in a loop, while clients connect: each gets
// one of the two answers, and connections that there are go on.
func TestReload(t *testing.T) {
	one, two, slow := serve(t, says("one")), serve(t, says("two")), serve(t, echo)
	cfg := configure(slow.addr())
	r := start(t, cfg)
	old := r.dial()
	send(t, old, "x")
	expect(t, old, "x")
	to := func(s *server) {
		next := configure(s.addr())
		next.Listeners[0].Engine = "copy"
		if err := r.Reload(next); err != nil {
			t.Fatal(err)
		}
	}
	to(one)
	var work sync.WaitGroup
	var stop atomic.Bool
	var got [3]atomic.Int64
	for range 4 {
		work.Go(func() {
			for !stop.Load() {
				c, err := net.Dial("tcp", r.Addrs()[0].String())
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(c)
				c.Close()
				switch string(b) {
				case "one":
					got[0].Add(1)
				case "two":
					got[1].Add(1)
				default:
					got[2].Add(1)
					t.Errorf("got %q and %v", b, err)
				}
			}
		})
	}
	for i := range 40 {
		to([]*server{two, one}[i%2])
		time.Sleep(10 * time.Millisecond)
	}
	stop.Store(true)
	work.Wait()
	if got[0].Load() == 0 || got[1].Load() == 0 || got[2].Load() != 0 {
		t.Errorf("got %d times one, %d times two, %d times something else", got[0].Load(), got[1].Load(), got[2].Load())
	}
	send(t, old, "y")
	expect(t, old, "y")
	if c := r.Status(1).Connections; len(c) != 1 || c[0].Backend != slow.addr() || c[0].Engine != "splice" {
		t.Errorf("got status %+v of the old connection", c)
	}
}

// TestReloadFails: a configuration that can't be put in force changes nothing.
func TestReloadFails(t *testing.T) {
	s := serve(t, says("good"))
	taken := serve(t, nil)
	for name, spoil := range map[string]func(*config.Config){
		"address in use": func(c *config.Config) {
			c.Listeners = append(c.Listeners, &config.Listener{Name: "more", Address: netip.MustParseAddrPort(taken.addr()), Engine: "copy"})
		},
		"no such engine": func(c *config.Config) { c.Listeners[0].Engine = "steam" },
		"log":            func(c *config.Config) { c.AccessLog = &config.AccessLog{Path: "/nowhere/at/all"} },
		"metrics":        func(c *config.Config) { c.Metrics = taken.addr() },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, configure(s.addr()))
			next := configure("127.0.0.1:1")
			added := free(t)
			next.Listeners = append(next.Listeners, &config.Listener{Name: "added", Address: added, Engine: "copy", Default: next.Groups[0]})
			spoil(next)
			if err := r.Reload(next); err == nil {
				t.Fatal("no error")
			}
			if got := wantsEnd(t, r.dial()); got != "good" {
				t.Errorf("got %q", got)
			}
			if c, err := net.Dial("tcp", added.String()); err == nil {
				c.Close()
				t.Error("a listener of the bad configuration is open")
			}
		})
	}
}

// TestReloadListeners adds and removes listeners.
func TestReloadListeners(t *testing.T) {
	s := serve(t, says("hello"))
	r := start(t, configure(s.addr()))
	first := r.Addrs()[0]
	next := configure(s.addr())
	next.Listeners[0].Address = free(t)
	if err := r.Reload(next); err != nil {
		t.Fatal(err)
	}
	if got := wantsEnd(t, r.dial()); got != "hello" {
		t.Errorf("got %q", got)
	}
	if c, err := net.Dial("tcp", first.String()); err == nil {
		c.Close()
		t.Error("the old listener is open")
	}
}

// TestReloadLogAndMetrics moves both.
func TestReloadLogAndMetrics(t *testing.T) {
	s := serve(t, says("hello"))
	cfg := configure(s.addr())
	cfg.Metrics = free(t).String()
	r := start(t, cfg)
	scrape(t, cfg.Metrics)
	next := configure(s.addr())
	next.AccessLog = &config.AccessLog{Path: filepath.Join(t.TempDir(), "log"), Format: accesslog.Text}
	next.Metrics = free(t).String()
	if err := r.Reload(next); err != nil {
		t.Fatal(err)
	}
	c := r.dial()
	wantsEnd(t, c)
	c.Close()
	until(t, "the metrics count the connection", func() bool {
		return strings.Contains(scrape(t, next.Metrics), `waggle_forward_connections_total{listener="in"} 1`)
	})
	if _, err := http.Get("http://" + cfg.Metrics + "/metrics"); err == nil {
		t.Error("the old metrics are served")
	}
	until(t, "the connection is in the new log", func() bool {
		b, err := os.ReadFile(next.AccessLog.Path)
		return err == nil && strings.Contains(string(b), "listener=in")
	})
	if r.log.String() != "" {
		t.Errorf("the old log got %s", r.log.String())
	}
}

func scrape(t *testing.T, addr string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDrain(t *testing.T) {
	t.Run("in time", func(t *testing.T) {
		s := serve(t, nil)
		r := start(t, configure(s.addr()))
		addr := r.Addrs()[0].String()
		c := r.dial()
		b := s.next(t)
		drained := make(chan struct{})
		go func() {
			r.Drain(time.Hour, false)
			close(drained)
		}()
		until(t, "the listener is closed", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.listeners) == 0
		})
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			t.Error("the listener is open")
		}
		script := stream.Script{Seed: 3, Client: stream.Side{Size: 1 << 20}, Server: stream.Side{Size: 1 << 20, EndAt: stream.AfterEnd}}
		if err := script.Run(c, b, patience); err != nil {
			t.Error(err)
		}
		select {
		case <-drained:
		case <-time.After(patience):
			t.Error("it waits for nobody")
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if l := r.ended(); l.Up != 1<<20 || l.Close != string(engine.ClientClosed) {
			t.Errorf("got log line %+v", l)
		}
	})
	t.Run("out of time", func(t *testing.T) {
		s := serve(t, nil)
		r := start(t, configure(s.addr()))
		c := r.dial()
		b := s.next(t)
		r.Drain(50*time.Millisecond, false)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		wantsReset(t, c)
		wantsReset(t, b)
		if l := r.ended(); l.Close != string(engine.Shutdown) {
			t.Errorf("got log line %+v", l)
		}
	})
}

// TestCloseInEveryPhase closes a forwarder whose connections are at all stages.
func TestCloseInEveryPhase(t *testing.T) {
	_, cfg := reluctant(t)
	for _, tm := range []*time.Duration{&cfg.Timeouts.Header, &cfg.Timeouts.Idle} {
		*tm = time.Hour
	}
	nowhere := &config.Group{Config: backend.Config{Name: "nowhere", ConnectTimeout: time.Hour, Targets: []backend.Target{{Address: full(t)}}}}
	cfg.Groups = append(cfg.Groups, nowhere)
	at := free(t)
	cfg.Listeners = append(cfg.Listeners, &config.Listener{Name: "nowhere", Address: at, Engine: "copy", Default: nowhere})
	r := start(t, cfg)
	r.dial()             // reading
	dial(t, at.String()) // dialing
	stuck := r.dial()    // greeting
	go func() { _, _ = io.WriteString(stuck, strings.Repeat("x", reluctantHead)) }()
	until(t, "they are at all stages", func() bool {
		var phases [4]int
		r.conns.each(func(c *conn) { phases[c.phase.Load()]++ })
		return phases[reading] == 1 && phases[dialing] == 1 && phases[greeting] == 1
	})
	began := time.Now()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(began); d > closePatience/2 {
		t.Errorf("it took %v", d)
	}
	for _, l := range r.lines(3) {
		if l.Refused != shutdown {
			t.Errorf("got log line %+v", l)
		}
	}
}

// full is an address that takes no connection and refuses none: a listener whose queue
// is full.
func full(t *testing.T) string {
	t.Helper()
	addr := unaccepted(t)
	for range 10 {
		c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the queue does not fill")
	return ""
}

// TestWaitingClientsAreServed: those whom the kernel has accepted already when a
// listener is closed.
func TestWaitingClientsAreServed(t *testing.T) {
	s := serve(t, says("hello"))
	r := start(t, configure(s.addr()))
	l := r.listeners[r.cfg.Listeners[0].Address]
	l.stopping.Store(true)
	_ = l.tcp.SetDeadline(time.Unix(1, 0))
	<-l.done // nobody accepts any more
	var clients []net.Conn
	for range 5 {
		clients = append(clients, r.dial())
	}
	drained := make(chan struct{})
	go func() {
		r.Drain(patience, false)
		close(drained)
	}()
	for _, c := range clients {
		if got := wantsEnd(t, c); got != "hello" {
			t.Errorf("got %q", got)
		}
		c.Close()
	}
	<-drained
}

func TestStatus(t *testing.T) {
	s := serve(t, nil)
	r := start(t, configure(s.addr()))
	c := r.dial()
	b := s.next(t)
	send(t, c, "abc")
	expect(t, b, "abc")
	_ = c.CloseWrite()
	wantsEnd(t, b)
	r.dial()
	s.next(t)
	until(t, "both are forwarded", func() bool { return r.Status(-1).Moving["splice"] == 2 })
	st := r.Status(1)
	if st.Open != 2 || len(st.Connections) != 1 || st.Limit < 10 || len(st.Listeners) != 1 || st.Listeners[0].Address != r.Addrs()[0] {
		t.Fatalf("got status %+v", st)
	}
	want := ConnStatus{
		ID: 1, Listener: "in", Client: addrPort(c.LocalAddr()), Phase: "forwarding",
		Why: "default", Group: "out", Backend: s.addr(), Engine: "splice", Up: 3, Ended: "up",
	}
	got := st.Connections[0]
	got.Started, got.Quiet = time.Time{}, time.Time{}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if len(st.Backends) != 1 || st.Backends[0].Active != 2 {
		t.Errorf("got backends %+v", st.Backends)
	}
	if len(st.Engines) != 1 || st.Engines[0].Name != "splice" || st.Engines[0].Stats == nil {
		t.Errorf("got engines %+v", st.Engines)
	}
}

func TestNewFails(t *testing.T) {
	taken := serve(t, nil)
	for name, test := range map[string]struct {
		spoil func(*config.Config)
		want  string
	}{
		"address in use":   {func(c *config.Config) { c.Listeners[0].Address = netip.MustParseAddrPort(taken.addr()) }, "listen on " + taken.addr() + ": bind: address already in use"},
		"not ours":         {func(c *config.Config) { c.Listeners[0].Address = netip.MustParseAddrPort("192.0.2.1:80") }, "no interface has that address"},
		"no such engine":   {func(c *config.Config) { c.Listeners[0].Engine = "steam" }, "start engine steam: this system has none of that name"},
		"metrics in use":   {func(c *config.Config) { c.Metrics = taken.addr() }, "serve metrics: "},
		"log in the woods": {func(c *config.Config) { c.AccessLog.Path = "/nowhere/at/all" }, "/nowhere/at/all"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := configure("127.0.0.1:1")
			test.spoil(cfg)
			f, err := New(cfg, Options{})
			if err == nil {
				f.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(fmt.Sprint(err), test.want) {
				t.Errorf("got error %v, want %s", err, test.want)
			}
		})
	}
}

// TestInherited: listeners of another process are used, and closed if nobody wants them.
func TestInherited(t *testing.T) {
	s := serve(t, says("hello"))
	var inherited []*net.TCPListener
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		inherited = append(inherited, l.(*net.TCPListener))
	}
	cfg := configure(s.addr())
	cfg.Listeners[0].Address = addrPort(inherited[1].Addr())
	unwanted := inherited[0].Addr().String()
	waiting := dial(t, inherited[1].Addr().String()) // from before
	r := startWith(t, cfg, Options{Listeners: inherited})
	if got := wantsEnd(t, waiting); got != "hello" {
		t.Errorf("got %q", got)
	}
	if got := wantsEnd(t, r.dial()); got != "hello" {
		t.Errorf("got %q", got)
	}
	if c, err := net.Dial("tcp", unwanted); err == nil {
		c.Close()
		t.Error("the listener that is not configured is open")
	}
	if !strings.Contains(r.notices.String(), unwanted) {
		t.Errorf("got notices %q", r.notices.String())
	}
}
