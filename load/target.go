package load

import (
	"syscall"

	"github.com/cilium/ebpf/link"
)

// Target says where a program is attached. Which fields count depends on the
// kind of program; a field that is needed and empty is an error, one that is
// not needed is ignored. What a program's section names ("tracepoint/GROUP/NAME",
// "uprobe/FILE:SYMBOL", "kprobe/SYMBOL") need not be repeated; what is said
// here goes before it.
type Target struct {
	// Interfaces are the names of network interfaces, each of which gets the
	// program: xdp, tc, tcx, netkit; socket filters, too, unless Socket is set.
	Interfaces []string
	// NetNS is the path of the network namespace in which Interfaces are, or
	// to which sk_lookup and flow_dissector programs are attached; empty
	// means the one of the calling thread.
	NetNS string
	// XDP chooses where on the receive path an xdp program runs.
	XDP XDPMode
	// TC chooses the way in which tc programs are attached.
	TC TCMode
	// Direction is for tc and cgroup/skb programs whose section names none.
	Direction Direction
	// Anchor places a tcx or netkit program among the others there, see
	// link.Before and the like; nil puts it last.
	Anchor link.Anchor

	// Cgroup is the path of a version 2 control group, for all cgroup/...
	// kinds, cgroup_skb, lsm_cgroup and sockops.
	Cgroup string

	// Executable is the program or library for uprobes: a path, or a name
	// that is looked up as the dynamic linker or the shell would.
	Executable string
	// Symbol is the function for kprobes and uprobes.
	Symbol string
	// Offset is added to the symbol, in bytes; without a symbol, it is the
	// place in the executable's file.
	Offset uint64
	// PID confines a uprobe to one process; 0 means all.
	PID int
	// Tracepoint is "GROUP/NAME", for raw tracepoints just "NAME".
	Tracepoint string
	// Cookie is what bpf_get_attach_cookie returns in tracing programs.
	Cookie uint64
	// Event is for perf_event programs.
	Event *PerfEvent

	// Map names the map of the object for sk_msg and sk_skb programs; empty
	// means the only sockmap or sockhash. For map iterators it names the map
	// to iterate over.
	Map string
	// Socket is for socket filters and sk_reuseport programs.
	Socket syscall.Conn
	// Netfilter is for netfilter programs.
	Netfilter *NetfilterHook
}

// XDPMode is where on the receive path an xdp program runs.
type XDPMode uint8

// The modes of XDP.
const (
	XDPAuto    XDPMode = iota // in the driver if it can, else generic
	XDPGeneric                // after the kernel made an skb: works with every interface
	XDPDriver                 // in the driver; an error if it cannot
	XDPOffload                // in the network card; an error if it cannot
)

// TCMode is a way to attach tc programs.
type TCMode uint8

// The ways to attach tc programs.
const (
	TCAuto TCMode = iota // tcx where the kernel has it (6.6), else clsact
	TCX                  // a link; other programs there run as well if this one returns TCX_NEXT (-1)
	Clsact               // a filter of a clsact qdisc; outlives the process, see Link.OutlivesProcess
)

// Direction is a set of directions of traffic, seen from the interface or group.
type Direction uint8

// The directions.
const (
	Ingress Direction = 1 << iota
	Egress
)

// PerfEvent is a performance event that runs a perf_event program; the fields
// are those of struct perf_event_attr in include/uapi/linux/perf_event.h.
type PerfEvent struct {
	Type   uint32 // PERF_TYPE_*
	Config uint64 // PERF_COUNT_*
	// Period is how many events pass from one run to the next. If it is 0,
	// Frequency is the number of runs per second that the kernel aims at.
	Period, Frequency uint64
	// PID confines the event to a process; 0 means all processes.
	PID int
}

// CPUClock is an event that fires hz times a second on every CPU: what
// profilers sample with. It works without hardware counters.
func CPUClock(hz uint64) *PerfEvent {
	const (
		typeSoftware = 1 // PERF_TYPE_SOFTWARE
		cpuClock     = 0 // PERF_COUNT_SW_CPU_CLOCK
	)
	return &PerfEvent{Type: typeSoftware, Config: cpuClock, Frequency: hz}
}

// NetfilterHook is a place in netfilter, see link.NetfilterOptions.
type NetfilterHook struct {
	Family   link.NetfilterProtocolFamily
	Hook     link.NetfilterInetHook
	Priority int32
	Defrag   bool // reassemble fragments first
}

// Targets are where AttachAll attaches the programs of an object.
type Targets struct {
	// Target is for all programs that have none of their own.
	Target
	// For holds programs' own targets, by name.
	For map[string]Target
	// Skip names the programs to leave alone.
	Skip []string
}
