package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/waggle-bpf/waggle/httpwatch"
)

// traceCmd is waggle trace, a family of commands.
type traceCmd struct {
	HTTP traceHTTPCmd `cmd:"" name:"http" help:"Print the HTTP requests that pass this machine's network interfaces."`
}

// traceHTTPCmd is waggle trace http.
type traceHTTPCmd struct {
	Interface []string `short:"i" placeholder:"IFACE" help:"Network interfaces to watch; by default all that are up, loopback included."`
	Port      uint16   `placeholder:"N" help:"Watch connections to this server port only."`
	JSON      bool     `name:"json" help:"Print one JSON object a line."`
	Strict    bool     `help:"Exit with code 1 if events were lost."`
	Ring      int      `placeholder:"MIB" default:"16" help:"Size of the buffer between kernel and user space."`
}

// Help is the command's manual.
func (*traceHTTPCmd) Help() string {
	return `Requests of HTTP/1 are printed one a line, each once, whichever interfaces it passes:

  10.0.0.7 - GET /index.html HTTP/1.1

The programs watch packets and change nothing; TLS stays closed to them. On Ctrl-C they are detached and a summary is
printed: requests, events lost, faults. Needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.

  waggle trace http
  waggle trace http -i eth0 --port 80 --json`
}

// Run watches until the command is interrupted.
func (c *traceHTTPCmd) Run(e *env) error {
	if c.Ring <= 0 || c.Ring > maxRing {
		return badInputf("ring of %d MiB: it has 1 to %d", c.Ring, maxRing)
	}
	o := httpwatch.Options{
		Interfaces: distinct(c.Interface),
		Port:       c.Port,
		Sink:       httpwatch.NewTextSink(e.stdout),
		RingBytes:  c.Ring << 20,
		Started: func(names []string) {
			fmt.Fprintf(e.stderr, "watching %s; Ctrl-C ends it\n", strings.Join(names, ", "))
		},
		Warn: func(err error) { fmt.Fprintln(e.stderr, "waggle: "+err.Error()) },
	}
	if c.JSON {
		o.Sink = httpwatch.NewJSONSink(e.stdout)
	}
	sum, err := httpwatch.Run(e.ctx, o)
	if errors.Is(err, httpwatch.ErrNoInterface) {
		return badInput(err)
	}
	// Who reads no more of the output may read the summary.
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, syscall.EPIPE) {
		return err
	}
	fmt.Fprintln(e.stderr, sum.String())
	if c.Strict && sum.Lost.Any() {
		return fmt.Errorf("watch http: %d events lost", sum.Lost.Events)
	}
	return faultsOf(sum.Faults)
}

// maxRing is the largest ring buffer in MiB.
const maxRing = 1024
