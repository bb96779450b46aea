package forward

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/waggle-bpf/waggle/forward/config"
)

// narrow and wide are two addresses of one port, beside is one that only the wide one has.
func widths(t *testing.T) (narrow, wide netip.AddrPort, beside string) {
	t.Helper()
	narrow = free(t)
	return narrow, netip.AddrPortFrom(netip.IPv6Unspecified(), narrow.Port()), fmt.Sprintf("127.0.0.2:%d", narrow.Port())
}

func configureAt(addr netip.AddrPort, backends ...string) *config.Config {
	c := configure(backends...)
	c.Listeners[0].Address = addr
	return c
}

func wantsAnswer(t *testing.T, addr, want string) {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	if got := wantsEnd(t, c); got != want {
		t.Errorf("%s: got %q, want %q", addr, got, want)
	}
}

func wantsNobody(t *testing.T, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial %s: %v, want that nobody listens", addr, err)
	}
}

// TestReloadWidth makes a listener's address wider and narrower again.
func TestReloadWidth(t *testing.T) {
	one, two := serve(t, says("one")), serve(t, says("two"))
	narrow, wide, beside := widths(t)
	r := start(t, configureAt(narrow, one.addr()))
	for range 3 {
		wantsAnswer(t, narrow.String(), "one")
		wantsNobody(t, beside)
		if err := r.Reload(configureAt(wide, two.addr())); err != nil {
			t.Fatal(err)
		}
		wantsAnswer(t, narrow.String(), "two")
		wantsAnswer(t, beside, "two")
		if err := r.Reload(configureAt(narrow, one.addr())); err != nil {
			t.Fatal(err)
		}
	}
	if l, err := net.Listen("tcp", wide.String()); err == nil {
		l.Close()
		t.Error("somebody else can listen at the address")
	}
}

// TestReloadWidthFails: what can't be put in force as a whole leaves the old listener.
func TestReloadWidthFails(t *testing.T) {
	one, two := serve(t, says("one")), serve(t, says("two"))
	for name, spoil := range map[string]func(*config.Config){
		"listener": func(c *config.Config) {
			c.Listeners = append(c.Listeners, &config.Listener{Name: "taken", Address: netip.MustParseAddrPort(two.addr()), Engine: "copy"})
		},
		"metrics": func(c *config.Config) { c.Metrics = two.addr() },
	} {
		t.Run(name, func(t *testing.T) {
			narrow, wide, beside := widths(t)
			r := start(t, configureAt(narrow, one.addr()))
			next := configureAt(wide, two.addr())
			spoil(next)
			if err := r.Reload(next); err == nil {
				t.Fatal("no error")
			}
			wantsAnswer(t, narrow.String(), "one")
			wantsNobody(t, beside)
		})
	}
}

// TestReloadMetricsWidth moves the metrics from one address of their port to all.
func TestReloadMetricsWidth(t *testing.T) {
	s := serve(t, says("hello"))
	narrow, wide, beside := widths(t)
	cfg := configure(s.addr())
	cfg.Metrics = narrow.String()
	r := start(t, cfg)
	next := configure(s.addr())
	next.Metrics = fmt.Sprintf(":%d", wide.Port())
	if err := r.Reload(next); err != nil {
		t.Fatal(err)
	}
	scrape(t, beside)
	scrape(t, narrow.String())
}

// TestInheritedWidth takes over from a process that listens at a wider or narrower
// address, still does so for a while, and leaves clients behind when it stops.
func TestInheritedWidth(t *testing.T) {
	s := serve(t, says("hello"))
	narrow, wide, beside := widths(t)
	for _, test := range []struct{ before, after netip.AddrPort }{{narrow, wide}, {wide, narrow}} {
		before, err := listen(test.before, false)
		if err != nil {
			t.Fatal(err)
		}
		file, err := before.File()
		if err != nil {
			t.Fatal(err)
		}
		handed, err := net.FileListener(file)
		if err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
		waiting := dial(t, narrow.String())
		var outside *net.TCPConn
		if test.before == wide {
			outside = dial(t, beside)
		}
		r := startWith(t, configureAt(test.after, s.addr()), Options{Listeners: []*net.TCPListener{handed.(*net.TCPListener)}})
		wantsAnswer(t, narrow.String(), "hello")
		_ = before.Close()
		if got := wantsEnd(t, waiting); got != "hello" {
			t.Errorf("%s after %s: who was waiting got %q", test.after, test.before, got)
		}
		if outside != nil {
			wantsReset(t, outside)
		}
		if want := fmt.Sprintf("listener on %s was handed over", test.before); !strings.Contains(r.notices.String(), want) {
			t.Errorf("got notices %q", r.notices.String())
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		wantsNobody(t, beside)
	}
}

// TestInheritedInVain: of a listener that isn't configured, nothing is said if the
// forwarder doesn't start.
func TestInheritedInVain(t *testing.T) {
	taken := serve(t, nil)
	handed, err := listen(free(t), false)
	if err != nil {
		t.Fatal(err)
	}
	var notices output
	f, err := New(configureAt(netip.MustParseAddrPort(taken.addr()), "127.0.0.1:1"), Options{
		Listeners: []*net.TCPListener{handed},
		Notice:    func(text string) { fmt.Fprintln(&notices, text) },
	})
	if err == nil {
		f.Close()
		t.Fatal("no error")
	}
	if got := notices.String(); got != "" {
		t.Errorf("got notices %q", got)
	}
	wantsNobody(t, handed.Addr().String())
}
