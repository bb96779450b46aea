package packet

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/packet/kern"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// place is where the ends of a pair are.
type place struct {
	name            string
	client, backend *testkit.NS
	// front and back are where forwarder and backend listen.
	front, back netip.Addr
}

// TestPlaces has clients and backends on the forwarder's machine and on others.
func TestPlaces(t *testing.T) {
	here := testkit.NewNS(t)
	clients := testkit.NewWire(t, testkit.NewNS(t), here, 1)
	backends := testkit.NewWire(t, here, testkit.NewNS(t), 2)
	remoteClient, remoteBackend := clients.A.NS, backends.B.NS
	local4, local6 := netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()
	places := []place{
		{"both remote, IPv4", remoteClient, remoteBackend, clients.B.V4, backends.B.V4},
		{"both remote, IPv6", remoteClient, remoteBackend, clients.B.V6, backends.B.V6},
		{"both local, IPv4", here, here, local4, local4},
		{"both local, IPv6", here, here, local6, local6},
		{"both local, other addresses", here, here, backends.A.V4, local4},
		{"local backend, IPv4", remoteClient, here, clients.B.V4, local4},
		{"local backend, IPv6", remoteClient, here, clients.B.V6, local6},
		{"local backend, other address", remoteClient, here, clients.B.V4, backends.A.V4},
		{"backend behind the client's wire", remoteClient, remoteClient, clients.B.V4, clients.A.V4},
	}
	var e *Engine
	here.Do(t, func() { e = start(t) })
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) { p.test(t, e, here) })
	}
}

// TestInterfaceMadeAgain has a client behind a wire that is cut, and then behind a new
// one of the same name.
func TestInterfaceMadeAgain(t *testing.T) {
	here, there := testkit.NewNS(t), testkit.NewNS(t)
	var e *Engine
	here.Do(t, func() { e = start(t) })
	for range 2 {
		wire := testkit.NewWire(t, there, here, 1)
		(&place{"local backend", there, here, wire.B.V4, netip.MustParseAddr("127.0.0.1")}).test(t, e, here)
		var err error
		there.Do(t, func() { err = rtnl.Do(func(c *rtnl.Conn) error { return c.DeleteLink(wire.A.Index) }) })
		if err != nil {
			t.Fatal(err)
		}
		e.devices.mu.Lock()
		for name, a := range e.devices.attached {
			a.checked = time.Time{}
			e.devices.attached[name] = a
		}
		e.devices.mu.Unlock()
	}
}

// TestBigSegments has a client behind a wire whose packets are bigger than the socket
// option for their size can say.
func TestBigSegments(t *testing.T) {
	here := testkit.NewNS(t)
	wire := testkit.NewWire(t, testkit.NewNS(t), here, 1)
	for _, end := range []testkit.End{wire.A, wire.B} {
		var err error
		end.NS.Do(t, func() { err = rtnl.Do(func(c *rtnl.Conn) error { return c.SetMTU(end.Index, 65535) }) })
		if err != nil {
			t.Fatal(err)
		}
	}
	var e *Engine
	here.Do(t, func() { e = start(t) })
	local := netip.MustParseAddr("127.0.0.1")
	(&place{"local backend", wire.A.NS, here, wire.B.V4, local}).test(t, e, here)
}

func (pl *place) test(t *testing.T, e *Engine, here *testkit.NS) {
	client, near := meet(t, pl.client, here, pl.front, nil)
	far, backend := meet(t, here, pl.backend, pl.back, func(fd int, to netip.AddrPort) error { return e.Prepare(near, fd, to) })
	p := engine.NewPair(near, far)
	ended := make(chan engine.End, 1)
	go func() {
		ended <- e.Forward(p)
		near.Close()
		far.Close()
	}()
	script := stream.Script{
		Seed:   7,
		Client: stream.Side{Size: 32 << 20},
		Server: stream.Side{Size: 32 << 20},
	}
	// Routes that change make the kernel forget those that sockets have kept.
	flush := time.AfterFunc(50*time.Millisecond, func() { changeRoutes(t, here) })
	defer flush.Stop()
	if err := script.Run(client, backend, 30*time.Second); err != nil {
		t.Error(err)
	}
	client.Close()
	backend.Close()
	if end := <-ended; end.Err != nil {
		t.Error(end)
	}
	if got := p.State(); got.Engine != Name {
		t.Errorf("moved by %s: %s", got.Engine, got.Why)
	}
	t.Log(p.State())
}

// meet connects one namespace to another and returns both ends.
func meet(t *testing.T, from, to *testkit.NS, addr netip.Addr, prepare func(int, netip.AddrPort) error) (dialled, accepted *net.TCPConn) {
	t.Helper()
	var l *net.TCPListener
	var err error
	to.Do(t, func() { l, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0))) })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := net.Dialer{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) (err error) {
		if prepare == nil {
			return nil
		}
		e := c.Control(func(fd uintptr) { err = prepare(int(fd), addrPort(l.Addr())) })
		return errors.Join(e, err)
	}}
	var c net.Conn
	from.Do(t, func() { c, err = d.Dial("tcp", l.Addr().String()) })
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); a.Close() })
	return c.(*net.TCPConn), a
}

// changeRoutes changes the namespace's routes.
func changeRoutes(t *testing.T, ns *testkit.NS) {
	var addr netip.Addr
	for i := byte(1); ; i++ { // one that is not there yet
		addr = netip.AddrFrom4([4]byte{192, 0, 2, i})
		var err error
		ns.Do(t, func() {
			err = rtnl.Do(func(c *rtnl.Conn) error { return c.AddAddr(kern.Loopback, netip.PrefixFrom(addr, 32)) })
		})
		if !errors.Is(err, unix.EEXIST) {
			if err != nil {
				t.Errorf("add address: %v", err)
			}
			return
		}
	}
}
