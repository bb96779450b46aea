#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct conn { __be32 local, remote; __u32 lport, rport; };
struct rtt { struct conn c; __u32 us, pad; __u64 age; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1024); __type(key, struct conn); __type(value, __u64); } Since SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); } Events SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64); } lost SEC(".maps");
static __always_inline struct conn conn_of(struct bpf_sock_ops *ctx)
{
	struct conn c = { ctx->local_ip4, ctx->remote_ip4, ctx->local_port, ctx->remote_port };
	return c;
}
SEC("sockops") int Prog(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB: {
		struct conn c = conn_of(ctx);
		__u64 now = bpf_ktime_get_ns();
		bpf_map_update_elem(&Since, &c, &now, BPF_ANY);
		break;
	}
	case BPF_SOCK_OPS_RTT_CB: {
		struct rtt e = { .c = conn_of(ctx) };
		__u64 *t = bpf_map_lookup_elem(&Since, &e.c);
		if (!t)
			break;
		e.us = ctx->srtt_us >> 3;
		e.age = bpf_ktime_get_ns() - *t;
		if (bpf_ringbuf_output(&Events, &e, sizeof(e), 0)) {
			__u32 key = 0;
			__u64 *n = bpf_map_lookup_elem(&lost, &key);
			if (n)
				*n += 1;
		}
		break;
	}
	case BPF_SOCK_OPS_STATE_CB:
		if (ctx->args[1] == BPF_TCP_CLOSE) {
			struct conn c = conn_of(ctx);
			bpf_map_delete_elem(&Since, &c);
		}
	}
	return 1;
}
char _license[] SEC("license") = "GPL";
