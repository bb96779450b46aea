package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/load"
)

// verifyCmd is waggle verify.
type verifyCmd struct {
	Object string `arg:"" name:"dir|file" help:"Kernel package or BPF object."`
	Log    bool   `help:"Print the verifier's log, too."`
	JSON   bool   `name:"json" help:"Print one JSON object a line."`
	boundFlag
}

// Help is the command's manual.
func (*verifyCmd) Help() string {
	return `Each program is loaded and thrown away again; nothing is attached. What the verifier refuses is reported with the source
line and a sentence, what it accepts with statistics. Needs the rights to load programs.

  waggle verify ./kern
  waggle verify probe.o --log`
}

// verdict is what the verifier said of a program it accepted.
type verdict struct {
	Program      string `json:"program"`
	Kind         string `json:"kind"`
	Instructions int    `json:"instructions"`
	Processed    int    `json:"processed"`
	States       int    `json:"states"`
	Stack        string `json:"stack"`
	JITed        uint32 `json:"jited_bytes"`
}

// Run loads the programs one by one, so that each gets its verdict.
func (c *verifyCmd) Run(e *env) error {
	obj, err := openObject(e, c.Object, c.boundFlag)
	if err != nil {
		return err
	}
	for _, m := range obj.Spec().Maps {
		m.Pinning = ebpf.PinNone // a trial leaves nothing behind
	}
	var errs []error
	var verdicts []verdict
	for _, p := range obj.Programs() {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		v, err := c.verify(e, obj, p)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		verdicts = append(verdicts, *v)
	}
	return errors.Join(append(errs, c.print(e, verdicts))...)
}

func (c *verifyCmd) verify(e *env, obj *load.Object, p load.Program) (*verdict, error) {
	opts := load.Options{Programs: []string{p.Name}}
	if c.Log {
		opts.LogLevel = ebpf.LogLevelInstruction
	}
	h, err := obj.Load(opts)
	if err != nil {
		var refusal *load.VerifierError
		if c.Log && errors.As(err, &refusal) {
			fmt.Fprintln(e.stderr, strings.Join(refusal.Log, "\n"))
		}
		return nil, atSource(err, c.Object)
	}
	defer h.Close()
	if c.Log {
		log, err := h.VerifierLog(p.Name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(e.stderr, "program %s:\n%s\n", p.Name, log)
	}
	stats, err := h.VerifierStats(p.Name)
	if err != nil {
		return nil, err
	}
	v := &verdict{
		Program: p.Name, Kind: p.Kind, Instructions: p.Instructions,
		Processed: stats.Processed, States: stats.PeakStates, Stack: stats.StackDepth,
	}
	prog, err := h.Program(p.Name)
	if err != nil {
		return nil, err
	}
	if info, err := prog.Info(); err == nil {
		v.JITed, _ = info.JitedSize()
	}
	return v, nil
}

func (c *verifyCmd) print(e *env, verdicts []verdict) error {
	if c.JSON {
		enc := json.NewEncoder(e.stdout)
		for _, v := range verdicts {
			if err := enc.Encode(v); err != nil {
				return err
			}
		}
		return nil
	}
	if len(verdicts) == 0 {
		return nil
	}
	tab := tabwriter.NewWriter(e.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tab, "PROGRAM\tKIND\tINSTRUCTIONS\tPROCESSED\tSTATES\tSTACK\tJITED BYTES")
	for _, v := range verdicts {
		fmt.Fprintf(tab, "%s\t%s\t%d\t%d\t%d\t%s\t%d\n", v.Program, v.Kind, v.Instructions, v.Processed, v.States, v.Stack, v.JITed)
	}
	return tab.Flush()
}
