package httpwatch

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/internal/testkit"
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

func (l *lines) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// watchLive runs the tool in a namespace (nil: the test's), and returns what ends it
// and gives the account.
func watchLive(t *testing.T, ns *testkit.NS, o Options) (stop func() Summary) {
	t.Helper()
	testkit.RequireRoot(t)
	ctx, cancel := context.WithCancel(context.Background())
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
		cancel()
		t.Fatalf("run: %v", out.err)
	}
	return func() Summary {
		t.Helper()
		cancel()
		out := <-ended
		if out.err != nil {
			t.Errorf("run: %v", out.err)
		}
		if out.summary.Lost.Any() || out.summary.FaultCount() > 0 {
			t.Errorf("summary: %v", &out.summary)
		}
		return out.summary
	}
}

// TestLive sends requests in every way to nginx and wants each of them printed once.
func TestLive(t *testing.T) {
	pair := testkit.NewPair(t)
	places := []struct {
		name           string
		client, server *testkit.NS
		watch          *testkit.NS
		iface          string
		addr           string
	}{
		{"loopback", nil, nil, nil, "", "127.0.0.1:8080"},
		{"loopback IPv6", nil, nil, nil, "lo", "[::1]:8081"},
		{"at the client", pair.A.NS, pair.B.NS, pair.A.NS, pair.A.Device, netip.AddrPortFrom(pair.B.V4, 8080).String()},
		{"at the server", pair.A.NS, pair.B.NS, pair.B.NS, pair.B.Device, netip.AddrPortFrom(pair.B.V6, 8081).String()},
	}
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			testkit.Nginx(t, place.server, netip.MustParseAddrPort(place.addr))
			out := &lines{}
			o := Options{Sink: out, Latency: 10 * time.Millisecond}
			if place.iface != "" {
				o.Interfaces = []string{place.iface}
			}
			stop := watchLive(t, place.watch, o)
			want := talk(t, place.client, place.addr)
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

func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("it takes too long")
			return
		}
	}
}
