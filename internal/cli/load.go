package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/waggle-bpf/waggle/load"
)

// loadCmd is waggle load.
type loadCmd struct {
	Object     string            `arg:"" name:"dir|file" help:"Kernel package or BPF object."`
	Interface  []string          `short:"i" placeholder:"IFACE" help:"Network interfaces for xdp, tc and socket programs; may be repeated."`
	Direction  string            `enum:"ingress,egress,both" default:"ingress" help:"Direction of tc and cgroup_skb programs whose section names none: ingress, egress or both."`
	Cgroup     string            `placeholder:"PATH" help:"Control group for cgroup and sockops programs."`
	Map        string            `placeholder:"NAME" help:"Sockmap or sockhash for sk_msg and sk_skb programs, if there are several."`
	Executable string            `short:"e" placeholder:"PATH" help:"Program or library for uprobes."`
	Symbol     string            `placeholder:"NAME" help:"Function for kprobes and uprobes."`
	PID        int               `name:"pid" help:"Confine uprobes to one process."`
	Frequency  uint64            `placeholder:"HZ" default:"99" help:"Runs per second and CPU of perf_event programs."`
	Set        map[string]string `mapsep:"none" placeholder:"NAME=VALUE" help:"Give a constant or variable a value before loading; may be repeated."`
	PinPath    string            `placeholder:"DIR" default:"/sys/fs/bpf/waggle" help:"Where maps that are shared by name lie."`
	Type       string            `placeholder:"NAME" help:"Type of the events, where the object does not tell."`
	Hex        bool              `xor:"format" help:"Print events as hexdumps."`
	JSON       bool              `name:"json" xor:"format" help:"Print events as JSON, one a line."`
	boundFlag
}

// Help is the command's manual.
func (*loadCmd) Help() string {
	return `Every program of the object is attached; one that can't be is an error, and then nothing stays attached. Events from ring
and perf buffers are decoded by the object's types. Everything is detached on Ctrl-C; then counts of events, losses and
faults are printed, and after faults the exit code is 3.

  waggle load ./kern -i eth0 -i lo
  waggle load conn.o --cgroup /sys/fs/cgroup/user.slice --json
  waggle load ./probe -e libc.so.6 --symbol getaddrinfo --set verbose=true

Variables of packages that a kernel package imports are named PACKAGE_NAME, such as bpf_WakeupBytes.`
}

// Run loads, attaches and prints until the command is interrupted.
func (c *loadCmd) Run(e *env) (err error) {
	if err := c.checkPlaces(); err != nil {
		return err
	}
	obj, err := openObject(e, c.Object, c.boundFlag)
	if err != nil {
		return err
	}
	if err := c.checkTargets(obj); err != nil {
		return err
	}
	if err := c.setAll(obj); err != nil {
		return badInput(err)
	}
	h, err := obj.Load(load.Options{PinPath: c.PinPath})
	if err != nil {
		return atSource(err, c.Object)
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	return c.serve(e, h)
}

// setAll sets variables in the order of their names.
func (c *loadCmd) setAll(obj *load.Object) error {
	for _, name := range slices.Sorted(maps.Keys(c.Set)) {
		if err := obj.Set(name, literal(c.Set[name])); err != nil {
			return err
		}
	}
	return nil
}

// literal is an integer or bool if the text is one in Go's syntax, else text.
func literal(text string) any {
	if v, err := strconv.ParseInt(text, 0, 64); err == nil {
		return v
	}
	if v, err := strconv.ParseUint(text, 0, 64); err == nil {
		return v
	}
	if text == "true" || text == "false" {
		return text == "true"
	}
	return text
}

var directions = map[string]load.Direction{
	"ingress": load.Ingress,
	"egress":  load.Egress,
	"both":    load.Ingress | load.Egress,
}

func (c *loadCmd) target() load.Targets {
	return load.Targets{Target: load.Target{
		Interfaces: c.Interface,
		Direction:  directions[c.Direction],
		Cgroup:     c.Cgroup,
		Map:        c.Map,
		Executable: c.Executable,
		Symbol:     c.Symbol,
		PID:        c.PID,
		Event:      load.CPUClock(c.Frequency),
	}}
}

// serve attaches the programs and prints their events. The streams are opened
// first, so that no event comes before its reader.
func (c *loadCmd) serve(e *env, h *load.Handle) (err error) {
	out, err := newEventPrinter(e, h, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.close()) }()
	links, err := h.AttachAll(c.target())
	if errors.Is(err, load.ErrNotAttachable) {
		return badInput(err)
	}
	if err != nil {
		return err
	}
	for _, l := range links {
		fmt.Fprintf(e.stderr, "attached %v\n", l)
	}
	out.run(e.ctx)
	var errs []error
	for _, l := range links {
		errs = append(errs, l.Close())
	}
	out.drain()
	return errors.Join(append(errs, out.summary(), c.faults(h))...)
}

// faults returns the faults of attached programs as an error.
func (c *loadCmd) faults(h *load.Handle) error {
	list, err := h.Faults()
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Pos.File = sourceFile(c.Object, list[i].Pos.File)
	}
	return faultsOf(list)
}

// faultsOf makes an error of faults and their counts; nil if there are none.
func faultsOf(list []load.Fault) error {
	if len(list) == 0 {
		return nil
	}
	e := new(faultError)
	for _, f := range list {
		e.faults = append(e.faults, fmt.Sprintf("%s:%d: %s, %s", f.Pos.File, f.Pos.Line, f.Kind, times(f.Count)))
	}
	return e
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return strconv.FormatUint(n, 10) + " times"
}
