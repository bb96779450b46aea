package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waggle-bpf/waggle/wake/control"
)

// wakeStatusCmd is waggle wake status.
type wakeStatusCmd struct {
	Control string `placeholder:"PATH" help:"Ask only the one with this control socket."`
	JSON    bool   `name:"json" help:"Print a JSON object for each."`
}

// Help is the command's manual.
func (*wakeStatusCmd) Help() string {
	return `Asks every waggle wake of this user what it does: the target and its state, what is waited for, which clients wait and for
how long, and how often the target was started and stopped, and that went wrong.

  waggle wake status
  waggle wake status --json | jq 'select(.held > 0) | {to, state, held}'`
}

// Run asks and prints the answers.
func (c *wakeStatusCmd) Run(e *env) error {
	reports, err := c.ask()
	if errors.Is(err, control.ErrNone) {
		return fmt.Errorf("%w; --control names the socket of another one", err)
	}
	for i, r := range reports {
		if c.JSON {
			enc := json.NewEncoder(e.stdout)
			enc.SetIndent("", "  ")
			err = errors.Join(err, enc.Encode(r))
			continue
		}
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		err = errors.Join(err, printWake(e.stdout, r))
	}
	return err
}

// ask returns the reports of those that can be asked, and the errors of those that can't.
func (c *wakeStatusCmd) ask() ([]*control.Report, error) {
	if c.Control == "" {
		return control.AskAll()
	}
	r, err := control.Ask(c.Control)
	if err != nil {
		return nil, err
	}
	return []*control.Report{r}, nil
}

// printWake prints what a waggle wake does.
func printWake(w io.Writer, r *control.Report) error {
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(tab, "wake %d, up for %s: %s to %s\n", r.PID, ago(r.Started, r.Now), addresses(r), r.To)
	for _, row := range [][2]string{
		{"start", r.Start}, {"stop", r.Stop}, {"ready", r.Ready},
		{"state", wakeOutlook(r)},
		{"clients", wakeClients(r)},
		{"starts", wakeStarts(r)}, {"stops", wakeStops(r)},
		{"problem", wakeProblem(r)},
	} {
		if row[1] != "" {
			fmt.Fprintf(tab, "  %s\t%s\n", row[0], row[1])
		}
	}
	if len(r.Waiting) > 0 {
		fmt.Fprint(tab, "\n  WAITING\tFOR\n")
	}
	for _, c := range r.Waiting {
		fmt.Fprintf(tab, "  %s\t%s\n", c.Source, ago(c.Since, r.Now))
	}
	if more := r.Held - len(r.Waiting); more > 0 {
		fmt.Fprintf(tab, "  and %d more\n", more)
	}
	return tab.Flush()
}

func addresses(r *control.Report) string {
	var list []string
	for _, a := range r.Listen {
		list = append(list, a.String())
	}
	return strings.Join(list, ", ")
}

// wakeOutlook is the state, and what will happen if nobody comes.
func wakeOutlook(r *control.Report) string {
	text := fmt.Sprintf("%s for %s", r.State, ago(r.Since, r.Now))
	switch {
	case !r.StopAt.IsZero():
		text += fmt.Sprintf(", stops in %s unless somebody comes", left(r.StopAt, r.Now))
	case !r.RetryAt.IsZero():
		text += fmt.Sprintf(", next try in %s at the earliest", left(r.RetryAt, r.Now))
	}
	return text
}

// left is how long it is until then.
func left(then, now time.Time) time.Duration {
	return max(then.Sub(now).Round(100*time.Millisecond), 0)
}

func wakeClients(r *control.Report) string {
	c := &r.Counts
	text := fmt.Sprintf("%d waiting, %d connected; %d came, %d were forwarded", r.Held, r.Connected, c.Clients, c.Forwarded)
	if c.Left > 0 {
		text += fmt.Sprintf(", %d left while they waited", c.Left)
	}
	for _, reason := range slices.Sorted(maps.Keys(c.Refused)) {
		text += fmt.Sprintf(", %d turned away (%s)", c.Refused[reason], reason)
	}
	return text
}

func wakeStarts(r *control.Report) string {
	text := failures(r.Counts.Starts, r.Counts.StartFailures)
	if s := r.LastStart; !s.At.IsZero() {
		took := time.Duration(s.Seconds * float64(time.Second)).Round(time.Millisecond)
		text += fmt.Sprintf("; the last good one, %s ago, was ready in %s", ago(s.At, r.Now), took)
	}
	return text
}

func wakeStops(r *control.Report) string {
	text := failures(r.Counts.Stops, r.Counts.StopFailures)
	if n := r.Counts.Lost; n > 0 {
		text += fmt.Sprintf("; gone without one %s", count(int(n), "time"))
	}
	return text
}

func failures(n, failed uint64) string {
	if failed == 0 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d (%d failed)", n, failed)
}

func wakeProblem(r *control.Report) string {
	if r.LastError.At.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s ago: %s", ago(r.LastError.At, r.Now), r.LastError.Error)
}
