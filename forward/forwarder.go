package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waggle-bpf/waggle/forward/accesslog"
	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/metrics"
)

// Options are what a forwarder needs beside its configuration.
type Options struct {
	// Listeners are open already: another process's, or systemd's. Those whose
	// address the configuration has are used, and the others closed.
	Listeners []*net.TCPListener
	// Output is where an access log goes whose path is "-"; os.Stdout if nil.
	Output io.Writer
	// Notice is told, in a line, what an operator should know. It may be nil.
	Notice func(string)
	// Gate is what connections go through before a backend is dialled; nil for nothing.
	Gate Gate
	// Metrics are served beside the forwarder's own. They may not share names.
	Metrics []prometheus.Collector
	// Ended is told of each connection when it is over, or refused: what the access log
	// would say. It is called on the connection's own goroutine. It may be nil.
	Ended func(*accesslog.Record)
}

// Forwarder forwards connections.
type Forwarder struct {
	notices notices
	output  io.Writer
	gate    Gate                    // nil for none
	ended   func(*accesslog.Record) // nil for nobody
	started time.Time
	files   files
	spare   spare

	conns     registry
	lingering atomic.Int64 // of conns, those that are refused politely
	sources   sources
	janitor   janitor
	engines   engines
	metrics   *metrics.Metrics
	log       atomic.Pointer[accesslog.Log] // never nil; the log itself may be none
	own       backend.Listeners

	ctx    context.Context // of dials
	cancel context.CancelFunc
	ending atomic.Bool // nobody gets any further

	mu        sync.Mutex // of what follows
	config    *config.Config
	listeners map[netip.AddrPort]*listener // by configured address
	retired   retired
	groups    map[string]*group
	scrapes   *scrapes // nil for none
	draining  bool
	closed    bool
}

// New opens the listeners of a configuration and begins to forward.
func New(cfg *config.Config, o Options) (*Forwarder, error) {
	f := &Forwarder{
		notices:   notices{out: o.Notice},
		output:    o.Output,
		gate:      o.Gate,
		ended:     o.Ended,
		started:   time.Now(),
		metrics:   metrics.New(),
		listeners: make(map[netip.AddrPort]*listener),
	}
	if f.output == nil {
		f.output = os.Stdout
	}
	f.log.Store(nil)
	f.conns.init()
	f.ctx, f.cancel = context.WithCancel(context.Background())
	limit, err := fileLimit()
	if err != nil {
		return nil, err
	}
	f.files = shareOut(limit, cfg.Limits.ReserveFiles)
	f.engines.options = engineOptions{
		pipes: f.files.pipes, persist: cfg.Persist,
		refused: f.metrics.Fallback, switched: f.metrics.Switched,
	}
	if err := f.metrics.Register(o.Metrics...); err != nil {
		return nil, err
	}
	f.metrics.Backends(f.backends)
	f.metrics.LogLost(func() uint64 { return f.log.Load().Lost() })
	if err := f.spare.open(); err != nil {
		return nil, err
	}
	if err := f.load(cfg, o.Listeners); err != nil {
		f.spare.close()
		return nil, errors.Join(err, f.engines.close())
	}
	f.adopt()
	f.janitor.start(f)
	return f, nil
}

// Reload makes new connections go by another configuration. Those that there are keep
// theirs. If it returns an error, nothing has changed.
func (f *Forwarder) Reload(cfg *config.Config) error {
	if err := f.load(cfg, nil); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	wake(f.janitor.changed)
	f.tellUnchangeable(cfg)
	return nil
}

// tellUnchangeable tells which keys of a configuration have changed and can't be put in
// force.
func (f *Forwarder) tellUnchangeable(cfg *config.Config) {
	var keys []string
	if cfg.Persist != f.engines.options.persist {
		keys = append(keys, fmt.Sprintf("persist stays %t", f.engines.options.persist))
	}
	if cfg.Limits.ReserveFiles != f.files.reserve {
		keys = append(keys, fmt.Sprintf("limits.reserve_files stays %d", f.files.reserve))
	}
	if len(keys) > 0 {
		f.notice("%s until the forwarder is started again or upgraded", strings.Join(keys, " and "))
	}
}

// Refresh looks up the names of all backends now, and returns when connections go where
// they lead: for those who know that there is another answer than the last.
func (f *Forwarder) Refresh(ctx context.Context) {
	f.mu.Lock()
	groups := slices.Collect(maps.Values(f.groups))
	f.mu.Unlock()
	for _, g := range groups {
		g.Refresh(ctx)
	}
}

// Reopen opens the access log again, which was renamed.
func (f *Forwarder) Reopen() error { return f.log.Load().Reopen() }

func (f *Forwarder) notice(format string, args ...any) { f.notices.notice(format, args...) }

func (f *Forwarder) timeouts() config.Timeouts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.config.Timeouts
}

func (f *Forwarder) backends() []backend.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []backend.Status
	for _, g := range f.config.Groups {
		list = append(list, f.groups[g.Name].Status()...)
	}
	return list
}

// Addrs are the addresses of the listeners, in the order of the configuration.
func (f *Forwarder) Addrs() []netip.AddrPort {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []netip.AddrPort
	for _, l := range f.config.Listeners {
		list = append(list, f.listeners[l.Address].addr)
	}
	return list
}

// Listeners are the open listeners, that of the metrics included: what another process
// needs to take over. An error says that it is too late for that.
func (f *Forwarder) Listeners() ([]*net.TCPListener, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.draining || f.closed {
		return nil, errEnding
	}
	var list []*net.TCPListener
	for _, l := range f.listeners {
		list = append(list, l.tcp)
	}
	if f.scrapes != nil {
		list = append(list, f.scrapes.listener)
	}
	return list, nil
}

var errEnding = errors.New("the forwarder is about to end")

// Drain stops accepting connections and waits until those that there are have ended,
// but no longer than limit, unless that is negative. Shared tells that another process has the listeners, too,
// and serves the clients who wait to be accepted. Close comes next.
func (f *Forwarder) Drain(limit time.Duration, shared bool) {
	f.mu.Lock()
	f.draining = true
	persist := f.engines.options.persist // what they do, whatever the configuration has now
	f.stopListeners(shared)
	if shared && f.scrapes != nil {
		f.scrapes.close()
		f.scrapes = nil
	}
	f.mu.Unlock()
	if persist {
		f.abort(engine.Shutdown, func(c *conn) bool { return c.pair.Outlives() })
	}
	f.waitForEnd(limit)
}

// waitForEnd waits until there is no connection, but no longer than limit, unless that is
// negative.
func (f *Forwarder) waitForEnd(limit time.Duration) {
	var late atomic.Bool
	if limit >= 0 {
		timer := time.AfterFunc(limit, func() {
			late.Store(true)
			f.conns.poke()
		})
		defer timer.Stop()
	}
	f.conns.wait(late.Load)
}

// stopListeners is called with the mutex held.
func (f *Forwarder) stopListeners(shared bool) {
	for _, l := range f.listeners {
		l.stop(shared)
	}
	clear(f.listeners)
	f.retired.stop()
}

// past is a deadline that wakes who waits.
var past = time.Unix(1, 0)

// closePatience is how long connections may take to end that were told to. Nothing
// holds them up but the system.
const closePatience = 10 * time.Second

// Close ends all connections, with a reset, and gives back everything. Those that
// engine packet has spliced go on, if the configuration says that they persist.
func (f *Forwarder) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	f.stopListeners(false)
	f.mu.Unlock()

	f.ending.Store(true)
	f.cancel()
	f.abort(engine.Shutdown, func(*conn) bool { return true })
	f.waitForEnd(closePatience)

	f.janitor.close()
	var errs []error
	if n := f.conns.count.Load(); n > 0 {
		errs = append(errs, fmt.Errorf("close forwarder: %d connections don't end", n))
	} else {
		errs = append(errs, f.engines.close())
	}
	for _, g := range f.groups {
		errs = append(errs, g.Close())
	}
	if f.scrapes != nil {
		f.scrapes.close()
	}
	errs = append(errs, f.log.Load().Close())
	f.spare.close()
	return errors.Join(errs...)
}

// abort ends connections: those that are forwarded if they are chosen, those that are
// not yet in any case.
func (f *Forwarder) abort(cause engine.Cause, chosen func(*conn) bool) {
	var list []*conn
	f.conns.each(func(c *conn) {
		switch p := phase(c.phase.Load()); {
		case p >= forwarding && chosen(c), p == greeting && f.ending.Load():
			list = append(list, c)
		case p < greeting && f.ending.Load():
			_ = c.client.SetReadDeadline(past)
		}
	})
	for _, c := range list {
		c.pair.Abort(cause)
	}
}
