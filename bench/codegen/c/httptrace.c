// The twin of examples/httptrace/kern.
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#define MAX_PACKET 1024
#define MAX_VLANS 2
#define MAX_EXTS 6
#define EXT_MASK 0x3fff // see the Go side
#define IP_MF 0x2000
#define IP_OFFSET 0x1fff
#define IP6_OFFSET 0xfff8
struct vlan { __be16 tci, type; };
struct ext { __u8 next, len; __be16 offset; __u32 id; };
struct request { __u8 client[16]; __u32 offset, len; };
struct method { __u64 text, mask; };
struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __type(key, __u32); __type(value, __u32); } Requests SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 128); __type(key, __u32); __type(value, __u64); } Lost SEC(".maps");
const volatile __u16 Port;
static const __u8 ext_units[256] = {
	[IPPROTO_HOPOPTS] = 8, [IPPROTO_ROUTING] = 8, [IPPROTO_DSTOPTS] = 8, [IPPROTO_MH] = 8,
	[IPPROTO_AH] = 4, [IPPROTO_FRAGMENT] = 1,
};
static const struct method methods[16] = {
	[0] = {0x2054534f50, (1ULL << 40) - 1}, [1] = {0x20534e4f4954504f, ~0ULL},
	[4] = {0x204843544150, (1ULL << 48) - 1}, [5] = {0x204554454c4544, (1ULL << 56) - 1},
	[6] = {0x20544547, (1ULL << 32) - 1}, [7] = {0x2044414548, (1ULL << 40) - 1},
	[8] = {0x205443454e4e4f43, ~0ULL}, [9] = {0x204543415254, (1ULL << 48) - 1},
	[12] = {0x20545550, (1ULL << 32) - 1},
};

// info is what the IP headers say.
struct info { __u8 client[16], proto; __u32 stop; };

// ipv4 gives what follows the header, or NULL.
static __always_inline void *ipv4(struct iphdr *ip, void *data, void *end, struct info *p)
{
	if ((void *)(ip + 1) > end || ip->ihl < 5)
		return NULL;
	p->client[10] = p->client[11] = 0xff;
	__builtin_memcpy(&p->client[12], &ip->saddr, sizeof(ip->saddr));
	p->proto = ip->protocol;
	p->stop = ip->tot_len ? (void *)ip - data + bpf_ntohs(ip->tot_len) : end - data;
	if (ip->frag_off & bpf_htons(IP_OFFSET))
		return NULL;
	return (void *)ip + ip->ihl * 4;
}

// ipv6 is the same; it walks the extension headers.
static __always_inline void *ipv6(struct ipv6hdr *ip, void *data, void *end, struct info *p)
{
	if ((void *)(ip + 1) > end)
		return NULL;
	__builtin_memcpy(p->client, &ip->saddr, sizeof(ip->saddr));
	void *next = ip + 1;
	__u8 proto = ip->nexthdr;
	p->stop = ip->payload_len ? next - data + bpf_ntohs(ip->payload_len) : end - data;
	__u32 len = 0;
	for (int i = 0; i < MAX_EXTS; i++) {
		__u8 unit = ext_units[proto];
		if (!unit) {
			p->proto = proto;
			return next + len;
		}
		struct ext *e = next + len;
		if ((void *)(e + 1) > end)
			return NULL;
		if (proto == IPPROTO_FRAGMENT && e->offset & bpf_htons(IP6_OFFSET))
			return NULL;
		proto = e->next;
		len = (len + 8 + e->len * (unit & ~1)) & EXT_MASK;
	}
	return NULL;
}

static __always_inline bool is_request(void *payload, void *end)
{
	__u64 *w = payload;
	if ((void *)(w + 1) > end)
		return false;
	const struct method *m = &methods[(*w & 0xffff) * 81 >> 7 & 15];
	return (*w & m->mask) == m->text && m->mask;
}

SEC("xdp") int Trace(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	__be16 type = eth->h_proto;
	void *l3 = eth + 1;
	for (int i = 0; i < MAX_VLANS; i++) {
		struct vlan *tag = l3;
		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > end)
			break;
		type = tag->type;
		l3 = tag + 1;
	}
	struct info ip = {};
	void *l4 = NULL;
	if (type == bpf_htons(ETH_P_IP))
		l4 = ipv4(l3, data, end, &ip);
	else if (type == bpf_htons(ETH_P_IPV6))
		l4 = ipv6(l3, data, end, &ip);
	struct tcphdr *tcp = l4;
	if (!tcp || ip.proto != IPPROTO_TCP || (void *)(tcp + 1) > end || tcp->doff < 5)
		return XDP_PASS;
	if (Port && bpf_ntohs(tcp->dest) != Port)
		return XDP_PASS;
	void *payload = l4 + tcp->doff * 4;
	__u32 offset = payload - data;
	if (offset + sizeof(__u64) > ip.stop || !is_request(payload, end))
		return XDP_PASS;
	__u32 len = ctx->data_end - ctx->data;
	struct request r = {.offset = offset, .len = len < MAX_PACKET ? len : MAX_PACKET};
	__builtin_memcpy(r.client, ip.client, sizeof(r.client));
	if (bpf_perf_event_output(ctx, &Requests, (__u64)r.len << 32 | BPF_F_CURRENT_CPU, &r, sizeof(r))) {
		__u32 i = 0;
		__u64 *n = bpf_map_lookup_elem(&Lost, &i);
		if (n)
			__sync_fetch_and_add(n, 1);
	}
	return XDP_PASS;
}
char _license[] SEC("license") = "GPL";
