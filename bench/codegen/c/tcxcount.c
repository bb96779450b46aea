#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include <linux/if_ether.h>
__u64 IPv4, IPv6, Other, Bytes;
SEC("tc") int Prog(struct __sk_buff *ctx)
{
	switch (ctx->protocol) {
	case bpf_htons(ETH_P_IP):
		__sync_fetch_and_add(&IPv4, 1);
		break;
	case bpf_htons(ETH_P_IPV6):
		__sync_fetch_and_add(&IPv6, 1);
		break;
	default:
		__sync_fetch_and_add(&Other, 1);
	}
	__sync_fetch_and_add(&Bytes, ctx->len);
	return 0;
}
char _license[] SEC("license") = "GPL";
