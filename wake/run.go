package wake

import (
	"context"
	"errors"
	"io"

	"github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/handover"
)

// Run forwards through a Waker until the context ends, and then until the clients have
// left or their time is over. The configuration's listeners all lead to the one target.
// The access log goes to out, if its path is "-".
func Run(ctx context.Context, cfg *config.Config, o Options, out io.Writer) error {
	// Connections that outlive us would be to a target that may not.
	own := *cfg
	own.Persist, cfg = false, &own
	w := New(o)
	f, err := forward.New(cfg, forward.Options{
		Gate:   w,
		Output: out,
		Notice: func(text string) { o.Notice("%s", text) },
	})
	if err != nil {
		return err
	}
	for _, addr := range f.Addrs() {
		o.Notice("listening on %s", addr)
	}
	w.Begin()
	notify(o, handover.Ready)
	<-ctx.Done()
	notify(o, handover.Stopping)
	w.Quit()
	f.Drain(cfg.Drain, false)
	err = f.Close()
	<-w.Done()
	return errors.Join(err, w.Err())
}

// notify tells the service manager, if there is one.
func notify(o Options, state string) {
	if err := handover.Notify(state); err != nil {
		o.Notice("%v", err)
	}
}
