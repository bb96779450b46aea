#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include <linux/ip.h>
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 8); __type(key, __u32); __type(value, __u64); } Buckets SEC(".maps");
static __always_inline __u32 rol(__u32 x, int n) { return (x << n) | (x >> (32 - n)); }
static __always_inline __u32 mix(__u32 a, __u32 b, __u32 c)
{
	a -= c; a ^= rol(c, 4); c += b;
	b -= a; b ^= rol(a, 6); a += c;
	c -= b; c ^= rol(b, 8); b += a;
	a -= c; a ^= rol(c, 16); c += b;
	b -= a; b ^= rol(a, 19); a += c;
	c -= b; c ^= rol(b, 4);
	return c;
}
SEC("xdp") int Prog(struct xdp_md *ctx)
{
	struct iphdr *ip = (void *)(long)ctx->data + 14;
	void *end = (void *)(long)ctx->data_end;
	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	__u32 key = mix(ip->saddr, ip->daddr, ip->protocol) & 7;
	__u64 *n = bpf_map_lookup_elem(&Buckets, &key);
	if (n)
		*n += 1;
	return XDP_PASS;
}
char _license[] SEC("license") = "GPL";
