package httpwatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
	"github.com/waggle-bpf/waggle/load"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// lines is a sink that keeps the text lines of a live run.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Request(r *Request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(appendText(nil, r)))
	return nil
}

func (l *lines) Flush() error { return nil }

// has tells whether there is a line with such text in it.
func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.all, func(line string) bool { return strings.Contains(line, text) })
}

func (l *lines) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// watchLive runs the tool in a namespace (nil: the test's), and returns what ends it
// and gives the account, in which nothing must be lost.
func watchLive(t *testing.T, ns *testkit.NS, o Options) (stop func() Summary) {
	t.Helper()
	end := startLive(t, ns, o)
	return func() Summary {
		t.Helper()
		s, err := end()
		if err != nil {
			t.Errorf("run: %v", err)
		}
		if s.Lost.Any() || s.FaultCount() > 0 {
			t.Errorf("summary: %v", &s)
		}
		return s
	}
}

// startLive is watchLive for runs that may go wrong.
func startLive(t *testing.T, ns *testkit.NS, o Options) (end func() (Summary, error)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	wait := runLive(t, ns, ctx, o)
	end = func() (Summary, error) {
		cancel()
		return wait()
	}
	t.Cleanup(func() { _, _ = end() }) // for tests that don't get that far
	return end
}

// runLive runs the tool until ctx is done. It returns when watching has begun; wait
// waits for the end.
func runLive(t *testing.T, ns *testkit.NS, ctx context.Context, o Options) (wait func() (Summary, error)) {
	t.Helper()
	testkit.RequireRoot(t)
	started := make(chan struct{})
	o.Started = func([]string) { close(started) }
	type outcome struct {
		summary Summary
		err     error
	}
	ended := make(chan outcome, 1)
	run := func() {
		s, err := Run(ctx, o)
		ended <- outcome{s, err}
	}
	if ns == nil {
		go run()
	} else {
		go ns.Do(t, run)
	}
	select {
	case <-started:
	case out := <-ended:
		t.Fatalf("run: %v", out.err)
	}
	return sync.OnceValues(func() (Summary, error) {
		select {
		case out := <-ended:
			return out.summary, out.err
		case <-time.After(patience):
			return Summary{}, errors.New("it does not end")
		}
	})
}

// TestLive sends requests in every way to real servers, nginx and Go's, and wants each of
// them printed once.
func TestLive(t *testing.T) {
	pair := testkit.NewPair(t)
	places := []struct {
		name           string
		client, server *testkit.NS
		watch          *testkit.NS
		iface          string
		addr           netip.Addr
		serve          func(testing.TB, *testkit.NS, netip.AddrPort)
	}{
		{"loopback", nil, nil, nil, "", netip.MustParseAddr("127.0.0.1"), testkit.Nginx},
		{"loopback, Go", nil, nil, nil, "", netip.MustParseAddr("127.0.0.1"), serveGo},
		{"loopback IPv6", nil, nil, nil, "lo", netip.IPv6Loopback(), testkit.Nginx},
		{"at the client", pair.A.NS, pair.B.NS, pair.A.NS, pair.A.Device, pair.B.V4, testkit.Nginx},
		{"at the client, Go", pair.A.NS, pair.B.NS, pair.A.NS, pair.A.Device, pair.B.V4, serveGo},
		{"at the server", pair.A.NS, pair.B.NS, pair.B.NS, pair.B.Device, pair.B.V6, testkit.Nginx},
	}
	for i, place := range places {
		t.Run(place.name, func(t *testing.T) {
			addr := netip.AddrPortFrom(place.addr, uint16(8080+i))
			place.serve(t, place.server, addr)
			out := &lines{}
			o := Options{Sink: out, Latency: 10 * time.Millisecond, Port: addr.Port()}
			if place.iface != "" {
				o.Interfaces = []string{place.iface}
			}
			stop := watchLive(t, place.watch, o)
			want := talk(t, place.client, addr.String())
			waitFor(t, func() bool { return out.len() >= len(want) })
			s := stop()
			if diff := cmp.Diff(want, out.all); diff != "" {
				t.Errorf("(-sent +seen):\n%s", diff)
			}
			if s.Requests != uint64(len(want)) || s.Traffic.Packets == 0 {
				t.Errorf("summary: %v", &s)
			}
		})
	}
}

// serveGo is a server where there is no nginx.
func serveGo(t testing.TB, ns *testkit.NS, addr netip.AddrPort) {
	t.Helper()
	var l net.Listener
	var err error
	listen := func() { l, err = net.Listen("tcp", addr.String()) }
	if ns == nil {
		listen()
	} else {
		ns.Do(t, listen)
	}
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}

// talk sends requests to a server and returns the lines that are due.
func talk(t *testing.T, ns *testkit.NS, addr string) (want []string) {
	t.Helper()
	dial := func() (c *net.TCPConn) {
		dial := func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			c = conn.(*net.TCPConn)
		}
		if ns == nil {
			dial()
		} else {
			ns.Do(t, dial)
		}
		if c == nil {
			t.FailNow()
		}
		return c
	}
	for _, exchange := range exchanges {
		c := dial()
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		for _, piece := range exchange.pieces {
			if _, err := io.WriteString(c, piece); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Fatal(err)
		}
		host := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		c.Close()
		for _, r := range exchange.want {
			want = append(want, fmt.Sprintf("%v - %s", host, r))
		}
	}
	return want
}

// exchanges are connections: what a client writes, and the requests in it.
var exchanges = []struct{ pieces, want []string }{
	{[]string{get("/one")}, []string{"GET /one HTTP/1.1"}},
	{[]string{get("/p1") + get("/p2"), get("/p3")}, []string{"GET /p1 HTTP/1.1", "GET /p2 HTTP/1.1", "GET /p3 HTTP/1.1"}},
	{inPieces(get("/bytewise")+get("/again"), 1), []string{"GET /bytewise HTTP/1.1", "GET /again HTTP/1.1"}},
	{[]string{get("/" + strings.Repeat("long", 2000))}, []string{"GET /" + strings.Repeat("long", 2000) + " HTTP/1.1"}},
	{[]string{put("/body", trap(100_000)), get("/after")}, []string{"PUT /body HTTP/1.1", "GET /after HTTP/1.1"}},
	{slices.Repeat([]string{get("/many")}, 100), slices.Repeat([]string{"GET /many HTTP/1.1"}, 100)},
	{[]string{strings.Repeat(get("/pipeline"), 500)}, slices.Repeat([]string{"GET /pipeline HTTP/1.1"}, 500)},
}

// patience is how long to wait for what should come at once: machines may be busy.
const patience = 20 * time.Second

func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("it takes too long")
			return
		}
	}
}

// TestNewInterface has an interface come up while all are watched: a tunnel, whose
// packets have no Ethernet header.
func TestNewInterface(t *testing.T) {
	out := &lines{}
	stop := watchLive(t, nil, Options{Sink: out, Latency: 10 * time.Millisecond})
	tunnel := newTunnel(t)
	p := bpftest.Packet{Src: clientAddr, Dst: serverAddr, NoEthernet: true, Payload: get("/tunnel")}
	waitFor(t, func() bool {
		if _, err := tunnel.Write(p.Bytes()); err != nil {
			t.Fatal(err)
		}
		return out.len() > 0
	})
	p.Src, p.Dst = "[fd00::1]:40000", "[fd00::2]:80"
	if _, err := tunnel.Write(p.Bytes()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return out.len() > 1 })
	stop()
	want := []string{"10.0.0.1 - GET /tunnel HTTP/1.1", "fd00::1 - GET /tunnel HTTP/1.1"}
	if diff := cmp.Diff(want, out.all); diff != "" {
		t.Errorf("(-sent +seen):\n%s", diff)
	}
}

// newTunnel makes a tunnel device of IP packets and brings it up. What is written to
// the file comes in on it.
func newTunnel(t *testing.T) *os.File { return newTap(t, "tun0", unix.IFF_TUN) }

const tunPath = "/dev/net/tun"

var noTun = testkit.Absence{Reason: "kernel without tunnel devices", Absent: func() bool {
	_, err := os.Stat(tunPath)
	return errors.Is(err, os.ErrNotExist)
}}

// newTap makes a tunnel device of IP packets (IFF_TUN) or Ethernet frames (IFF_TAP).
func newTap(t *testing.T, name string, kind uint16) *os.File {
	t.Helper()
	testkit.RequireRoot(t)
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: %w", err, load.ErrNotSupported)
	}
	testkit.Need(t, err, noTun)
	f := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { f.Close() })
	req, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatal(err)
	}
	req.SetUint16(kind | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		t.Fatal(err)
	}
	dev, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := rtnl.Do(func(c *rtnl.Conn) error { return c.SetUp(dev.Index) }); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestRandomTrafficLive is TestRandomTraffic with the kernel half in the kernel.
func TestRandomTrafficLive(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			tap := newTap(t, "tap0", unix.IFF_TAP)
			out := &lines{}
			stop := watchLive(t, nil, Options{Sink: out, Latency: 10 * time.Millisecond, RingBytes: 64 << 20})
			n := newNetwork(seed)
			n.play(func(p bpftest.Packet) {
				if _, err := tap.Write(p.Bytes()); err != nil {
					t.Fatal(err)
				}
			})
			stop()
			var seen []string
			for _, line := range out.all {
				_, line, _ = strings.Cut(line, " - ")
				seen = append(seen, strings.TrimSuffix(line, " HTTP/1.1"))
			}
			n.compare(t, seen)
		})
	}
}

// TestSinkFails wants a run to end when nobody can read what it prints.
func TestSinkFails(t *testing.T) {
	wait := runLive(t, nil, context.Background(), Options{Sink: NewTextSink(brokenWriter{}), Latency: 10 * time.Millisecond})
	serveGo(t, nil, netip.MustParseAddrPort("127.0.0.1:8080"))
	talk(t, nil, "127.0.0.1:8080")
	if _, err := wait(); !errors.Is(err, errBroken) {
		t.Errorf("run: %v", err)
	}
}

func TestNoSuchInterface(t *testing.T) {
	_, err := Run(t.Context(), Options{Sink: &lines{}, Interfaces: []string{"lo", "nonesuch0"}})
	if !errors.Is(err, ErrNoInterface) || !strings.Contains(err.Error(), "nonesuch0") {
		t.Errorf("run: %v", err)
	}
	if _, err := Run(t.Context(), Options{}); err == nil {
		t.Error("run without a sink: no error")
	}
}

// TestTinyRing has far too small a ring. Much is lost; that is counted, and does no
// harm afterwards.
func TestTinyRing(t *testing.T) {
	serveGo(t, nil, netip.MustParseAddrPort("127.0.0.1:8080"))
	out := &lines{}
	end := startLive(t, nil, Options{Sink: out, RingBytes: 4096, Latency: 20 * time.Millisecond})
	want := talk(t, nil, "127.0.0.1:8080")
	before := out.len()
	waitFor(t, func() bool {
		talkOne(t, "127.0.0.1:8080")
		return out.has("GET /afterwards ")
	})
	s, err := end()
	if err != nil {
		t.Fatal(err)
	}
	if s.Lost.Events == 0 || before >= len(want) {
		t.Errorf("nothing was lost: %v", &s)
	}
}

func talkOne(t *testing.T, addr string) {
	t.Helper()
	r, err := http.Get("http://" + addr + "/afterwards")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	http.DefaultClient.CloseIdleConnections()
}
