package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/forward/admin"
)

// forwardStatusCmd is waggle forward status.
type forwardStatusCmd struct {
	Admin       string  `placeholder:"PATH" help:"The forwarder's admin socket."`
	Connections howMany `short:"n" default:"20" placeholder:"N" help:"How many connections to list, the oldest ones, or all; 20 by default."`
	JSON        bool    `name:"json" help:"Print a JSON object."`
}

// Help is the command's manual.
func (*forwardStatusCmd) Help() string {
	return `Tables of listeners, backends, engines and connections. For each connection they tell what moves its bytes, and why that.

  waggle forward status
  waggle forward status --json -n all | jq '.connections[] | select(.engine != "packet") | .engine_why'`
}

// howMany is a number, negative for all.
type howMany int

// UnmarshalText reads a number, or "all".
func (h *howMany) UnmarshalText(text []byte) error {
	if string(text) == "all" {
		*h = -1
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil {
		return fmt.Errorf("%q is neither a number nor all", text)
	}
	*h = howMany(n)
	return nil
}

// Run asks a forwarder and prints what it says.
func (c *forwardStatusCmd) Run(e *env) error {
	s, err := admin.Status(adminPath(c.Admin), int(c.Connections))
	if err != nil {
		return noForwarder(err)
	}
	if c.JSON {
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	}
	return printStatus(e.stdout, s, time.Now())
}

// printStatus prints a status as tables.
func printStatus(w io.Writer, s *forward.Status, now time.Time) error {
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	state := "running"
	if s.Draining {
		state = "draining"
	}
	fmt.Fprintf(tab, "forwarder %d, %s for %s, %d of %d connections%s\n", s.PID, state, ago(s.Started, now), s.Open, s.Limit, moving(s.Moving))
	if s.LogLost > 0 {
		fmt.Fprintf(tab, "%d lines of the access log were lost\n", s.LogLost)
	}
	fmt.Fprint(tab, "\nLISTENER\tADDRESS\tENGINE\n")
	for _, l := range s.Listeners {
		fmt.Fprintf(tab, "%s\t%s\t%s\n", l.Name, l.Address, l.Engine)
	}
	fmt.Fprint(tab, "\nGROUP\tBACKEND\tSTATE\tSINCE\tACTIVE\tDIALS\tFAILED\tWHY\n")
	for _, b := range s.Backends {
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", b.Group, b.Target, b.State, ago(b.Since, now), b.Active, b.Dials, b.Failed, b.Why)
	}
	printEngines(tab, s)
	if len(s.Connections) > 0 {
		fmt.Fprint(tab, "\nCLIENT\tROUTE\tBACKEND\tAGE\tUP\tDOWN\tENGINE\tWHY\n")
	}
	for _, c := range s.Connections {
		client := c.Client
		if c.Source.IsValid() {
			client = c.Source
		}
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", client, cmp.Or(c.Route, "-"), cmp.Or(c.Backend, "-"),
			ago(c.Started, now), bytesText(c.Up), bytesText(c.Down), cmp.Or(c.Engine, c.Phase), c.EngineWhy)
	}
	if more := s.Open - len(s.Connections); more > 0 && len(s.Connections) > 0 {
		fmt.Fprintf(tab, "and %d more\n", more)
	}
	return tab.Flush()
}

func moving(engines map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(engines)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, engines[name]))
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// printEngines prints the engines that can't run; the others are seen at work.
func printEngines(w io.Writer, s *forward.Status) {
	head := "\nENGINE\tPROBLEM\n"
	for _, e := range s.Engines {
		if e.Problem != "" {
			fmt.Fprintf(w, "%s%s\t%s\n", head, e.Name, e.Problem)
			head = ""
		}
	}
}

// ago is how long ago something was.
func ago(then, now time.Time) string {
	d := now.Sub(then)
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= 2*unit.size {
			return fmt.Sprintf("%d%s", d/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%ds", max(d/time.Second, 0))
}

// bytesText is a number of bytes for people.
func bytesText(n uint64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%dB", n)
	}
	f, i := float64(n)/(1<<10), 0
	for f >= 1<<10 {
		f, i = f/(1<<10), i+1
	}
	return fmt.Sprintf("%.1f%ciB", f, units[i])
}
