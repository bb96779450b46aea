// Programs that load but are not attached.
#include "bpf.h"

SEC("syscall") int on_syscall(void *ctx) { return 0; }
SEC("xdp/devmap") int on_devmap(struct xdp_md *ctx) { return XDP_PASS; }
SEC("action") int on_action(struct __sk_buff *skb) { return 0; }
SEC("sk_skb") int on_skb(struct __sk_buff *skb) { return SK_PASS; }
SEC("lwt_in") int on_lwt(struct __sk_buff *skb) { return 0; }

char LICENSE[] SEC("license") = "Dual MIT/GPL";
