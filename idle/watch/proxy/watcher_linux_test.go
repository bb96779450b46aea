package proxy

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/idle/watch"
	"github.com/waggle-bpf/waggle/idle/watch/watchtest"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) {
	watchtest.Serve()
	testkit.Main(m)
}

func open(t *testing.T, o Options) *Watcher {
	t.Helper()
	o.Notice = func(text string) { t.Log(text) }
	w, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestScenario(t *testing.T) {
	s := watchtest.Start(t)
	w := open(t, Options{Listen: "[::]:0", To: s.V4.String()})
	v4 := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), w.Addr().Port())
	watchtest.Scenario(t, &watchtest.Rig{Watcher: w, Dual: w.Addr(), V4: v4, Other: s.Other})
}

// TestProxyHeader: clients are those that the header names, and who has to send one and
// doesn't, or may not and does, is refused.
func TestProxyHeader(t *testing.T) {
	s := watchtest.Start(t)
	w := open(t, Options{Listen: "[::]:0", To: s.V4.String(), ProxyFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	l := watchtest.Follow(t, w)
	v4 := fmt.Sprintf("127.0.0.1:%d", w.Addr().Port())
	v6 := fmt.Sprintf("[::1]:%d", w.Addr().Port())
	const header = "PROXY TCP4 198.51.100.7 192.0.2.1 40000 22\r\n"

	// Two that speak for the same client are two connections all the same.
	client := netip.MustParseAddrPort("198.51.100.7:40000")
	first, second := dial(t, v4), dial(t, v4)
	for _, c := range []net.Conn{first, second} {
		if _, err := io.WriteString(c, header); err != nil {
			t.Fatal(err)
		}
	}
	await(t, l, 2)
	first.Close()
	await(t, l, 3)
	second.Close()
	await(t, l, 4)
	open := 0
	for i, e := range l.Events() {
		if e.Client != client {
			t.Errorf("event %d is about %v", i, e.Client)
		}
		switch e.Kind {
		case watch.Opened:
			open++
		case watch.Closed:
			open--
		}
	}
	if open != 0 {
		t.Errorf("%d stay open: %+v", open, l.Events())
	}

	for _, test := range []struct{ name, to, text, why string }{
		{"missing", v4, "SSH-2.0-x\r\n", "none, though its address is trusted"},
		{"cut off", v4, header[:20], "PROXY header"},
		{"forged", v6, strings.Replace(header, "TCP4", "TCP4", 1), "not trusted to send one"},
	} {
		n := len(l.Events())
		c := dial(t, test.to)
		if _, err := io.WriteString(c, test.text); err != nil {
			t.Fatal(err)
		}
		_ = c.(*net.TCPConn).CloseWrite()
		if b, err := io.ReadAll(c); len(b) > 0 {
			t.Errorf("%s: got %q, %v", test.name, b, err)
		}
		await(t, l, n+1)
		e := l.Events()[n]
		if own := c.LocalAddr().(*net.TCPAddr).AddrPort(); e.Kind != watch.Refused || e.Client != own || !strings.Contains(e.Why, test.why) {
			t.Errorf("%s: got %+v, want a refusal: %s", test.name, e, test.why)
		}
	}

	// Who is not trusted connects without.
	c := dial(t, v6)
	if _, err := io.WriteString(c, "SSH-2.0-x\r\n"); err != nil {
		t.Fatal(err)
	}
	l.Await(watch.Opened, c.LocalAddr().(*net.TCPAddr).AddrPort())
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func await(t *testing.T, l *watchtest.Log, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); len(l.Events()) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d events: %+v", len(l.Events()), l.Events())
		}
	}
}

// TestNoService: clients are refused as long as nobody serves.
func TestNoService(t *testing.T) {
	w := open(t, Options{Listen: "127.0.0.1:0", To: "127.0.0.1:1"})
	l := watchtest.Follow(t, w)
	if c, err := net.Dial("tcp", w.Addr().String()); err == nil { // else it was reset at once
		defer c.Close()
	}
	await(t, l, 1)
	if e := l.Events()[0]; e.Kind != watch.Refused || !strings.Contains(e.Why, "refused") {
		t.Errorf("got %+v", e)
	}
}

func TestMoved(t *testing.T) {
	s := watchtest.Start(t)
	w := open(t, Options{Listen: "127.0.0.1:0", To: s.V4.String()})
	l := watchtest.Follow(t, w)
	c := watchtest.Dial(t, w.Addr())
	id := l.Await(watch.Opened, c.Addr()).ID
	c.Ask(2000, 3000)
	// The janitor of the forwarder counts; it may be a moment behind the client.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		var got watch.Bytes
		if err := w.Moved(func(n uint64, b watch.Bytes) {
			if n == id {
				got = b
			}
		}); err != nil {
			t.Fatal(err)
		}
		if got == (watch.Bytes{In: 2000, Out: 3000, Known: true}) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %+v", got)
		}
	}
}

func TestBadInput(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct{ listen, to, text string }{
		{taken.Addr().String(), "127.0.0.1:1", "address already in use"},
		{"nonsense", "127.0.0.1:1", "nonsense"},
		{"127.0.0.1:0", "127.0.0.1", "127.0.0.1"},
	} {
		w, err := Open(Options{Listen: test.listen, To: test.to})
		if err == nil {
			w.Close()
		}
		if err == nil || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s to %s: %v", test.listen, test.to, err)
		}
	}
}
