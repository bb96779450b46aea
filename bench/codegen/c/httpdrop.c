#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/in.h>
struct event { __be32 src, dst; __be16 sport, dport; __u32 pad; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); } Events SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64); } lost SEC(".maps");
SEC("xdp") int Prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	struct tcphdr *tcp = (void *)ip + ip->ihl * 4;
	if ((void *)(tcp + 1) > end)
		return XDP_PASS;
	char *p = (void *)tcp + tcp->doff * 4;
	if ((void *)(p + 8) > end || *(__u64 *)p != 0x312e312f50545448ULL /* HTTP/1.1 */)
		return XDP_PASS;
	struct event e = { ip->saddr, ip->daddr, tcp->source, tcp->dest, 0 };
	if (bpf_ringbuf_output(&Events, &e, sizeof(e), 0)) {
		__u32 key = 0;
		__u64 *n = bpf_map_lookup_elem(&lost, &key);
		if (n)
			*n += 1;
	}
	return XDP_DROP;
}
char _license[] SEC("license") = "GPL";
