package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"

	"github.com/waggle-bpf/waggle/internal/abi"
	"github.com/waggle-bpf/waggle/load"
)

// doctorCmd is waggle doctor.
type doctorCmd struct {
	JSON bool `name:"json" help:"Print one JSON object a line."`
	All  bool `short:"a" help:"Print what is there too, not only what is missing."`
}

// Help is the command's manual.
func (*doctorCmd) Help() string {
	return `Each line names a part of waggle's work, whether it can be done here, and if not, why and what to do about it.
The exit code is 4 if programs can't be loaded at all.

  waggle doctor
  waggle doctor --all --json`
}

// finding is what doctor says of one thing.
type finding struct {
	What string `json:"what"`
	OK   bool   `json:"ok"`
	// Why says what is missing; Remedy what to do.
	Why    string `json:"why,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// probe is one thing to look at.
type probe struct {
	what string
	// essential: nothing works without it.
	essential bool
	test      func() error
	remedy    string
}

// Run looks at everything and prints it.
func (c *doctorCmd) Run(e *env) error {
	var findings []finding
	var essential error
	for _, p := range probes() {
		err := p.test()
		f := finding{What: p.what, OK: err == nil}
		if err != nil {
			f.Why, f.Remedy = reason(err), p.remedy
		}
		if err != nil && p.essential && essential == nil {
			essential = &load.UnsupportedError{Op: p.what, Feature: "way to do that", Err: err}
			if errors.Is(err, os.ErrPermission) {
				essential = &load.PrivilegeError{Op: p.what, Capability: "CAP_BPF", Err: err}
			}
		}
		findings = append(findings, f)
	}
	if err := c.print(e.stdout, findings); err != nil {
		return err
	}
	return essential
}

// reason makes one clause of an error; those of feature probes repeat what was
// probed.
func reason(err error) string {
	switch {
	case errors.Is(err, os.ErrPermission):
		return "not permitted"
	case errors.Is(err, load.ErrNotSupported):
		return "this kernel has not got it"
	}
	return err.Error()
}

func (c *doctorCmd) print(w io.Writer, findings []finding) error {
	if c.JSON {
		enc := json.NewEncoder(w)
		for _, f := range findings {
			if !f.OK || c.All {
				if err := enc.Encode(f); err != nil {
					return err
				}
			}
		}
		return nil
	}
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	good := 0
	for _, f := range findings {
		if f.OK {
			good++
		}
		switch {
		case f.OK && c.All:
			fmt.Fprintf(tab, "ok\t%s\t\n", f.What)
		case !f.OK && f.Remedy != "":
			fmt.Fprintf(tab, "missing\t%s\t%s; %s\n", f.What, f.Why, f.Remedy)
		case !f.OK:
			fmt.Fprintf(tab, "missing\t%s\t%s\n", f.What, f.Why)
		}
	}
	fmt.Fprintf(tab, "%d of %d things work here\n", good, len(findings))
	return tab.Flush()
}

// probes lists what doctor looks at, the essential first.
func probes() []probe {
	list := []probe{
		{"load programs", true, func() error { return features.HaveProgramType(ebpf.SocketFilter) }, "run as root, or give the binary CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"},
		{"create maps", true, func() error { return features.HaveMapType(ebpf.Array) }, "run as root, or give the binary CAP_BPF"},
		{"instruction set v3", true, features.HaveV3ISA, "objects need Linux 5.15"},
		{"bounded loops", true, features.HaveBoundedLoops, "objects need Linux 5.15"},
		{"kernel types (BTF)", false, kernelTypes, "the kernel has to be built with CONFIG_DEBUG_INFO_BTF"},
		{"just-in-time compiler", false, jit, "sysctl net.core.bpf_jit_enable=1"},
		{"pins", false, mounted("bpf"), "mount -t bpf bpf /sys/fs/bpf"},
		{"tracepoints and probes by name", false, mounted("tracefs"), "mount -t tracefs tracefs /sys/kernel/tracing"},
		{"cgroup programs", false, mounted("cgroup2"), "mount -t cgroup2 cgroup2 /sys/fs/cgroup"},
		{"attach kprobes", false, exists("/sys/bus/event_source/devices/kprobe"), "the kernel has to be built with CONFIG_KPROBES"},
		{"attach uprobes", false, exists("/sys/bus/event_source/devices/uprobe"), "the kernel has to be built with CONFIG_UPROBES"},
	}
	seen := make(map[uint32]bool)
	for _, k := range abi.ProgramKinds {
		if seen[k.Type] {
			continue
		}
		seen[k.Type] = true
		list = append(list, probe{"programs: " + k.Name, false,
			func() error { return features.HaveProgramType(ebpf.ProgramType(k.Type)) }, "Linux " + k.MinKernel + " has it"})
	}
	for _, m := range abi.MapTypes {
		list = append(list, probe{"maps: bpf." + m.GoName, false,
			func() error { return features.HaveMapType(ebpf.MapType(m.Kind)) }, "Linux " + m.MinKernel + " has it"})
	}
	return list
}

func kernelTypes() error {
	_, err := btf.LoadKernelSpec()
	if errors.Is(err, os.ErrNotExist) {
		return load.ErrNotSupported
	}
	return err
}

func jit() error {
	text, err := os.ReadFile("/proc/sys/net/core/bpf_jit_enable")
	if errors.Is(err, os.ErrNotExist) {
		return load.ErrNotSupported
	}
	if err == nil && strings.TrimSpace(string(text)) == "0" {
		return errors.New("it is off")
	}
	return err
}

// mounted tests whether a file system of some type is mounted anywhere.
func mounted(kind string) func() error {
	return func() error {
		text, err := os.ReadFile("/proc/self/mounts")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			// proc_pid_mounts(5): device, mount point, type.
			if f := strings.Fields(line); len(f) > 2 && f[2] == kind {
				return nil
			}
		}
		return fmt.Errorf("no %s file system is mounted", kind)
	}
}

func exists(path string) func() error {
	return func() error {
		_, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) {
			return load.ErrNotSupported
		}
		return err
	}
}
