package probe

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"

	"github.com/waggle-bpf/waggle/load/internal/sys"
)

func attach() []Feature {
	return runAll(Attach, []test{
		{"tcx", "6.6", "tc programs whose attachment ends with the process", TCX},
		{"links to sockmaps", "6.10", "sk_msg and sk_skb programs that can be pinned", sockMapLink},
		{"kprobes", "", "kprobe and kretprobe programs", device("kprobe", "CONFIG_KPROBE_EVENTS")},
		{"kprobes in bulk", "5.18", "kprobe.multi programs", features.HaveBPFLinkKprobeMulti},
		{"uprobes", "", "uprobe and uretprobe programs", device("uprobe", "CONFIG_UPROBE_EVENTS")},
		{"uprobes in bulk", "6.6", "uprobe.multi programs", features.HaveBPFLinkUprobeMulti},
		{"tracepoints with types", "5.5", "tp_btf programs", tracing(ebpf.AttachTraceRawTp, "sys_enter")},
		{"function entry and exit", "5.5", "fentry and fexit programs", tracing(ebpf.AttachTraceFEntry, "vfs_read")},
		{"security hooks", "5.7", "lsm programs", securityHook},
		{"performance events", "", "perf_event programs, perf buffers", perfEvent},
	})
}

// TCX reports whether tc programs can be attached with links; the error is
// ebpf.ErrNotSupported if not.
func TCX() error {
	p, err := tiny(&ebpf.ProgramSpec{Type: ebpf.SchedCLS})
	if err != nil {
		return err
	}
	defer p.Close()
	// No interface has that index: the kernel says so if it gets that far.
	l, err := link.AttachTCX(link.TCXOptions{Interface: math.MaxInt32, Program: p, Attach: ebpf.AttachTCXIngress})
	switch {
	case errors.Is(err, syscall.ENODEV):
		return nil
	case err == nil:
		l.Close()
	}
	return err
}

func sockMapLink() error {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.SockMap, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		return err
	}
	defer m.Close()
	p, err := tiny(&ebpf.ProgramSpec{Type: ebpf.SkMsg, AttachType: ebpf.AttachSkMsgVerdict})
	if err != nil {
		return err
	}
	defer p.Close()
	// The map has no sockets.
	l, err := link.AttachRawLink(link.RawLinkOptions{Target: m.FD(), Program: p, Attach: ebpf.AttachSkMsgVerdict})
	if errors.Is(err, syscall.EINVAL) {
		return ebpf.ErrNotSupported
	}
	if err != nil {
		return err
	}
	return l.Close()
}

// tiny loads a program that returns 0, behind the instructions that it has.
func tiny(spec *ebpf.ProgramSpec) (*ebpf.Program, error) {
	spec.Name = "waggle_probe"
	spec.License = "GPL"
	spec.Instructions = append(asm.Instructions{asm.Mov.Imm(asm.R0, 0)}, append(spec.Instructions, asm.Return())...)
	return ebpf.NewProgramWithOptions(spec, ebpf.ProgramOptions{LogDisabled: true})
}

// tracing loads a program bound to a kernel function: kernels that could not
// attach it refuse that already.
func tracing(at ebpf.AttachType, target string) func() error {
	return func() error {
		p, err := tiny(&ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: at, AttachTo: target})
		if err != nil {
			return err
		}
		return p.Close()
	}
}

func securityHook() error {
	p, err := tiny(&ebpf.ProgramSpec{Type: ebpf.LSM, AttachType: ebpf.AttachLSMMac, AttachTo: "file_open"})
	if err != nil {
		return err
	}
	return p.Close()
}

// device looks for an event source of the kernel.
func device(name, config string) func() error {
	return func() error {
		_, err := os.Stat("/sys/bus/event_source/devices/" + name)
		if errors.Is(err, fs.ErrNotExist) {
			return missing("built without " + config)
		}
		return err
	}
}

func perfEvent() error {
	// PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK
	e, err := sys.OpenPerfEvent(sys.PerfEvent{Type: 1, Config: 0, Frequency: 1})
	if err != nil {
		return err
	}
	return e.Close()
}
