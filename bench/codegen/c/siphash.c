#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include <linux/if_ether.h>
#include <linux/ip.h>
const volatile __u64 Key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
__u64 Sum;
struct state { __u64 v0, v1, v2, v3; };
static __always_inline __u64 rotl(__u64 x, int n) { return x << n | x >> (64 - n); }
static __always_inline void round(struct state *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}
static __always_inline void word(struct state *s, __u64 w)
{
	s->v3 ^= w;
	round(s);
	round(s);
	s->v0 ^= w;
}
static __always_inline __u64 hash(__u64 a, __u64 b)
{
	__u64 k0 = Key[0], k1 = Key[1];
	struct state s = {
		k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
		k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573,
	};
	word(&s, a);
	word(&s, b);
	word(&s, 16ULL << 56);
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
SEC("xdp") int Prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	__u32 *ports = (void *)(ip + 1);
	if ((void *)(ports + 1) > end)
		return XDP_PASS;
	Sum = hash((__u64)ip->saddr << 32 | ip->daddr, *ports);
	return XDP_PASS;
}
char _license[] SEC("license") = "GPL";
