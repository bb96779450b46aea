package backend

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

func TestListeners(t *testing.T) {
	var l Listeners
	for _, a := range []string{"127.0.0.1:80", "0.0.0.0:81", "[::]:82", "[::1]:83", "10.1.2.3:84", "[::ffff:10.1.2.4]:84"} {
		l.Add(netip.MustParseAddrPort(a))
	}
	for addr, want := range map[string]bool{
		"127.0.0.1:80":          true,
		"127.0.0.1:79":          false,
		"127.0.0.2:80":          false,
		"0.0.0.0:80":            true, // connects to 127.0.0.1
		"[::ffff:127.0.0.1]:80": true,
		"127.1.2.3:81":          true,
		"192.0.2.1:81":          false, // not ours
		"[::1]:81":              false, // 0.0.0.0 takes no IPv6
		"[::1]:82":              true,
		"127.0.0.1:82":          true,
		"[::]:82":               true,
		"[2001:db8::1]:82":      false,
		"[::]:83":               true,
		"127.0.0.1:83":          false,
		"10.1.2.3:84":           true,
		"10.1.2.4:84":           true,
	} {
		if got := l.Contains(netip.MustParseAddrPort(addr)); got != want {
			t.Errorf("%s: got %t", addr, got)
		}
	}
	own := netip.MustParseAddrPort("127.0.0.1:80")
	l.Add(own)
	l.Remove(own)
	if !l.Contains(own) {
		t.Error("gone after the first Remove")
	}
	l.Remove(own)
	if l.Contains(own) {
		t.Error("still there after the last Remove")
	}
	var none *Listeners
	if none.Contains(own) || new(Listeners).Contains(own) {
		t.Error("no listeners contain one")
	}
}

// TestLocalAddresses: a listener at all addresses is at those of the machine's devices.
func TestLocalAddresses(t *testing.T) {
	var l Listeners
	l.Add(netip.MustParseAddrPort("[::]:80"))
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		p := netip.MustParsePrefix(a.String())
		if !l.Contains(netip.AddrPortFrom(p.Addr(), 80)) {
			t.Errorf("%v is not local", p.Addr())
		}
	}
}

func TestLoop(t *testing.T) {
	var own Listeners
	self, other := server(t, "127.0.0.1:0"), server(t, "127.0.0.1:0")
	own.Add(netip.MustParseAddrPort(self))
	g := newGroup(t, Config{Targets: targets(self), Own: &own})
	_, _, err := g.Dial(t.Context(), Key{})
	if want := "dial group test: " + self + ": it is a listener of this process, so the connection would come back"; errorText(err) != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if !errors.Is(err, ErrLoop) || Reason(err) != "loop" {
		t.Errorf("reason %q of %v", Reason(err), err)
	}
	if s := g.Status()[0]; s.State != Loop || s.Dials != 0 {
		t.Errorf("status %+v", s)
	}
	g = newGroup(t, Config{Targets: targets(self, other), Own: &own})
	for range 4 {
		conn, b, err := g.Dial(t.Context(), Key{})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		b.Release()
	}
}
