package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waggle-bpf/waggle/idle/control"
)

// idleCmd is waggle idle, a family of commands.
type idleCmd struct {
	Run     idleRunCmd     `cmd:"" default:"withargs" help:"Run or watch a service and stop it when it is idle; \"waggle idle\" is short for it."`
	Why     idleWhyCmd     `cmd:"" help:"Tell why a service is up, and what would let it stop."`
	Hold    idleHoldCmd    `cmd:"" help:"Keep a service up for a time."`
	Release idleReleaseCmd `cmd:"" help:"End a hold before its time."`
}

// Help is the family's manual.
func (*idleCmd) Help() string {
	return `Without a command it runs a service; "waggle idle run --help" lists the flags.

  waggle idle --port 22 -- /usr/sbin/sshd -D -e
  waggle idle why
  waggle idle hold --ttl 2h "nightly backup"`
}

// idleWhyCmd is waggle idle why.
type idleWhyCmd struct {
	Control string `placeholder:"PATH" help:"The control socket of the waggle idle to ask."`
	JSON    bool   `name:"json" help:"Print a JSON object."`
}

// Help is the command's manual.
func (*idleWhyCmd) Help() string {
	return `Prints all that is looked at for the decision, a line each: what it is, its value, and what would let the service stop as far
as that is concerned. What keeps it up now is marked with *.

  waggle idle why
  waggle idle why --json | jq '.signals[] | select(.blocks) | .name'`
}

// Run asks and prints the answer.
func (c *idleWhyCmd) Run(e *env) error {
	r, err := control.Why(controlPath(c.Control))
	if err != nil {
		return noIdle(err)
	}
	if c.JSON {
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	return printReport(e.stdout, r)
}

// printReport prints what a service is waiting for.
func printReport(w io.Writer, r *control.Report) error {
	what := "what runs already"
	if len(r.Command) > 0 {
		what = filepath.Base(r.Command[0])
	}
	fmt.Fprintf(w, "%s, up for %s: %s\n", what, r.Now.Sub(r.Started).Round(time.Second), outlook(r))
	fmt.Fprintf(w, "watched by %s (%s), %s\n\n", r.Watcher, r.Where, r.Why)
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprint(tab, "\tSIGNAL\tVALUE\tCAN STOP AFTER\n")
	for _, s := range r.Signals {
		mark := ""
		if s.Blocks {
			mark = "*"
		}
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\n", mark, s.Name, s.Value, cmp.Or(s.Until, "-"))
	}
	return tab.Flush()
}

// outlook says what will happen.
func outlook(r *control.Report) string {
	if r.State != "idle" {
		return r.State
	}
	left := r.StopAt.Sub(r.Now).Round(100 * time.Millisecond)
	return fmt.Sprintf("idle, stops in %s unless somebody comes (%s)", max(left, 0), r.Action)
}

// idleHoldCmd is waggle idle hold.
type idleHoldCmd struct {
	Reason  []string      `arg:"" help:"Why; whoever asks why will read it."`
	TTL     time.Duration `name:"ttl" default:"1h" placeholder:"TIME" help:"How long; an hour by default, a week at most."`
	Control string        `placeholder:"PATH" help:"The control socket of the waggle idle to ask."`
}

// Help is the command's manual.
func (*idleHoldCmd) Help() string {
	return `Work that nobody is connected for, such as a backup, keeps the service up by a hold. It ends by itself: who forgets it, or dies,
does no harm. The number that is printed is for "waggle idle release".

  waggle idle hold --ttl 2h "nightly backup"`
}

// Run asks for a hold.
func (c *idleHoldCmd) Run(e *env) error {
	h, err := control.NewHold(controlPath(c.Control), strings.Join(c.Reason, " "), c.TTL)
	if err != nil {
		return noIdle(err)
	}
	_, err = fmt.Fprintf(e.stdout, "%d\n", h.ID)
	return err
}

// idleReleaseCmd is waggle idle release.
type idleReleaseCmd struct {
	ID      int    `arg:"" help:"The hold's number."`
	Control string `placeholder:"PATH" help:"The control socket of the waggle idle to ask."`
}

// Help is the command's manual.
func (*idleReleaseCmd) Help() string {
	return `The hold's number is what "waggle idle hold" has printed, and "waggle idle why" lists.

  waggle idle release 1`
}

// Run ends a hold.
func (c *idleReleaseCmd) Run(*env) error {
	return noIdle(control.Release(controlPath(c.Control), c.ID))
}

func controlPath(path string) string {
	if path == "" {
		return control.DefaultPath()
	}
	return path
}

// noIdle adds what to do about an error of the control socket.
func noIdle(err error) error {
	if errors.Is(err, control.ErrNone) {
		return fmt.Errorf("%w; --control names the socket of another one", err)
	}
	return err
}
