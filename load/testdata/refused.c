// Programs that the verifier refuses; verifier_test.go says with which words.
#include "bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} m SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

SEC("xdp") int nil_pointer(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *v = bpf_map_lookup_elem(&m, &key);
	return *v;
}

SEC("xdp") int packet_end(struct xdp_md *ctx)
{
	char *data = (void *)(long)ctx->data;
	return data[3];
}

SEC("xdp") int unbounded(struct xdp_md *ctx)
{
	__u32 key = 0;
	char *v = bpf_map_lookup_elem(&m, &key);
	if (!v)
		return 0;
	return v[ctx->rx_queue_index];
}

SEC("xdp") int past_value(struct xdp_md *ctx)
{
	__u32 key = 0;
	char *v = bpf_map_lookup_elem(&m, &key);
	if (!v)
		return 0;
	return v[12];
}

SEC("xdp") int leaked(struct xdp_md *ctx)
{
	void *r = bpf_ringbuf_reserve(&ring, 8, 0);
	if (!r)
		return 0;
	return 1;
}

SEC("xdp") int endless(struct xdp_md *ctx)
{
	volatile int i = 0;
	while (ctx->data)
		i++;
	return i;
}

SEC("xdp") int context(struct xdp_md *ctx)
{
	return *(int *)((char *)ctx + 100);
}

SEC("xdp") int number(struct xdp_md *ctx)
{
	return *(int *)(long)ctx->rx_queue_index;
}

SEC("cgroup/connect4") int verdict(struct bpf_sock_addr *ctx)
{
	return 7;
}

SEC("xdp") int unset(struct xdp_md *ctx)
{
	register long r asm("r6");
	asm volatile("%0 = r8" : "=r"(r));
	return r;
}

SEC("xdp") int pointer_times(struct xdp_md *ctx)
{
	return (long)(void *)(long)ctx->data * 3;
}

SEC("tracepoint/syscalls/sys_enter_write") int wrong_helper(void *ctx)
{
	return bpf_xdp_adjust_head(ctx, 1);
}

SEC("xdp") int uninitialised(struct xdp_md *ctx)
{
	__u32 key[2];
	asm volatile("" : "=m"(key));
	return bpf_map_delete_elem(&m, &key[0]);
}

SEC("xdp") int too_complex(struct xdp_md *ctx)
{
	long s = 0;
	for (int i = 0; i < 1000000; i++)
		s += bpf_get_prandom_u32() & 3;
	return s;
}

static __noinline int deep(struct xdp_md *ctx)
{
	char *data = (void *)(long)ctx->data;
	return data[ctx->rx_queue_index & 7];
}

// The fault is in a function that it calls.
SEC("xdp") int called(struct xdp_md *ctx)
{
	return deep(ctx) + 1;
}

SEC("xdp") int good(struct xdp_md *ctx) { return XDP_PASS; }

char LICENSE[] SEC("license") = "Dual MIT/GPL";
