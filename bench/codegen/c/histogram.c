#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

__u32 Slots[32];
static __always_inline __u32 log2p1(__u32 v)
{
	__u32 n = 0;
	if (v >> 16) { v >>= 16; n = 16; }
	if (v >> 8) { v >>= 8; n += 8; }
	if (v >> 4) { v >>= 4; n += 4; }
	if (v >> 2) { v >>= 2; n += 2; }
	if (v >> 1) { v >>= 1; n += 1; }
	return n + v;
}
SEC("tc") int Prog(struct __sk_buff *ctx)
{
	__u32 n = log2p1(ctx->len);
	__sync_fetch_and_add(&Slots[n & 31], 1);
	return 0;
}
char _license[] SEC("license") = "GPL";
