package wake

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/handover"
	"github.com/waggle-bpf/waggle/wake/control"
)

// Run forwards through a Waker until the context ends, and then until the clients have
// left or their time is over. The configuration's listeners all lead to the one target.
// The access log goes to out, if its path is "-".
func Run(ctx context.Context, cfg *config.Config, o Options, out io.Writer) error {
	w, f, err := prepare(cfg, o, out)
	if err != nil {
		return err
	}
	addrs := f.Addrs() // it has them as long as it listens
	closeControl, err := openControl(o, func() *control.Report {
		r := w.Report()
		r.Listen = addrs
		return r
	})
	if err != nil {
		w.abandon()
		return errors.Join(err, f.Close())
	}
	defer closeControl()
	announce(addrs, f.Status(0).Limit, o)
	w.Begin()
	notify(o, handover.Ready)
	defer keepAlive(w)()
	<-ctx.Done()
	notify(o, handover.Stopping)
	w.Quit()
	f.Drain(cfg.Drain, false)
	err = f.Close()
	<-w.Done()
	return errors.Join(err, w.Err())
}

// prepare makes a Waker and the forwarder whose gate it is.
func prepare(cfg *config.Config, o Options, out io.Writer) (w *Waker, f *forward.Forwarder, err error) {
	// Connections that outlive us would be to a target that may not.
	own := *cfg
	own.Persist = false
	// A name may lead elsewhere than before the target was started: to a container with
	// a new address, or a machine that was not known.
	o.Found = func(ctx context.Context) { f.Refresh(ctx) }
	w = New(o)
	f, err = forward.New(&own, forward.Options{
		Gate:    w,
		Output:  out,
		Notice:  func(text string) { o.Notice("%s", text) },
		Metrics: []prometheus.Collector{collector{w}},
	})
	return w, f, err
}

// announce tells where clients come, and if there can't be as many as may be held.
func announce(addrs []netip.AddrPort, limit int, o Options) {
	for _, addr := range addrs {
		o.Notice("listening on %s", addr)
	}
	if limit < o.Held {
		o.Notice("%d clients can be held, not %d: this process may open too few files; ulimit -n lets it open more", limit, o.Held)
	}
}

// openControl opens the socket by which others ask what is going on, until it is closed.
// Nobody has asked for the usual one, so it may be missing.
func openControl(o Options, report func() *control.Report) (closed func(), err error) {
	path := o.Control
	if path == "" {
		path = control.DefaultPath()
	}
	server, err := control.Serve(path, report)
	switch {
	case err == nil:
		return server.Close, nil
	case o.Control != "":
		return nil, err
	}
	o.Notice("%v; waggle wake status doesn't find this one", err)
	return func() {}, nil
}

// keepAlive tells the service manager that the Waker does its work, if there is one that
// wants to know, until it is told to stop.
func keepAlive(w *Waker) (stop func()) {
	every := handover.Watchdog()
	if every == 0 {
		return func() {}
	}
	tick, end := time.NewTicker(every), make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for {
			select {
			case <-tick.C:
				_ = w.Report() // which it has to answer
				notify(w.options, handover.Alive)
			case <-end:
				return
			}
		}
	})
	return func() {
		tick.Stop()
		close(end)
		work.Wait()
	}
}

// notify tells the service manager, if there is one.
func notify(o Options, state string) {
	if err := handover.Notify(state); err != nil {
		o.Notice("%v", err)
	}
}
