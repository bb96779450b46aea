#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
enum { OTHER, ARP, TCP, UDP, ICMP, NUM_HANDLERS };
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, NUM_HANDLERS); __type(key, __u32); __type(value, __u32); } Handlers SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, NUM_HANDLERS); __type(key, __u32); __type(value, __u64); } Unhandled SEC(".maps");
static __always_inline __u32 transport(__u8 proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return TCP;
	case IPPROTO_UDP:
		return UDP;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return ICMP;
	}
	return OTHER;
}
static __always_inline __u32 classify(void *data, void *end)
{
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end)
		return OTHER;
	switch (eth->h_proto) {
	case bpf_htons(ETH_P_ARP):
		return ARP;
	case bpf_htons(ETH_P_IP): {
		struct iphdr *ip = (void *)(eth + 1);
		if ((void *)(ip + 1) <= end)
			return transport(ip->protocol);
		break;
	}
	case bpf_htons(ETH_P_IPV6): {
		struct ipv6hdr *ip = (void *)(eth + 1);
		if ((void *)(ip + 1) <= end)
			return transport(ip->nexthdr);
		break;
	}
	}
	return OTHER;
}
SEC("xdp") int Prog(struct xdp_md *ctx)
{
	__u32 i = classify((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	bpf_tail_call(ctx, &Handlers, i);
	__u64 *n = bpf_map_lookup_elem(&Unhandled, &i);
	if (n)
		*n += 1;
	return XDP_PASS;
}
char _license[] SEC("license") = "GPL";
