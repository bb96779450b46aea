package forward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/accesslog"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/metrics"
	"github.com/waggle-bpf/waggle/forward/proxy"
	"github.com/waggle-bpf/waggle/forward/route"
	"github.com/waggle-bpf/waggle/load"
)

// listener is an address at which connections come in.
type listener struct {
	forwarder *Forwarder
	addr      netip.AddrPort // with the port that it got, if it asked for any
	tcp       *net.TCPListener
	service   atomic.Pointer[service]
	stopping  atomic.Bool
	done      chan struct{} // closed when accept has returned
}

// service is what a listener does with connections: its part of a configuration,
// ready for use. It doesn't change.
type service struct {
	name     string       // the listener's
	table    *route.Table // nil if there are no rules
	groups   map[string]*group
	fallback *group // nil refuses what no rule takes
	policy   proxy.Policy
	engine   engine.Engine
	timeouts config.Timeouts
	limits   config.Limits
	metrics  *metrics.Listener
}

// listen opens a listener. Connections have TCP_NODELAY set, as Go does by default,
// and no keep-alive, which the janitor turns on for those that last. MPTCP is off:
// what splices connections can't deal with several paths. Reuse shares the address with
// those that have SO_REUSEPORT, too.
func listen(addr netip.AddrPort, reuse bool) (*net.TCPListener, error) {
	lc := net.ListenConfig{KeepAlive: -1}
	if reuse {
		lc.Control = func(_, _ string, raw syscall.RawConn) (err error) {
			cerr := raw.Control(func(fd uintptr) { err = setReusePort(fd, 1) })
			return cmp.Or(cerr, err)
		}
	}
	lc.SetMultipathTCP(false)
	network, text := "tcp", addr.String()
	switch a := addr.Addr(); {
	case a.Is4():
		network = "tcp4" // Go takes 0.0.0.0 for all addresses of IPv6, too
	case a == netip.IPv6Unspecified():
		text = fmt.Sprintf(":%d", addr.Port()) // those of IPv4 alone, where there is no IPv6
	}
	l, err := lc.Listen(context.Background(), network, text)
	if err != nil {
		return nil, listenError(addr, err)
	}
	return l.(*net.TCPListener), nil
}

// listenError says what is to be done.
func listenError(addr netip.AddrPort, err error) error {
	var netErr *net.OpError
	if errors.As(err, &netErr) {
		err = netErr.Err
	}
	op, hint := fmt.Sprintf("listen on %s", addr), ""
	switch {
	case errors.Is(err, unix.EACCES):
		return &load.PrivilegeError{Op: op, Capability: "CAP_NET_BIND_SERVICE", Err: err}
	case errors.Is(err, unix.EADDRINUSE):
		hint = "; ss -ltnp tells who has it"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		hint = "; no interface has that address"
	}
	return fmt.Errorf("%s: %w%s", op, err, hint)
}

// accept takes connections until the listener is stopped.
func (l *listener) accept() {
	defer close(l.done)
	pause := minPause
	for {
		c, err := l.tcp.AcceptTCP()
		if err == nil {
			l.admit(c)
			pause = minPause
			continue
		}
		if l.stopping.Load() || errors.Is(err, net.ErrClosed) {
			return
		}
		if l.shed(err) {
			continue
		}
		time.Sleep(pause)
		pause = min(2*pause, maxPause)
	}
}

// How long to wait before accepting again, when that gave an error.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// shed deals with an error of accept, and tells whether it is worth to go on at once.
func (l *listener) shed(err error) bool {
	f := l.forwarder
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		f.notices.limited(noDescriptors, "accept on %s: %v; connections are refused, raise the limit of open files", l.addr, err)
		return f.spare.lend(l.refuseNext)
	case errors.Is(err, unix.ECONNABORTED), errors.Is(err, unix.EINTR):
		return true // that client has left again
	}
	f.notices.limited(err.Error(), "accept on %s: %v", l.addr, err)
	return false
}

// admit begins to serve a connection, within the limits.
func (l *listener) admit(client *net.TCPConn) {
	f, s := l.forwarder, l.service.Load()
	c := &conn{listener: l, service: s, client: client, start: time.Now(), peer: addrPort(client.RemoteAddr())}
	s.metrics.Accepted()
	if !f.conns.reserve(s.limits.Connections) {
		reset(client)
		l.refused(c.peer, tooMany)
		return
	}
	// Whom a trusted peer speaks for is known when its header has come.
	if !s.policy.Trusts(c.peer.Addr()) && !c.count(c.peer.Addr()) {
		f.conns.release()
		reset(client)
		l.refused(c.peer, tooManyOfSource)
		return
	}
	f.conns.add(c)
	f.janitor.added(c.id)
	go c.serve()
}

func reset(client *net.TCPConn) {
	_ = client.SetLinger(0)
	_ = client.Close()
}

// refused tells of a connection that was not served at all.
func (l *listener) refused(peer netip.AddrPort, reason string) {
	s := l.service.Load()
	s.metrics.Refused(reason)
	l.forwarder.log.Load().Write(&accesslog.Record{Start: time.Now(), Client: peer, Listener: s.name, Refused: reason})
}

// stop ends accepting. Clients that the kernel has accepted already are served, unless
// another process has the listener, too, and will do it.
func (l *listener) stop(shared bool) {
	l.stopping.Store(true)
	_ = l.tcp.SetDeadline(past)
	<-l.done
	if !shared {
		empty(l.tcp, l.admit)
	}
	_ = l.tcp.Close()
	l.forwarder.own.Remove(l.addr)
}
