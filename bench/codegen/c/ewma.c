#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct state { __s64 mean, dev, count; };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 16); __type(key, __u32); __type(value, struct state); } States SEC(".maps");
SEC("tc") int Prog(struct __sk_buff *ctx)
{
	__u32 key = ctx->mark & 15;
	struct state *s = bpf_map_lookup_elem(&States, &key);
	if (!s)
		return 0;
	__s64 x = ctx->len;
	if (s->count == 0) {
		s->mean = x;
		s->dev = x >> 1;
	} else {
		__s64 d = x - s->mean;
		s->mean += d >> 3;
		if (d < 0)
			d = -d;
		s->dev += (d - s->dev) >> 2;
	}
	s->count++;
	return x > s->mean + 4 * s->dev ? 2 : 0;
}
char _license[] SEC("license") = "GPL";
