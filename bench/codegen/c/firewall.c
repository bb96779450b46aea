#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include <linux/if_ether.h>
#include <linux/ip.h>
struct prefix { __u32 bits; __be32 addr; };
struct rule { __u32 drop, pad; __u64 packets; };
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 1024); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, struct prefix); __type(value, struct rule); } Rules SEC(".maps");
SEC("xdp") int Prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	struct prefix p = { 32, ip->saddr };
	struct rule *r = bpf_map_lookup_elem(&Rules, &p);
	if (!r)
		return XDP_PASS;
	__sync_fetch_and_add(&r->packets, 1);
	return r->drop ? XDP_DROP : XDP_PASS;
}
char _license[] SEC("license") = "GPL";
