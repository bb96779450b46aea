#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/in.h>
SEC("xdp") int Prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	void *next;
	__u8 proto;
	if ((void *)(eth + 1) > end)
		return XDP_ABORTED;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(eth + 1);
		if ((void *)(ip + 1) > end || ip->ihl * 4 < sizeof(*ip))
			return XDP_ABORTED;
		proto = ip->protocol;
		next = (void *)ip + ip->ihl * 4;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = (void *)(eth + 1);
		if ((void *)(ip + 1) > end)
			return XDP_ABORTED;
		proto = ip->nexthdr;
		next = ip + 1;
	} else {
		return XDP_PASS;
	}
	if (proto == IPPROTO_UDP) {
		struct udphdr *udp = next;
		if ((void *)(udp + 1) > end)
			return XDP_ABORTED;
		udp->dest = bpf_htons(bpf_ntohs(udp->dest) - 1);
	} else if (proto == IPPROTO_TCP) {
		struct tcphdr *tcp = next;
		if ((void *)(tcp + 1) > end)
			return XDP_ABORTED;
		tcp->dest = bpf_htons(bpf_ntohs(tcp->dest) - 1);
	}
	return XDP_PASS;
}
char _license[] SEC("license") = "GPL";
