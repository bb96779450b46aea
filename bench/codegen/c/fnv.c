#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

__u64 Sum;
SEC("xdp") int Prog(struct xdp_md *ctx)
{
	__u8 *p = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	if ((void *)(p + 64) > end)
		return XDP_PASS;
	__u64 h = 0xcbf29ce484222325;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 64; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	Sum = h;
	return XDP_PASS;
}
char _license[] SEC("license") = "GPL";
