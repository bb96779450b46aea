package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func targets(addresses ...string) []Target {
	var list []Target
	for _, a := range addresses {
		list = append(list, Target{Address: a})
	}
	return list
}

func newGroup(t testing.TB, c Config) *Group {
	t.Helper()
	c.Name = "test"
	g, err := New(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// server accepts connections and keeps them until the test ends. It returns its address.
func server(t testing.TB, listen string) string {
	t.Helper()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, c := range conns {
			c.Close()
		}
	})
	return l.Addr().String()
}

// closed returns an address at which nothing listens.
func closed(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestDial(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0"} {
		addr := server(t, listen)
		g := newGroup(t, Config{Targets: targets(addr)})
		conn, b, err := g.Dial(t.Context(), Key{})
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.RemoteAddr().String(); got != addr || b.String() != addr || b.Addr().String() != addr {
			t.Errorf("dialled %s, backend %v, want %s", got, b, addr)
		}
		for _, o := range []struct{ level, name, want int }{
			{syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1},
			{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 0},
		} {
			if got := socketOption(t, conn, o.level, o.name); got != o.want {
				t.Errorf("socket option %d of level %d is %d, want %d", o.name, o.level, got, o.want)
			}
		}
		// It is a connection like any other, without a deadline left over.
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		if n := b.Active(); n != 1 {
			t.Errorf("%d connections", n)
		}
		conn.Close()
		b.Release()
		if s := g.Status()[0]; s.Active != 0 || s.Dials != 1 || s.Failed != 0 {
			t.Errorf("after all: %+v", s)
		}
	}
}

func socketOption(t *testing.T, c *net.TCPConn, level, name int) (value int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if cerr := raw.Control(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), level, name) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return value
}

// blackhole returns an address that neither answers nor refuses: the queue of its
// listener is full, so that the kernel drops what comes (tcp_conn_request in
// net/ipv4/tcp_input.c).
func blackhole(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", sa.(*syscall.SockaddrInet4).Port)
	for range 8 {
		c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("a listener without a queue takes any number of connections")
	return ""
}

func TestDialErrors(t *testing.T) {
	refusing, silent := closed(t), blackhole(t)
	unroutable := "192.0.2.1:80"
	for _, test := range []struct {
		name   string
		config Config
		target string
		text   string
		reason string
		is     error
	}{
		{"refused", Config{}, refusing, "connect: connection refused", "refused", syscall.ECONNREFUSED},
		{"timeout", Config{ConnectTimeout: 50 * time.Millisecond}, silent, "no answer in 50ms", "timeout", os.ErrDeadlineExceeded},
		{"options", Config{Control: func(int, netip.AddrPort) error { return errBad }}, refusing, "set socket options: bad", "options", errBad},
		{"unreachable", Config{ConnectTimeout: 50 * time.Millisecond}, unroutable, "connect: network is unreachable", "unreachable", syscall.ENETUNREACH},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.target == unroutable {
				testkit.RequireRoot(t) // else there may be a route
			}
			test.config.Targets = targets(test.target)
			g := newGroup(t, test.config)
			conn, b, err := g.Dial(t.Context(), Key{})
			if conn != nil || b != nil {
				t.Fatal("a connection")
			}
			if want := "dial group test: " + test.target + ": " + test.text; errorText(err) != want {
				t.Errorf("got %v\nwant %s", err, want)
			}
			if got := Reason(err); got != test.reason {
				t.Errorf("reason %q, want %q", got, test.reason)
			}
			if !errors.Is(err, test.is) {
				t.Errorf("it is not %v", test.is)
			}
			if s := g.Status()[0]; s.Active != 0 || s.Dials != 1 || s.Failed != 1 {
				t.Errorf("afterwards: %+v", s)
			}
		})
	}
}

func TestRetry(t *testing.T) {
	bad1, bad2, good := closed(t), closed(t), server(t, "127.0.0.1:0")
	g := newGroup(t, Config{Targets: targets(bad1, bad2, good), Eject: Eject{After: -1}})
	for range 10 {
		conn, b, err := g.Dial(t.Context(), Key{})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if b.Target() != good {
			t.Fatalf("dialled %v", b)
		}
		b.Release()
	}

	// Only as many as allowed are tried.
	g = newGroup(t, Config{Targets: targets(bad1, bad2, good), Policy: LeastConnections, Attempts: 2})
	g.turn.Store(2) // so that the next begins with the first
	_, _, err := g.Dial(t.Context(), Key{})
	want := fmt.Sprintf("dial group test: %s: connect: connection refused; %s: connect: connection refused", bad1, bad2)
	if errorText(err) != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	var d *DialError
	if !errors.As(err, &d) || len(d.Attempts) != 2 || d.Attempts[0].Backend.Target() != bad1 {
		t.Errorf("error %#v", err)
	}
}

// TestNoRetry: what has nothing to do with the backend is not tried again elsewhere and
// not held against it.
func TestNoRetry(t *testing.T) {
	for _, err := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS} {
		dials := 0
		g := newGroup(t, Config{Targets: targets("127.0.0.1:1", "127.0.0.1:2"), Control: func(int, netip.AddrPort) error {
			dials++
			return err
		}})
		if _, _, got := g.Dial(t.Context(), Key{}); !errors.Is(got, err) || dials != 1 {
			t.Errorf("%v: %d dials, %v", err, dials, got)
		}
		if s := g.Status()[0]; s.State != Up || g.targets[0].backends[0].suspect.Load() {
			t.Errorf("%v is held against the backend: %+v", err, s)
		}
	}
}

// TestEjectedByDials: a backend that refuses is soon left alone, and dialled again when
// its time is over.
func TestEjectedByDials(t *testing.T) {
	bad, good := closed(t), server(t, "127.0.0.1:0")
	up := make(chan Status, 10)
	g := newGroup(t, Config{
		Targets:  targets(bad, good),
		Eject:    Eject{After: 2, For: 300 * time.Millisecond},
		OnChange: func(s Status) { up <- s },
	})
	for i := 0; len(up) == 0; i++ {
		conn, b, err := g.Dial(t.Context(), Key{})
		if err != nil || i > 20 {
			t.Fatalf("dial %d: %v", i, err)
		}
		conn.Close()
		b.Release()
	}
	if s := <-up; s.State != Ejected || s.Target != bad || s.Why != "connect: connection refused" {
		t.Errorf("got %+v", s)
	}
	if n := g.targets[0].backends[0].count.dials.Load(); n < 2 {
		t.Errorf("only %d dials of the bad one", n)
	}
	server(t, bad)
	if s := <-up; s.State != Up || s.Target != bad {
		t.Errorf("got %+v", s)
	}
	seen := make(map[string]int)
	for range 4 {
		conn, b, err := g.Dial(t.Context(), Key{})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		seen[b.Target()]++
	}
	if seen[bad] != 2 || seen[good] != 2 {
		t.Errorf("got %v", seen)
	}
}

func TestCanceled(t *testing.T) {
	g := newGroup(t, Config{Targets: targets(blackhole(t), "127.0.0.1:1"), Eject: Eject{After: 1}})
	g.turn.Store(1)
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(errors.New("client left")) })
	_, _, err := g.Dial(ctx, Key{})
	if !errors.Is(err, context.Canceled) || !strings.HasSuffix(errorText(err), "context canceled: client left") {
		t.Errorf("got %v", err)
	}
	if s := g.Status()[0]; s.State != Up || s.Failed != 0 || s.Active != 0 {
		t.Errorf("the backend is blamed: %+v", s)
	}
}

func TestControl(t *testing.T) {
	addr := server(t, "127.0.0.1:0")
	var order []string
	note := func(name string) Control {
		return func(fd int, to netip.AddrPort) error {
			order = append(order, name+" "+to.String())
			return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
		}
	}
	g := newGroup(t, Config{Targets: targets(addr), Control: note("group")})
	conn, b, err := g.DialControl(t.Context(), Key{}, note("connection"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	defer b.Release()
	if got, want := strings.Join(order, ", "), "connection "+addr+", group "+addr; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if socketOption(t, conn, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE) != 1 {
		t.Error("the option is not set")
	}
}

// TestAdopt: connections that were not dialled here count too.
func TestAdopt(t *testing.T) {
	g := newGroup(t, Config{Targets: targets("10.0.0.1:80", "10.0.0.2:80"), Policy: LeastConnections})
	a := g.Adopt(netip.MustParseAddrPort("[::ffff:10.0.0.1]:80"))
	if a == nil || a.Active() != 1 {
		t.Fatalf("adopted %v", a)
	}
	if b := g.Adopt(netip.MustParseAddrPort("10.0.0.1:81")); b != nil {
		t.Errorf("adopted %v", b)
	}
	for i := range 2 {
		if b := g.set.Load().pick(LeastConnections, uint64(i), Key{}, nil); b == a {
			t.Error("picked the one with a connection")
		}
	}
	a.Release()
}

// TestConcurrently is for the race detector, and looks whether the counts add up.
func TestConcurrently(t *testing.T) {
	addrs := []string{server(t, "127.0.0.1:0"), server(t, "127.0.0.1:0"), closed(t)}
	g := newGroup(t, Config{Targets: targets(addrs...), Policy: LeastConnections, Eject: Eject{After: 2, For: time.Millisecond, Max: time.Millisecond}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				conn, b, err := g.Dial(t.Context(), Key{})
				if err != nil {
					t.Error(err)
					return
				}
				g.Status()
				conn.Close()
				b.Release()
			}
		})
	}
	wg.Wait()
	good := uint64(0)
	for _, s := range g.Status() {
		if s.Active != 0 {
			t.Errorf("%s: %d connections left", s.Target, s.Active)
		}
		good += s.Dials - s.Failed
	}
	if good != 200 {
		t.Errorf("%d good dials, want 200", good)
	}
}

func TestNewErrors(t *testing.T) {
	for _, test := range []struct {
		targets []Target
		want    string
	}{
		{nil, "it has no backends"},
		{targets("host"), `address "host" is not HOST:PORT`},
		{targets("::1:80"), `address "::1:80" is not HOST:PORT`},
		{targets(":80"), `address ":80" has no host`},
		{targets("a:http"), `port "http" of address "a:http" is not a number between 1 and 65535`},
		{targets("a:0"), `port "0" of address "a:0" is not a number between 1 and 65535`},
		{targets("a:65536"), `port "65536" of address "a:65536" is not a number between 1 and 65535`},
		{targets("224.0.0.1:80"), `address "224.0.0.1:80" is a multicast address`},
		{targets("a:1", "b:1", "a:1"), "backend a:1 is there twice"},
		{[]Target{{"a:1", 257}}, "weight 257 of backend a:1 is not between 1 and 256"},
		{[]Target{{"a:1", -1}}, "weight -1 of backend a:1 is not between 1 and 256"},
	} {
		_, err := New(Config{Name: "web", Targets: test.targets}, nil)
		if want := "make group web: " + test.want; errorText(err) != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

// BenchmarkDial dials and closes. The listener is in the same process, so that its work
// counts too; the package comment has figures without it.
func BenchmarkDial(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.(*net.TCPListener).AcceptTCP()
			if err != nil {
				return
			}
			go func() {
				_, _ = c.Read(make([]byte, 1)) // until it is reset
				c.Close()
			}()
		}
	}()
	reset := func(c *net.TCPConn) {
		_ = c.SetLinger(0) // else the ports run out
		c.Close()
	}
	b.Run("group", func(b *testing.B) {
		g := newGroup(b, Config{Targets: targets(l.Addr().String())})
		b.ReportAllocs()
		for b.Loop() {
			c, backend, err := g.Dial(b.Context(), Key{})
			if err != nil {
				b.Fatal(err)
			}
			reset(c)
			backend.Release()
		}
	})
	b.Run("net.Dialer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d := net.Dialer{KeepAlive: -1, FallbackDelay: -1, Timeout: DefaultConnectTimeout}
			c, err := d.DialContext(b.Context(), "tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			reset(c.(*net.TCPConn))
		}
	})
}

// TestCallersDeadline: a dial that ends with the caller's patience says so, and nothing
// about the backend, which had more time.
func TestCallersDeadline(t *testing.T) {
	g := newGroup(t, Config{Targets: targets(blackhole(t)), ConnectTimeout: time.Hour})
	why := errors.New("no more patience")
	for range 50 {
		ctx, cancel := context.WithDeadlineCause(t.Context(), time.Now().Add(2*time.Millisecond), why)
		_, _, err := g.Dial(ctx, Key{})
		cancel()
		if !errors.Is(err, why) {
			t.Fatalf("got %v, want %v", err, why)
		}
	}
	if s := g.Status()[0]; s.Failed != 0 || s.State != Up {
		t.Errorf("got %+v", s)
	}
}
