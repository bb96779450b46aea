package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/redirect"
)

// redirectView shows what a session does.
type redirectView struct {
	session *redirect.Session
	out     io.Writer
	// show prints the account and the busiest connections from time to time, nil if
	// that is not wanted; last prints the totals.
	show func(*redirect.Summary, []redirect.Connection) error
	last func(*redirect.Summary) error
	rows int
}

// view chooses what to show: JSON if that is wanted, a table on a terminal that no
// command writes to, else nothing but totals.
func (c *redirectCmd) view(e *env, s *redirect.Session) *redirectView {
	v := &redirectView{session: s, out: e.stdout, rows: maxRows}
	if c.JSON {
		v.show, v.last = v.json, func(sum *redirect.Summary) error { return v.json(sum, nil) }
		return v
	}
	v.last = func(sum *redirect.Summary) error {
		_, err := fmt.Fprintln(e.stderr, sum.String())
		return err
	}
	if f, ok := e.stdout.(*os.File); ok && len(c.Command) == 0 {
		// Only a terminal has a size.
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil {
			v.show = v.table
			v.rows = max(1, int(size.Row)-tableHead)
		}
	}
	return v
}

// maxRows is how many connections JSON has, tableHead how many lines of a table are none.
const (
	maxRows   = 100
	tableHead = 5
)

// run shows something until ctx ends.
func (v *redirectView) run(ctx context.Context, every time.Duration) error {
	if v.show == nil {
		return nil
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		sum, err := v.session.Summary()
		if err == nil {
			err = v.show(&sum, v.session.Connections(v.rows))
		}
		if err != nil {
			return err
		}
	}
}

func (v *redirectView) total(sum *redirect.Summary) error { return v.last(sum) }

// json prints an account as a line.
func (v *redirectView) json(sum *redirect.Summary, conns []redirect.Connection) error {
	line, err := json.Marshal(struct {
		*redirect.Summary
		List []redirect.Connection `json:"list,omitempty"`
	}{sum, conns})
	if err != nil {
		return err
	}
	_, err = v.out.Write(append(line, '\n'))
	return err
}

// table draws the screen anew.
func (v *redirectView) table(sum *redirect.Summary, conns []redirect.Connection) error {
	const home = "\x1b[H\x1b[J" // the cursor to the top, and clear what is below
	var b bytes.Buffer
	fmt.Fprintf(&b, home+"%d connections open, %d taken, %d messages short-cut, %d passed\n\n", sum.Open, sum.Connections, sum.Messages, sum.PassedMessages)
	writeConnections(&b, conns)
	_, err := v.out.Write(b.Bytes())
	return err
}

// writeConnections prints connections as a table.
func writeConnections(w io.Writer, conns []redirect.Connection) {
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprint(tab, "CLIENT\tSERVER\tPID\tTO SERVER\tTO CLIENT\tMESSAGES\tBYTES\tPASSED\tBYTES\n")
	for _, c := range conns {
		fmt.Fprintf(tab, "%v\t%v\t%d\t%s\t%s\t%d\t%d\t%d\t%d\n",
			c.Client, c.Server, c.PID, c.ToServer, c.ToClient, c.Messages, c.Bytes, c.PassedMessages, c.PassedBytes)
	}
	// It writes to memory.
	_ = tab.Flush()
}
