package forward

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/route"
)

func TestLimitOfConnections(t *testing.T) {
	s := serve(t, echo)
	cfg := configure(s.addr())
	cfg.Limits.Connections = 2
	r := start(t, cfg)
	one, two := r.dial(), r.dial()
	send(t, one, "1")
	expect(t, one, "1")
	send(t, two, "2")
	expect(t, two, "2")
	r.dialReset()
	if l := r.ended(); l.Refused != tooMany {
		t.Errorf("got log line %+v", l)
	}
	one.Close()
	until(t, "there is room again", func() bool { return r.conns.count.Load() == 1 })
	again := r.dial()
	send(t, again, "3")
	expect(t, again, "3")
}

func TestLimitOfSource(t *testing.T) {
	s := serve(t, echo)
	cfg := configure(s.addr())
	cfg.Limits.PerSource = 1
	r := start(t, cfg)
	c := r.dial()
	send(t, c, "1")
	expect(t, c, "1")
	r.dialReset()
	if l := r.ended(); l.Refused != tooManyOfSource {
		t.Errorf("got log line %+v", l)
	}
	c.Close()
	until(t, "nobody is counted", func() bool {
		r.sources.mu.Lock()
		defer r.sources.mu.Unlock()
		return len(r.sources.n) == 0
	})
}

func TestSourceOf(t *testing.T) {
	for _, test := range []struct{ a, b string }{
		{"192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:db8::1", "2001:db8::2:3:4:5"},
		{"fe80::1%lo", "fe80::2%eth0"},
	} {
		if a, b := sourceOf(netip.MustParseAddr(test.a)), sourceOf(netip.MustParseAddr(test.b)); a != b {
			t.Errorf("%s and %s are %s and %s, want one source", test.a, test.b, a, b)
		}
	}
	if a, b := sourceOf(netip.MustParseAddr("2001:db8:0:1::1")), sourceOf(netip.MustParseAddr("2001:db8::1")); a == b {
		t.Errorf("two networks are one source %s", a)
	}
}

// TestSilentCrowd: clients that connect and say nothing are got rid of, and the others
// are served meanwhile.
func TestSilentCrowd(t *testing.T) {
	s := serve(t, echo)
	cfg := configure(s.addr())
	cfg.Timeouts.Header = 2 * time.Second
	cfg.Listeners[0].Default = nil
	routes(t, cfg, route.Rule{Name: "web", When: route.Match{Host: []string{"*"}}, Target: "out"})
	r := start(t, cfg)
	const crowd = 300
	for range crowd {
		r.dial()
	}
	request := "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"
	for range 20 {
		c := r.dial()
		send(t, c, request)
		expect(t, c, request)
		c.Close()
	}
	until(t, "the crowd has gone", func() bool { return r.conns.count.Load() == 0 })
	refused := 0
	for _, l := range r.lines(crowd + 20) {
		if l.Refused == headerTimeout {
			refused++
		}
	}
	if refused != crowd {
		t.Errorf("%d were refused for their silence, want %d", refused, crowd)
	}
}

func TestShareOut(t *testing.T) {
	for _, test := range []struct{ limit, reserve, pipes, connections int }{
		{128, 64, 8, 24},
		{1024, 64, 64, 416},
		{20000, 64, 256, 9712},
		{64, 64, 4, 12},
		{8, 1000, 1, 1},
	} {
		f := shareOut(test.limit, test.reserve)
		if f.pipes != test.pipes || f.connections != test.connections {
			t.Errorf("of %d files, %d reserved: %d pipes and %d connections, want %d and %d",
				test.limit, test.reserve, f.pipes, f.connections, test.pipes, test.connections)
		}
	}
}

// TestNoDescriptors: when there are none left, clients are refused, not left waiting,
// and it is told once.
func TestNoDescriptors(t *testing.T) {
	s := serve(t, echo)
	r := start(t, configure(s.addr()))
	before := r.dial()
	send(t, before, "x")
	expect(t, before, "x")
	// The client takes the last one.
	var clients []int
	defer func() {
		for _, fd := range clients {
			_ = syscall.Close(fd)
		}
	}()
	for range 10 {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, fd)
	}
	restore := exhaust(t)
	to := &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: int(r.Addrs()[0].Port())}
	for _, fd := range clients {
		_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 20})
		if err := syscall.Connect(fd, to); err != nil && err != syscall.ECONNRESET {
			t.Error(err)
			continue
		}
		if n, err := syscall.Read(fd, make([]byte, 1)); n > 0 || err == syscall.EAGAIN {
			t.Errorf("the client got %d bytes and %v, want a reset", n, err)
		}
	}
	send(t, before, "y") // forwarded connections go on
	expect(t, before, "y")
	restore()
	c := r.dial()
	send(t, c, "z")
	expect(t, c, "z")
	if n := strings.Count(r.notices.String(), "too many open files"); n != 1 {
		t.Errorf("it was told %d times, want once:\n%s", n, r.notices.String())
	}
	for _, l := range r.lines(len(clients)) {
		if l.Refused != noDescriptors {
			t.Errorf("got log line %+v", l)
		}
	}
}

// exhaust lets this process open no more files until restore is called.
func exhaust(t *testing.T) (restore func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	// The limit is above the numbers in use, so those below are to be filled.
	probe, err := syscall.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	fill := []int{probe}
	low := old
	low.Cur = uint64(probe + 1)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	for {
		fd, err := syscall.Dup(0)
		if err != nil {
			break
		}
		fill = append(fill, fd)
	}
	var once sync.Once
	restore = func() {
		once.Do(func() {
			_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old)
			for _, fd := range fill {
				_ = syscall.Close(fd)
			}
		})
	}
	t.Cleanup(restore)
	return restore
}

func TestIdleTimeout(t *testing.T) {
	s := serve(t, nil)
	cfg := configure(s.addr())
	cfg.Timeouts.Idle = 400 * time.Millisecond
	r := start(t, cfg)
	c := r.dial()
	b := s.next(t)
	// Bytes in either direction keep it alive for longer than the limit.
	for i := range 10 {
		time.Sleep(100 * time.Millisecond)
		from, to := c, b
		if i%2 == 1 {
			from, to = b, c
		}
		send(t, from, "x")
		expect(t, to, "x")
	}
	quiet := time.Now()
	wantsReset(t, c)
	wantsReset(t, b)
	if d := time.Since(quiet); d < 300*time.Millisecond {
		t.Errorf("it ended after %v", d)
	}
	if l := r.ended(); l.Close != string(engine.IdleTimeout) || l.Up != 5 || l.Down != 5 {
		t.Errorf("got log line %+v", l)
	}
}

func TestLifetime(t *testing.T) {
	s := serve(t, nil)
	cfg := configure(s.addr())
	cfg.Timeouts.Lifetime = 300 * time.Millisecond
	r := start(t, cfg)
	c := r.dial()
	b := s.next(t)
	stop := make(chan struct{})
	go func() { // it is busy all the time
		defer close(stop)
		for {
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	buf := make([]byte, 1000)
	for {
		if _, err := b.Read(buf); err != nil {
			break
		}
	}
	<-stop
	if l := r.ended(); l.Close != string(engine.LifetimeTimeout) {
		t.Errorf("got log line %+v", l)
	}
}

func TestHalfCloseTimeout(t *testing.T) {
	s := serve(t, nil)
	cfg := configure(s.addr())
	cfg.Timeouts.HalfClose = 300 * time.Millisecond
	r := start(t, cfg)
	c := r.dial()
	b := s.next(t)
	_ = c.CloseWrite()
	wantsEnd(t, b)
	send(t, b, "still here")
	expect(t, c, "still here")
	wantsReset(t, c)
	if l := r.ended(); l.Close != string(engine.HalfCloseTimeout) {
		t.Errorf("got log line %+v", l)
	}
}

// TestLoop: the list of our own listeners doesn't show this loop, as if there were
// somebody's address translation in between. It must not take all there is.
func TestLoop(t *testing.T) {
	cfg := configure("127.0.0.1:1")
	cfg.Limits.Connections = 3000
	r := start(t, cfg)
	self := r.Addrs()[0]
	cfg2 := *cfg
	groups := *cfg.Groups[0]
	groups.Targets[0].Address = self.String()
	if err := r.Reload(&cfg2); err != nil {
		t.Fatal(err)
	}
	t.Run("known", func(t *testing.T) {
		r.dialReset()
		if l := r.lines(1)[0]; l.Refused != "loop" {
			t.Errorf("got log line %+v", l)
		}
	})
	t.Run("by a detour", func(t *testing.T) {
		r.own.Remove(self)
		defer r.own.Add(self)
		c := r.dial()
		wantsReset(t, c)
		until(t, "all have ended", func() bool { return r.conns.count.Load() == 0 })
		until(t, "a loop is in the log", func() bool { return strings.Contains(r.log.String(), fmt.Sprintf("%q:%q", "close", engine.Loop)) })
	})
}
