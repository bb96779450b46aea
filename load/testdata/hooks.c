// One small program for each way of attaching. Each adds to its own counter.
#include "bpf.h"

enum { XDP, TCX, TC, CGROUP_IN, CGROUP_SKB, SOCK_CREATE, CONNECT4, SETSOCKOPT, OPS, MSG, PARSER, VERDICT,
       LOOKUP, FILTER, TP, RAW_TP, TP_BTF, KPROBE, UPROBE, URETPROBE, PERF, FENTRY, REUSEPORT, NETFILTER, ITER, TC_ANY,
       COUNTERS };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} runs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

volatile const __s32 only_pid = 0;

static __always_inline int ran(__u32 i, int verdict)
{
	__u64 *n = bpf_map_lookup_elem(&runs, &i);
	if (n)
		__sync_fetch_and_add(n, 1);
	return verdict;
}

static __always_inline int ours(void)
{
	return !only_pid || bpf_get_current_pid_tgid() >> 32 == only_pid;
}

SEC("xdp") int on_xdp(struct xdp_md *ctx) { return ran(XDP, XDP_PASS); }
SEC("tcx/ingress") int on_tcx(struct __sk_buff *skb) { return ran(TCX, -1); }
SEC("tc/egress") int on_tc(struct __sk_buff *skb) { return ran(TC, -1); }
SEC("tc") int on_tc_any(struct __sk_buff *skb) { return ran(TC_ANY, -1); }
SEC("cgroup_skb/ingress") int on_cgroup_in(struct __sk_buff *skb) { return ran(CGROUP_IN, 1); }
SEC("cgroup/skb") int on_cgroup_skb(struct __sk_buff *skb) { return ran(CGROUP_SKB, 1); }
SEC("cgroup/sock_create") int on_sock_create(struct bpf_sock *sk) { return ran(SOCK_CREATE, 1); }
SEC("cgroup/connect4") int on_connect4(struct bpf_sock_addr *addr) { return ran(CONNECT4, 1); }
SEC("cgroup/setsockopt") int on_setsockopt(struct bpf_sockopt *opt)
{
	opt->optlen = opt->optlen > 4096 ? 0 : opt->optlen;
	return ran(SETSOCKOPT, 1);
}
SEC("sockops") int on_sockops(struct bpf_sock_ops *ops)
{
	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || ops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
		__u32 key = ops->op;
		bpf_sock_hash_update(ops, &sockets, &key, BPF_ANY);
	}
	return ran(OPS, 1);
}
SEC("sk_msg") int on_msg(struct sk_msg_md *msg) { return ran(MSG, SK_PASS); }
SEC("sk_skb/stream_parser") int on_parser(struct __sk_buff *skb) { return ran(PARSER, skb->len); }
SEC("sk_skb/stream_verdict") int on_verdict(struct __sk_buff *skb) { return ran(VERDICT, SK_PASS); }
SEC("sk_lookup") int on_lookup(struct bpf_sk_lookup *ctx) { return ran(LOOKUP, SK_PASS); }
SEC("sk_reuseport") int on_reuseport(struct sk_reuseport_md *ctx) { return ran(REUSEPORT, SK_PASS); }
SEC("socket") int on_filter(struct __sk_buff *skb) { return ran(FILTER, 0); }
SEC("tracepoint/syscalls/sys_enter_getpgid") int on_tp(void *ctx) { return ours() ? ran(TP, 0) : 0; }
SEC("raw_tp/sys_enter") int on_raw_tp(struct bpf_raw_tracepoint_args *ctx)
{
	return ours() ? ran(RAW_TP, 0) : 0;
}
SEC("kprobe/do_nanosleep") int on_kprobe(void *ctx) { return ran(KPROBE, 0); }
SEC("uprobe/libc.so.6:getpgid") int on_uprobe(void *ctx) { return ran(UPROBE, 0); }
SEC("uretprobe") int on_uretprobe(void *ctx) { return ran(URETPROBE, 0); }
SEC("perf_event") int on_perf(void *ctx) { return ran(PERF, 0); }

char LICENSE[] SEC("license") = "Dual MIT/GPL";
