#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
SEC("tc") int Prog(struct __sk_buff *ctx)
{
	struct iphdr ip;
	if (bpf_skb_load_bytes(ctx, 14, &ip, sizeof(ip)) || ip.protocol != IPPROTO_TCP)
		return TC_ACT_OK;
	__u32 off = 14 + ip.ihl * 4;
	struct tcphdr tcp;
	if (bpf_skb_load_bytes(ctx, off, &tcp, sizeof(tcp)))
		return TC_ACT_OK;
	__u32 start;
	if (bpf_skb_load_bytes(ctx, off + tcp.doff * 4, &start, sizeof(start)))
		return TC_ACT_OK;
	switch (start) {
	case 0x20544547: /* GET */
	case 0x54534f50: /* POST */
	case 0x20545550: /* PUT */
	case 0x44414548: /* HEAD */
		return TC_ACT_SHOT;
	}
	return TC_ACT_OK;
}
char _license[] SEC("license") = "GPL";
