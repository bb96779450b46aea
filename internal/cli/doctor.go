package cli

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/load/probe"
)

// doctorCmd is waggle doctor.
type doctorCmd struct {
	JSON bool `name:"json" help:"Print one JSON object a line."`
	All  bool `short:"a" help:"Print what is there too, not only what is missing."`
}

// Help is the command's manual.
func (*doctorCmd) Help() string {
	return `Each line names a right, a feature of the kernel, a file system, a way to attach, a kind of program or of map, and if it is
missing, why and what it is for. The exit code is 4 if programs can't be loaded at all.

  waggle doctor
  waggle doctor --all --json`
}

// finding is what doctor says of one thing.
type finding struct {
	Group     probe.Group `json:"group"`
	Name      string      `json:"name"`
	OK        bool        `json:"ok"`
	Reason    string      `json:"reason,omitempty"`
	MinKernel string      `json:"min_kernel,omitempty"`
	Use       string      `json:"use,omitempty"`
	Where     string      `json:"where,omitempty"`
}

// Run looks at everything and prints it.
func (c *doctorCmd) Run(e *env) error {
	features := probe.All()
	if err := c.print(e, features); err != nil {
		return err
	}
	return canLoad(features)
}

func (c *doctorCmd) print(e *env, features []probe.Feature) error {
	enc := json.NewEncoder(e.stdout)
	tab := tabwriter.NewWriter(e.stdout, 0, 8, 2, ' ', 0)
	good := 0
	for _, f := range features {
		if f.OK {
			good++
		}
		switch {
		case f.OK && !c.All:
		case c.JSON:
			if err := enc.Encode(finding(f)); err != nil {
				return err
			}
		case f.OK:
			fmt.Fprintf(tab, "ok\t%s\t%s\t%s\n", f.Group, f.Name, f.Where)
		default:
			fmt.Fprintf(tab, "missing\t%s\t%s\t%s\n", f.Group, f.Name, why(f))
		}
	}
	if c.JSON {
		return nil
	}
	fmt.Fprintf(tab, "%d of %d things work here\n", good, len(features))
	return tab.Flush()
}

// why joins what is known of a missing feature.
func why(f probe.Feature) string {
	if f.Use == "" {
		return f.Reason
	}
	return f.Reason + " (for " + f.Use + ")"
}

// canLoad is an error if no kind of program can be loaded: with the missing
// capability, or else with what the kernel says.
func canLoad(features []probe.Feature) error {
	var missing, reason string
	for _, f := range features {
		switch {
		case f.Group == probe.Programs && f.OK:
			return nil
		case f.Group == probe.Rights && !f.OK && missing == "":
			missing = f.Name
		case f.Group == probe.Programs:
			reason = f.Reason
		}
	}
	const op = "load programs"
	if missing != "" {
		return &load.PrivilegeError{Op: op, Capability: missing}
	}
	return &load.UnsupportedError{Op: op, Feature: "way to do that: " + reason}
}
