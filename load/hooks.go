package load

import (
	"slices"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/load/internal/capability"
)

// hook is a row of the attach table: how programs of a type, an attach type
// and, where those do not decide, a section word are attached.
type hook struct {
	typ ebpf.ProgramType
	// at holds the attach types of the row; nil stands for all.
	at []ebpf.AttachType
	// words holds the first words of sections; nil stands for all.
	words []string
	// needs are the capabilities that attaching takes.
	needs  []capability.Cap
	attach func(*site) ([]*Link, error)
	// refusal, instead of attach, says why there is no attaching.
	refusal string
}

// hookOf finds the row of a program; nil if there is none.
func hookOf(p *ebpf.ProgramSpec) *hook {
	word, _, _ := strings.Cut(kindOf(p), "/")
	for i := range hooks {
		h := &hooks[i]
		if h.typ == p.Type &&
			(h.at == nil || slices.Contains(h.at, p.AttachType)) &&
			(h.words == nil || slices.Contains(h.words, word)) {
			return h
		}
	}
	return nil
}

var (
	needNet   = []capability.Cap{capability.NetAdmin}
	needTrace = []capability.Cap{capability.Perfmon}
	needRaw   = []capability.Cap{capability.NetRaw}
)

// hooks is the attach table, first match first.
var hooks = []hook{
	{typ: ebpf.XDP, at: []ebpf.AttachType{ebpf.AttachXDPDevMap, ebpf.AttachXDPCPUMap}, refusal: "put it into a device or CPU map"},
	{typ: ebpf.XDP, needs: needNet, attach: attachXDP},
	{typ: ebpf.SchedCLS, at: []ebpf.AttachType{ebpf.AttachNetkitPrimary, ebpf.AttachNetkitPeer}, needs: needNet, attach: attachNetkit},
	{typ: ebpf.SchedCLS, needs: needNet, attach: attachTC},
	{typ: ebpf.SchedACT, refusal: "actions belong to filters of the tc command; make it a classifier (section tc)"},
	{typ: ebpf.Netfilter, needs: needNet, attach: attachNetfilter},
	{typ: ebpf.FlowDissector, needs: needNet, attach: attachNetNS},
	{typ: ebpf.SkLookup, needs: needNet, attach: attachNetNS},

	{typ: ebpf.SocketFilter, needs: needRaw, attach: attachSocketFilter},
	{typ: ebpf.SkReuseport, attach: attachReuseport},
	{typ: ebpf.SkMsg, needs: needNet, attach: attachSockMap},
	{typ: ebpf.SkSKB, at: []ebpf.AttachType{ebpf.AttachNone}, refusal: "its section names neither stream_parser nor stream_verdict nor verdict"},
	{typ: ebpf.SkSKB, needs: needNet, attach: attachSockMap},

	{typ: ebpf.CGroupSKB, needs: needNet, attach: attachCgroupSKB},
	{typ: ebpf.CGroupSock, needs: needNet, attach: attachCgroup},
	{typ: ebpf.CGroupSockAddr, needs: needNet, attach: attachCgroup},
	{typ: ebpf.CGroupSockopt, needs: needNet, attach: attachCgroup},
	{typ: ebpf.CGroupSysctl, needs: needNet, attach: attachCgroup},
	{typ: ebpf.CGroupDevice, needs: needNet, attach: attachCgroup},
	{typ: ebpf.SockOps, needs: needNet, attach: attachCgroup},

	{typ: ebpf.Kprobe, words: []string{"kprobe", "kretprobe", "ksyscall", "kretsyscall"}, needs: needTrace, attach: attachKprobe},
	{typ: ebpf.Kprobe, words: []string{"kprobe.multi", "kretprobe.multi", "kprobe.session"}, needs: needTrace, attach: attachKprobeMulti},
	{typ: ebpf.Kprobe, words: []string{"uprobe", "uprobe.s", "uretprobe", "uretprobe.s"}, needs: needTrace, attach: attachUprobe},
	{typ: ebpf.Kprobe, words: []string{"uprobe.multi", "uprobe.multi.s", "uretprobe.multi", "uretprobe.multi.s"}, needs: needTrace, attach: attachUprobeMulti},
	{typ: ebpf.Kprobe, words: []string{"usdt", "usdt.s"}, refusal: "user-level statically defined probes are not supported; use a uprobe"},
	{typ: ebpf.TracePoint, needs: needTrace, attach: attachTracepoint},
	{typ: ebpf.RawTracepoint, needs: needTrace, attach: attachRawTracepoint},
	{typ: ebpf.RawTracepointWritable, needs: needTrace, attach: attachRawTracepoint},
	{typ: ebpf.PerfEvent, needs: needTrace, attach: attachPerfEvent},
	{typ: ebpf.Tracing, at: []ebpf.AttachType{ebpf.AttachTraceIter}, needs: needTrace, attach: attachIter},
	{typ: ebpf.Tracing, needs: needTrace, attach: attachTracing},
	{typ: ebpf.LSM, at: []ebpf.AttachType{ebpf.AttachLSMCgroup}, needs: needNet, attach: attachCgroup},
	{typ: ebpf.LSM, needs: needTrace, attach: attachLSM},

	{typ: ebpf.Syscall, refusal: "they are run with Program.Run"},
	{typ: ebpf.StructOps, refusal: "their struct_ops map is registered as a whole, with link.AttachStructOps"},
	{typ: ebpf.Extension, refusal: "they replace a function of a loaded program, with link.AttachFreplace"},
	{typ: ebpf.LWTIn, refusal: "they belong to a route of the ip command"},
	{typ: ebpf.LWTOut, refusal: "they belong to a route of the ip command"},
	{typ: ebpf.LWTXmit, refusal: "they belong to a route of the ip command"},
	{typ: ebpf.LWTSeg6Local, refusal: "they belong to a route of the ip command"},
	{typ: ebpf.LircMode2, refusal: "infrared receivers are not supported"},
}
