//go:build linux

// Package proxy watches connections by passing them on: clients connect to it, and it
// forwards them to the service. It needs no rights, sees everything at once and counts
// all bytes, and behind a load balancer it learns the clients' addresses from the PROXY
// protocol, which the service doesn't get to see.
package proxy

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/forward/accesslog"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/proxy"
	"github.com/waggle-bpf/waggle/idle/watch"
)

// Options say what to forward.
type Options struct {
	Listen string // ADDRESS:PORT or :PORT
	To     string // HOST:PORT of the service
	// ProxyFrom are those who have to say by the PROXY protocol whom their
	// connections are from. Nobody else may.
	ProxyFrom []netip.Prefix
	// Engine moves the bytes; see config.Engines. It is "splice" if it is empty.
	Engine string
	// Notice is told, in a line, what an operator should know. It may be nil.
	Notice func(string)
}

// Watcher forwards connections and tells of them.
type Watcher struct {
	options Options
	forward *forward.Forwarder

	mu    sync.Mutex // of what follows, and of sink
	port  uint16
	sink  func(watch.Event)
	early []watch.Event                 // before there was a sink
	conns map[netip.AddrPort]watch.Conn // by who connected to us, whoever that speaks for
	last  uint64                        // the number given last
}

// Open begins to forward.
func Open(o Options) (*Watcher, error) {
	cfg, err := config.Simple(o.Listen, o.To)
	if err != nil {
		return nil, err
	}
	l := cfg.Listeners[0]
	if l.Engine = o.Engine; o.Engine == "" {
		l.Engine = "splice"
	}
	l.Proxy = proxy.Policy{Trusted: o.ProxyFrom, Require: true}
	// How long a connection may be silent is a matter of the policy, and of client and
	// service.
	cfg.Timeouts.Idle, cfg.Timeouts.HalfClose = 0, 0
	cfg.Persist = false
	w := &Watcher{options: o, conns: make(map[netip.AddrPort]watch.Conn)}
	w.sink = func(e watch.Event) { w.early = append(w.early, e) }
	w.mu.Lock() // clients may come before the port is known
	defer w.mu.Unlock()
	w.forward, err = forward.New(cfg, forward.Options{Gate: w, Ended: w.ended, Notice: o.Notice})
	if err != nil {
		return nil, err
	}
	w.port = w.forward.Addrs()[0].Port()
	return w, nil
}

// Addr is where it listens.
func (w *Watcher) Addr() netip.AddrPort { return w.forward.Addrs()[0] }

// Name implements watch.Watcher.
func (w *Watcher) Name() string { return "proxy" }

// Where implements watch.Watcher.
func (w *Watcher) Where() string { return fmt.Sprintf("%s, forwarded to %s", w.Addr(), w.options.To) }

// Close ends all connections.
func (w *Watcher) Close() error { return w.forward.Close() }

// Run implements watch.Watcher.
func (w *Watcher) Run(ctx context.Context, sink func(watch.Event)) error {
	w.mu.Lock()
	for _, e := range w.early {
		sink(e)
	}
	w.early, w.sink = nil, sink
	w.mu.Unlock()
	<-ctx.Done()
	w.mu.Lock()
	w.sink = func(watch.Event) {}
	w.mu.Unlock()
	return nil
}

// Pass implements forward.Gate: a connection is open when the service has it.
func (w *Watcher) Pass(_ context.Context, c forward.Caller, dial func() error) (leave func(), err error) {
	opened := time.Now()
	if err := dial(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	conn := watch.Conn{ID: w.last, Client: unmap(c.Source), Port: w.port, Opened: opened}
	w.conns[unmap(c.Conn.RemoteAddr().(*net.TCPAddr).AddrPort())] = conn
	w.sink(watch.Event{Kind: watch.Opened, Conn: conn, Time: opened})
	return func() {}, nil
}

// ended is told of a connection that is over.
func (w *Watcher) ended(r *accesslog.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	peer := unmap(r.Client)
	conn, ok := w.conns[peer]
	if !ok {
		if conn = (watch.Conn{Client: peer, Port: w.port, Opened: now}); r.Source.IsValid() {
			conn.Client = unmap(r.Source)
		}
		w.sink(watch.Event{Kind: watch.Refused, Conn: conn, Time: now, Why: why(r)})
		return
	}
	delete(w.conns, peer)
	w.sink(watch.Event{Kind: watch.Closed, Conn: conn, Time: now, Bytes: watch.Bytes{In: r.Up, Out: r.Down, Known: true}})
}

func why(r *accesslog.Record) string {
	if r.Err == "" {
		return r.Refused
	}
	if strings.Contains(r.Err, r.Refused) {
		return r.Err
	}
	return r.Refused + ": " + r.Err
}

// Moved implements watch.Watcher.
func (w *Watcher) Moved(each func(id uint64, b watch.Bytes)) error {
	status := w.forward.Status(-1)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range status.Connections {
		if conn, ok := w.conns[unmap(c.Client)]; ok {
			each(conn.ID, watch.Bytes{In: c.Up, Out: c.Down, Known: true})
		}
	}
	return nil
}

// Settle implements watch.Watcher: sink is told before the service is.
func (w *Watcher) Settle(context.Context) error { return nil }

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
