package abi

// Program and attach types, from include/uapi/linux/bpf.h.
const (
	progSocketFilter  = 1
	progKprobe        = 2
	progSchedCls      = 3
	progTracepoint    = 5
	progXDP           = 6
	progPerfEvent     = 7
	progCgroupSkb     = 8
	progCgroupSock    = 9
	progSockOps       = 13
	progSkSkb         = 14
	progSkMsg         = 16
	progRawTracepoint = 17
	progCgroupAddr    = 18
	progSkLookup      = 30
	progSyscall       = 31
)

// Verdicts that let traffic proceed.
const (
	passXDP = 2  // XDP_PASS
	passTC  = -1 // TC_ACT_UNSPEC: the next program, or the default
	passSk  = 1  // SK_PASS
	allow   = 1
	keepAll = -1 // a socket filter keeps the whole packet
	nothing = 0
)

// ProgramKinds is the table of program kinds. A new hook is one row here and
// one small package below bpf/.
var ProgramKinds = []ProgramKind{
	{Name: "xdp", Section: "xdp", Type: progXDP, Attach: 37, Context: "xdp.Context", CType: "xdp_md", Fault: passXDP, FaultName: "XDP_PASS", MinKernel: "4.8"},

	{Name: "tc", Section: "tc", Type: progSchedCls, Context: "tc.Context", CType: "__sk_buff", Fault: passTC, FaultName: "TC_ACT_UNSPEC", MinKernel: "4.1"},
	{Name: "tcx/ingress", Section: "tcx/ingress", Type: progSchedCls, Attach: 46, Context: "tc.Context", CType: "__sk_buff", Fault: passTC, FaultName: "TCX_NEXT", MinKernel: "6.6"},
	{Name: "tcx/egress", Section: "tcx/egress", Type: progSchedCls, Attach: 47, Context: "tc.Context", CType: "__sk_buff", Fault: passTC, FaultName: "TCX_NEXT", MinKernel: "6.6"},

	{Name: "socket", Section: "socket", Type: progSocketFilter, Context: "sk.FilterContext", CType: "__sk_buff", Fault: keepAll, FaultName: "keep", MinKernel: "3.19"},

	{Name: "cgroup_skb/ingress", Section: "cgroup_skb/ingress", Type: progCgroupSkb, Attach: 0, Context: "cgroup.SkbContext", CType: "__sk_buff", Fault: allow, FaultName: "allow", MinKernel: "4.10"},
	{Name: "cgroup_skb/egress", Section: "cgroup_skb/egress", Type: progCgroupSkb, Attach: 1, Context: "cgroup.SkbContext", CType: "__sk_buff", Fault: allow, FaultName: "allow", MinKernel: "4.10"},
	{Name: "cgroup/sock_create", Section: "cgroup/sock_create", Type: progCgroupSock, Attach: 2, Context: "cgroup.SockContext", CType: "bpf_sock", Fault: allow, FaultName: "allow", MinKernel: "4.10"},
	{Name: "cgroup/sock_release", Section: "cgroup/sock_release", Type: progCgroupSock, Attach: 34, Context: "cgroup.SockContext", CType: "bpf_sock", Fault: allow, FaultName: "allow", MinKernel: "5.9"},
	{Name: "cgroup/post_bind4", Section: "cgroup/post_bind4", Type: progCgroupSock, Attach: 12, Context: "cgroup.SockContext", CType: "bpf_sock", Fault: allow, FaultName: "allow", MinKernel: "4.17"},
	{Name: "cgroup/post_bind6", Section: "cgroup/post_bind6", Type: progCgroupSock, Attach: 13, Context: "cgroup.SockContext", CType: "bpf_sock", Fault: allow, FaultName: "allow", MinKernel: "4.17"},
	{Name: "cgroup/bind4", Section: "cgroup/bind4", Type: progCgroupAddr, Attach: 8, Context: "cgroup.SockAddrContext", CType: "bpf_sock_addr", Fault: allow, FaultName: "allow", MinKernel: "4.17"},
	{Name: "cgroup/bind6", Section: "cgroup/bind6", Type: progCgroupAddr, Attach: 9, Context: "cgroup.SockAddrContext", CType: "bpf_sock_addr", Fault: allow, FaultName: "allow", MinKernel: "4.17"},
	{Name: "cgroup/connect4", Section: "cgroup/connect4", Type: progCgroupAddr, Attach: 10, Context: "cgroup.SockAddrContext", CType: "bpf_sock_addr", Fault: allow, FaultName: "allow", MinKernel: "4.17"},
	{Name: "cgroup/connect6", Section: "cgroup/connect6", Type: progCgroupAddr, Attach: 11, Context: "cgroup.SockAddrContext", CType: "bpf_sock_addr", Fault: allow, FaultName: "allow", MinKernel: "4.17"},
	{Name: "cgroup/sendmsg4", Section: "cgroup/sendmsg4", Type: progCgroupAddr, Attach: 14, Context: "cgroup.SockAddrContext", CType: "bpf_sock_addr", Fault: allow, FaultName: "allow", MinKernel: "4.18"},
	{Name: "cgroup/sendmsg6", Section: "cgroup/sendmsg6", Type: progCgroupAddr, Attach: 15, Context: "cgroup.SockAddrContext", CType: "bpf_sock_addr", Fault: allow, FaultName: "allow", MinKernel: "4.18"},

	{Name: "sockops", Section: "sockops", Type: progSockOps, Attach: 3, Context: "sk.OpsContext", CType: "bpf_sock_ops", Fault: nothing, FaultName: "0", MinKernel: "4.13"},
	{Name: "sk_msg", Section: "sk_msg", Type: progSkMsg, Attach: 7, Context: "sk.MsgContext", CType: "sk_msg_md", Fault: passSk, FaultName: "SK_PASS", MinKernel: "4.17"},
	{Name: "sk_skb/stream_parser", Section: "sk_skb/stream_parser", Type: progSkSkb, Attach: 4, Context: "sk.SkbContext", CType: "__sk_buff", Fault: nothing, FaultName: "0 (need more data)", MinKernel: "4.14"},
	{Name: "sk_skb/stream_verdict", Section: "sk_skb/stream_verdict", Type: progSkSkb, Attach: 5, Context: "sk.SkbContext", CType: "__sk_buff", Fault: passSk, FaultName: "SK_PASS", MinKernel: "4.14"},
	{Name: "sk_skb/verdict", Section: "sk_skb/verdict", Type: progSkSkb, Attach: 38, Context: "sk.SkbContext", CType: "__sk_buff", Fault: passSk, FaultName: "SK_PASS", MinKernel: "5.13"},
	{Name: "sk_lookup", Section: "sk_lookup", Type: progSkLookup, Attach: 36, Context: "sk.LookupContext", CType: "bpf_sk_lookup", Fault: passSk, FaultName: "SK_PASS", MinKernel: "5.9"},

	{Name: "tracepoint", Section: "tracepoint", Type: progTracepoint, Target: TargetRequired, Fault: nothing, FaultName: "0", MinKernel: "4.7"},
	{Name: "raw_tracepoint", Section: "raw_tracepoint", Type: progRawTracepoint, Context: "trace.RawContext", CType: "bpf_raw_tracepoint_args", Target: TargetRequired, Fault: nothing, FaultName: "0", MinKernel: "4.17"},
	{Name: "kprobe", Section: "kprobe", Type: progKprobe, Context: "trace.Regs", CType: "pt_regs", Target: TargetOptional, Fault: nothing, FaultName: "0", MinKernel: "4.1"},
	{Name: "kretprobe", Section: "kretprobe", Type: progKprobe, Context: "trace.Regs", CType: "pt_regs", Target: TargetOptional, Fault: nothing, FaultName: "0", MinKernel: "4.1"},
	{Name: "uprobe", Section: "uprobe", Type: progKprobe, Context: "trace.Regs", CType: "pt_regs", Target: TargetOptional, Fault: nothing, FaultName: "0", MinKernel: "4.3"},
	{Name: "uretprobe", Section: "uretprobe", Type: progKprobe, Context: "trace.Regs", CType: "pt_regs", Target: TargetOptional, Fault: nothing, FaultName: "0", MinKernel: "4.3"},
	{Name: "perf_event", Section: "perf_event", Type: progPerfEvent, Context: "trace.PerfEventContext", CType: "bpf_perf_event_data", Fault: nothing, FaultName: "0", MinKernel: "4.9"},
	{Name: "syscall", Section: "syscall", Type: progSyscall, Fault: -22, FaultName: "-EINVAL", MinKernel: "5.14", Sleepable: true},
}
