// Events through every kind of buffer, for stream tests and the benchmark.
#include "bpf.h"

struct event {
	__u64 seq;
	__u32 cpu;
	__u16 kind;
	__u8 flags;
	__u8 pad;
	char name[16];
	__u8 fill[96];
}; // 128 bytes

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
	__type(value, struct event);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} small SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
} perf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} waggle_lost SEC(".maps");

volatile const __u32 batch = 64;
volatile const __u64 flags = 0;
__u64 seq;

static __always_inline void lost(__u32 index)
{
	__u64 *n = bpf_map_lookup_elem(&waggle_lost, &index);
	if (n)
		*n += 1;
}

static __always_inline void fill(struct event *e)
{
	e->seq = seq++;
	e->cpu = bpf_get_smp_processor_id();
	e->kind = 7;
	e->flags = 1;
	__builtin_memcpy(e->name, "waggle", 7);
}

SEC("tc")
int emit_ring(struct __sk_buff *skb)
{
	struct event e = {};
	for (__u32 i = 0; i < batch; i++) {
		fill(&e);
		if (bpf_ringbuf_output(&ring, &e, sizeof(e), flags))
			lost(0);
	}
	return 0;
}

// emit_watermark wakes the reader for each 128 KiB only.
SEC("tc")
int emit_watermark(struct __sk_buff *skb)
{
	struct event e = {};
	for (__u32 i = 0; i < batch; i++) {
		fill(&e);
		__u64 f = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= 128 << 10 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
		if (bpf_ringbuf_output(&ring, &e, sizeof(e), f))
			lost(0);
	}
	return 0;
}

SEC("tc")
int emit_small(struct __sk_buff *skb)
{
	struct event e = {};
	for (__u32 i = 0; i < batch; i++) {
		fill(&e);
		if (bpf_ringbuf_output(&small, &e, sizeof(e), flags))
			lost(1);
	}
	return 0;
}

// emit_mixed gives a short record, a discarded one and a whole one.
SEC("tc")
int emit_mixed(struct __sk_buff *skb)
{
	struct event e = {};
	void *r;

	bpf_ringbuf_output(&ring, &e, 5, flags);
	r = bpf_ringbuf_reserve(&ring, 24, 0);
	if (r)
		bpf_ringbuf_discard(r, flags);
	fill(&e);
	bpf_ringbuf_output(&ring, &e, sizeof(e), flags);
	return 0;
}

SEC("tc")
int emit_perf(struct __sk_buff *skb)
{
	struct event e = {};
	for (__u32 i = 0; i < batch; i++) {
		fill(&e);
		if (bpf_perf_event_output(skb, &perf, BPF_F_CURRENT_CPU, &e, sizeof(e)))
			lost(2);
	}
	return 0;
}

// emit_payload sends the event's first 32 bytes and 20 of the packet.
SEC("tc")
int emit_payload(struct __sk_buff *skb)
{
	struct event e = {};
	fill(&e);
	bpf_perf_event_output(skb, &perf, BPF_F_CURRENT_CPU | (20ULL << 32), &e, 32);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
