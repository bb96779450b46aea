// A map of each kind that typed access must cope with, variables of all kinds,
// fault counters with their table, and a tail call.
#include "bpf.h"

struct key {
	__u8 proto;
	__u32 addr;
	__u16 port;
}; // with holes

struct value {
	__u64 packets;
	__u32 last;
	char name[12];
};

#define MAP(name, kind, n, K, V)              \
	struct {                              \
		__uint(type, kind);           \
		__uint(max_entries, n);       \
		__type(key, K);               \
		__type(value, V);             \
	} name SEC(".maps")

MAP(flows, BPF_MAP_TYPE_HASH, 10000, struct key, struct value);
MAP(slots, BPF_MAP_TYPE_ARRAY, 600, __u32, struct value);
MAP(percpu, BPF_MAP_TYPE_PERCPU_HASH, 1000, __u32, __u32);
MAP(waggle_faults, BPF_MAP_TYPE_PERCPU_ARRAY, 3, __u32, __u64);

struct lpm_key {
	__u32 prefixlen;
	__u8 addr[4];
};
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 100);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lpm_key);
	__type(value, __u64);
} routes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} shared SEC(".maps");

int tail(struct __sk_buff *skb);
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, int(struct __sk_buff *));
} next SEC(".maps") = {.values = {[1] = (void *)&tail}};

volatile const __u16 port = 80;
volatile const __s8 small = -1;
volatile const char greeting[8] = "hello";
volatile const struct value setting = {1, 2, "three"};
__u64 counter = 5;
__u32 zeroed;

// main_prog returns the port and tail-calls.
SEC("tc")
int main_prog(struct __sk_buff *skb)
{
	struct key k = {};
	struct value *v;

	k.proto = 6;
	k.addr = 0x0100007f;
	k.port = port;
	v = bpf_map_lookup_elem(&flows, &k);
	if (v)
		v->packets++;
	counter++;
	zeroed = small + greeting[0] + setting.last;
	bpf_tail_call(skb, &next, 1);
	return port;
}

SEC("tc")
int tail(struct __sk_buff *skb)
{
	return 1000 + port;
}

SEC("tc")
int fault(struct __sk_buff *skb)
{
	__u32 i = skb->mark;
	__u64 *n = bpf_map_lookup_elem(&waggle_faults, &i);
	if (n)
		*n += 1;
	return 0;
}

// What the compiler writes, see internal/faultinfo.
const char fault_table[] SEC(".waggle.faults") =
	"\0waggle faults 1\0probe.go:42:7: index out of range\0probe.go:50:1: integer divide by zero";

char LICENSE[] SEC("license") = "Dual MIT/GPL";
