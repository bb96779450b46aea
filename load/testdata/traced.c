// Programs that are bound to kernel functions and types when they are loaded.
#include "bpf.h"

__u64 tp_btf_runs, fentry_runs, iter_runs;
volatile const __s32 only_pid = 0;

struct seq_file;
struct bpf_iter_meta { struct seq_file *seq; } __attribute__((preserve_access_index));
struct bpf_iter__bpf_map { struct bpf_iter_meta *meta; void *map; } __attribute__((preserve_access_index));

SEC("tp_btf/sys_enter") int on_tp_btf(unsigned long long *ctx)
{
	if (bpf_get_current_pid_tgid() >> 32 == only_pid)
		__sync_fetch_and_add(&tp_btf_runs, 1);
	return 0;
}

SEC("fentry/do_nanosleep") int on_fentry(unsigned long long *ctx)
{
	__sync_fetch_and_add(&fentry_runs, 1);
	return 0;
}

SEC("iter/bpf_map") int on_iter(struct bpf_iter__bpf_map *ctx)
{
	static const char line[] = "map\n";
	struct seq_file *seq = ctx->meta->seq;
	if (ctx->map)
		bpf_seq_write(seq, line, 4);
	__sync_fetch_and_add(&iter_runs, 1);
	return 0;
}

SEC("netfilter") int on_netfilter(void *ctx) { return 1; }

char LICENSE[] SEC("license") = "GPL";
