#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include <linux/if_ether.h>
struct vlan { __be16 tci, type; };
const volatile __u16 ID = 7;
static __always_inline int pop(struct xdp_md *ctx, struct ethhdr h)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct vlan *tag = data + ETH_HLEN;
	if ((void *)(tag + 1) > end)
		return XDP_PASS;
	h.h_proto = tag->type;
	if (bpf_xdp_adjust_head(ctx, sizeof(*tag)))
		return XDP_DROP;
	struct ethhdr *eth = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	*eth = h;
	return XDP_PASS;
}
static __always_inline int push(struct xdp_md *ctx, struct ethhdr h)
{
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct vlan)))
		return XDP_DROP;
	struct ethhdr *eth = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct vlan *tag = (void *)(eth + 1);
	if ((void *)(tag + 1) > end)
		return XDP_DROP;
	tag->tci = bpf_htons(ID);
	tag->type = h.h_proto;
	*eth = h;
	eth->h_proto = bpf_htons(ETH_P_8021Q);
	return XDP_PASS;
}
SEC("xdp") int Prog(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	struct ethhdr h = *eth;
	if (h.h_proto == bpf_htons(ETH_P_8021Q) || h.h_proto == bpf_htons(ETH_P_8021AD))
		return pop(ctx, h);
	return push(ctx, h);
}
char _license[] SEC("license") = "GPL";
