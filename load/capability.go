package load

import (
	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/load/internal/capability"
)

// programNeeds says what loading a program of a type takes besides CAP_BPF,
// after is_net_admin_prog_type and is_perfmon_prog_type in
// kernel/bpf/syscall.c. Types without a row take nothing more.
var programNeeds = map[ebpf.ProgramType]capability.Cap{
	ebpf.SchedCLS:              capability.NetAdmin,
	ebpf.SchedACT:              capability.NetAdmin,
	ebpf.XDP:                   capability.NetAdmin,
	ebpf.LWTIn:                 capability.NetAdmin,
	ebpf.LWTOut:                capability.NetAdmin,
	ebpf.LWTXmit:               capability.NetAdmin,
	ebpf.LWTSeg6Local:          capability.NetAdmin,
	ebpf.SkSKB:                 capability.NetAdmin,
	ebpf.SkMsg:                 capability.NetAdmin,
	ebpf.FlowDissector:         capability.NetAdmin,
	ebpf.CGroupDevice:          capability.NetAdmin,
	ebpf.CGroupSock:            capability.NetAdmin,
	ebpf.CGroupSockAddr:        capability.NetAdmin,
	ebpf.CGroupSockopt:         capability.NetAdmin,
	ebpf.CGroupSysctl:          capability.NetAdmin,
	ebpf.SockOps:               capability.NetAdmin,
	ebpf.SkReuseport:           capability.NetAdmin,
	ebpf.SkLookup:              capability.NetAdmin,
	ebpf.Netfilter:             capability.NetAdmin,
	ebpf.Kprobe:                capability.Perfmon,
	ebpf.TracePoint:            capability.Perfmon,
	ebpf.PerfEvent:             capability.Perfmon,
	ebpf.RawTracepoint:         capability.Perfmon,
	ebpf.RawTracepointWritable: capability.Perfmon,
	ebpf.Tracing:               capability.Perfmon,
	ebpf.LSM:                   capability.Perfmon,
	ebpf.StructOps:             capability.Perfmon,
	ebpf.Extension:             capability.SysAdmin,
}

func needsOfProgram(t ebpf.ProgramType) []capability.Cap {
	if c, ok := programNeeds[t]; ok {
		return []capability.Cap{capability.BPF, c}
	}
	return []capability.Cap{capability.BPF}
}
