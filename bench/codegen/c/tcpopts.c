#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include <linux/tcp.h>
__u32 MSS;
SEC("xdp") int Prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct tcphdr *tcp = data + 34;
	if ((void *)(tcp + 1) > end || !tcp->syn)
		return XDP_PASS;
	__u64 at = 34 + 20, stop = 34 + tcp->doff * 4;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 40; i++) {
		if (at >= stop || at > 0xffff)
			break;
		__u8 *kind = data + at;
		if ((void *)(kind + 1) > end || *kind == 0)
			break;
		if (*kind == 1) {
			at++;
			continue;
		}
		__u8 *n = kind + 1;
		if ((void *)(n + 1) > end || *n < 2)
			break;
		if (*kind == 2) {
			__be16 *mss = (void *)kind + 2;
			if ((void *)(mss + 1) <= end)
				MSS = bpf_ntohs(*mss);
			break;
		}
		at += *n;
	}
	return XDP_PASS;
}
char _license[] SEC("license") = "GPL";
