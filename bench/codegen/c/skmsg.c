#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct end { __be32 local, remote; __u32 lport, rport; };
struct { __uint(type, BPF_MAP_TYPE_SOCKHASH); __uint(max_entries, 1024); __type(key, struct end); __type(value, __u32); } Ends SEC(".maps");
__u64 Bytes;
SEC("sk_msg") int Prog(struct sk_msg_md *ctx)
{
	struct end other = {
		.local = ctx->remote_ip4, .lport = bpf_ntohl(ctx->remote_port),
		.remote = ctx->local_ip4, .rport = ctx->local_port,
	};
	if (bpf_msg_redirect_hash(ctx, &Ends, &other, BPF_F_INGRESS) == SK_PASS)
		__sync_fetch_and_add(&Bytes, ctx->size);
	return SK_PASS;
}
char _license[] SEC("license") = "GPL";
