package cli

import (
	"fmt"

	"github.com/waggle-bpf/waggle/forward"
)

// forwardFlushCmd is waggle forward flush.
type forwardFlushCmd struct{}

// Help is the command's manual.
func (*forwardFlushCmd) Help() string {
	return `Connections that engine packet has spliced go on when their forwarder is stopped or killed, until the next one adopts them. This ends them, with a reset to both sides, and removes the programs and maps that are pinned for them in this network namespace. Connections of forwarders that run are left alone.

  systemctl stop waggle-forward
  waggle forward flush`
}

// Run flushes.
func (*forwardFlushCmd) Run(e *env) error {
	n, err := forward.Flush()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "ended %s\n", count(n, "connection"))
	return err
}
