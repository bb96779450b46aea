package load

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
)

// capability is a bit number of include/uapi/linux/capability.h.
type capability uint

const (
	capNetAdmin capability = 12
	capNetRaw   capability = 13
	capSysAdmin capability = 21
	capPerfmon  capability = 38
	capBPF      capability = 39
)

var capabilityNames = map[capability]string{
	capNetAdmin: "CAP_NET_ADMIN",
	capNetRaw:   "CAP_NET_RAW",
	capSysAdmin: "CAP_SYS_ADMIN",
	capPerfmon:  "CAP_PERFMON",
	capBPF:      "CAP_BPF",
}

// programNeeds says what loading a program of a type takes besides CAP_BPF,
// after is_net_admin_prog_type and is_perfmon_prog_type in
// kernel/bpf/syscall.c. Types without a row take nothing more.
var programNeeds = map[ebpf.ProgramType]capability{
	ebpf.SchedCLS:              capNetAdmin,
	ebpf.SchedACT:              capNetAdmin,
	ebpf.XDP:                   capNetAdmin,
	ebpf.LWTIn:                 capNetAdmin,
	ebpf.LWTOut:                capNetAdmin,
	ebpf.LWTXmit:               capNetAdmin,
	ebpf.LWTSeg6Local:          capNetAdmin,
	ebpf.SkSKB:                 capNetAdmin,
	ebpf.SkMsg:                 capNetAdmin,
	ebpf.FlowDissector:         capNetAdmin,
	ebpf.CGroupDevice:          capNetAdmin,
	ebpf.CGroupSock:            capNetAdmin,
	ebpf.CGroupSockAddr:        capNetAdmin,
	ebpf.CGroupSockopt:         capNetAdmin,
	ebpf.CGroupSysctl:          capNetAdmin,
	ebpf.SockOps:               capNetAdmin,
	ebpf.SkReuseport:           capNetAdmin,
	ebpf.SkLookup:              capNetAdmin,
	ebpf.Netfilter:             capNetAdmin,
	ebpf.Kprobe:                capPerfmon,
	ebpf.TracePoint:            capPerfmon,
	ebpf.PerfEvent:             capPerfmon,
	ebpf.RawTracepoint:         capPerfmon,
	ebpf.RawTracepointWritable: capPerfmon,
	ebpf.Tracing:               capPerfmon,
	ebpf.LSM:                   capPerfmon,
	ebpf.StructOps:             capPerfmon,
	ebpf.Extension:             capSysAdmin,
}

func needsOfProgram(t ebpf.ProgramType) []capability {
	if c, ok := programNeeds[t]; ok {
		return []capability{capBPF, c}
	}
	return []capability{capBPF}
}

// sysAdminImplies holds the capabilities that CAP_SYS_ADMIN stands for, see
// bpf_capable and perfmon_capable in include/linux/capability.h.
var sysAdminImplies = map[capability]bool{capBPF: true, capPerfmon: true}

// firstMissing names the first capability the process lacks; empty if none.
func firstMissing(needs []capability) string {
	have, ok := effective()
	if !ok {
		return ""
	}
	for _, c := range needs {
		implied := sysAdminImplies[c] && have&(1<<capSysAdmin) != 0
		if have&(1<<c) == 0 && !implied {
			return capabilityNames[c]
		}
	}
	return ""
}

// effective reads the process's effective capabilities from procfs.
func effective() (set uint64, ok bool) {
	f, err := os.Open("/proc/thread-self/status")
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		value, found := strings.CutPrefix(lines.Text(), "CapEff:")
		if !found {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		return set, err == nil
	}
	return 0, false
}
