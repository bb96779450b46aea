#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct record { __u64 packets, bytes; };
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 5); __type(key, __u32); __type(value, struct record); } Stats SEC(".maps");
SEC("xdp") int Prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 key = XDP_PASS;
	struct record *r = bpf_map_lookup_elem(&Stats, &key);
	if (!r)
		return XDP_ABORTED;
	r->packets++;
	r->bytes += end - data;
	return XDP_PASS;
}
char _license[] SEC("license") = "GPL";
