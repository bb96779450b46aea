#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

SEC("xdp") int Prog(struct xdp_md *ctx)
{
	__u16 *p = (void *)(long)ctx->data + 14;
	void *end = (void *)(long)ctx->data_end;
	if ((void *)(p + 10) > end)
		return XDP_ABORTED;
	__u32 sum = 0;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 10; i++)
		sum += p[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	if ((__u16)~sum)
		return XDP_DROP;
	return XDP_PASS;
}
char _license[] SEC("license") = "GPL";
