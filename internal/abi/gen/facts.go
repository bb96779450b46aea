package main

// since says which kernel added the helpers from firstID on: helpers are
// numbered in the order in which they came (git log of include/uapi/linux/bpf.h).
var since = []struct {
	firstID int
	kernel  string
}{
	{1, "3.19"}, {4, "4.1"}, {12, "4.2"}, {17, "4.3"}, {23, "4.4"}, {26, "4.5"}, {27, "4.6"}, {31, "4.8"},
	{37, "4.9"}, {42, "4.10"}, {45, "4.11"}, {46, "4.12"}, {48, "4.13"}, {51, "4.14"}, {54, "4.15"},
	{58, "4.16"}, {60, "4.17"}, {65, "4.18"}, {81, "4.19"}, {84, "4.20"}, {91, "5.0"}, {93, "5.1"},
	{99, "5.2"}, {109, "5.3"}, {111, "5.5"}, {116, "5.6"}, {119, "5.7"}, {125, "5.8"}, {136, "5.9"},
	{142, "5.10"}, {156, "5.11"}, {163, "5.12"}, {164, "5.13"}, {166, "5.14"}, {169, "5.15"},
	{176, "5.16"}, {180, "5.17"}, {186, "5.18"}, {194, "5.19"}, {204, "6.0"}, {209, "6.1"}, {210, "6.2"},
}

// pure helpers have no effect but their result, so that a call whose result is
// unused may be dropped.
var pure = set(
	"map_lookup_elem", "map_lookup_percpu_elem", "per_cpu_ptr", "this_cpu_ptr",
	"ktime_get_ns", "ktime_get_boot_ns", "ktime_get_coarse_ns", "ktime_get_tai_ns", "jiffies64",
	"get_prandom_u32", "get_smp_processor_id", "get_numa_node_id",
	"get_current_pid_tgid", "get_current_uid_gid", "get_current_task", "get_current_task_btf",
	"get_current_cgroup_id", "get_current_ancestor_cgroup_id", "get_cgroup_classid", "get_netns_cookie",
	"get_route_realm", "skb_cgroup_id", "skb_ancestor_cgroup_id", "sk_cgroup_id", "sk_ancestor_cgroup_id",
	"get_socket_uid", "skb_cgroup_classid", "xdp_get_buff_len", "ringbuf_query",
	"get_func_ip", "get_attach_cookie", "get_func_arg_cnt", "get_retval",
	"sk_fullsock", "tcp_sock", "get_listener_sock", "sock_from_file",
	"skc_to_tcp6_sock", "skc_to_tcp_sock", "skc_to_tcp_timewait_sock", "skc_to_tcp_request_sock",
	"skc_to_udp6_sock", "skc_to_unix_sock", "skc_to_mptcp_sock",
	"csum_diff", "strncmp",
)

// acquires names helpers that return a reference, and the helper that gives it
// back unused (acquire_ references in kernel/bpf/verifier.c).
var acquires = map[string]string{
	"ringbuf_reserve": "ringbuf_discard",
	"sk_lookup_tcp":   "sk_release",
	"sk_lookup_udp":   "sk_release",
	"skc_lookup_tcp":  "sk_release",
}

// releases names helpers that take a reference back, and 1 plus the parameter.
var releases = map[string]int{"ringbuf_submit": 1, "ringbuf_discard": 1, "sk_release": 1}

var locks = map[string]int{"spin_lock": 1, "spin_unlock": -1}

// movesPackets holds helpers that invalidate packet pointers although their
// description does not say so (bpf_helper_changes_pkt_data in net/core/filter.c).
var movesPackets = set("msg_push_data", "msg_pop_data", "store_hdr_opt")

// readOnly lists parameters through which the kernel only reads, although the
// header doesn't declare them const (ARG_PTR_TO_MEM | MEM_RDONLY and
// ARG_PTR_TO_MAP_KEY in the helpers' prototypes).
var readOnly = map[string][]int{
	"skb_set_tunnel_key":           {1},
	"skb_set_tunnel_opt":           {1},
	"perf_event_output":            {3},
	"skb_output":                   {3},
	"xdp_output":                   {3},
	"ringbuf_output":               {1},
	"csum_diff":                    {0, 2},
	"setsockopt":                   {3},
	"sock_map_update":              {2},
	"sock_hash_update":             {2},
	"msg_redirect_hash":            {2},
	"sk_redirect_hash":             {2},
	"sk_select_reuseport":          {2},
	"lwt_push_encap":               {2},
	"lwt_seg6_action":              {2},
	"bind":                         {1},
	"sk_lookup_tcp":                {1},
	"sk_lookup_udp":                {1},
	"skc_lookup_tcp":               {1},
	"tcp_check_syncookie":          {1, 3},
	"tcp_gen_syncookie":            {1, 3},
	"redirect_neigh":               {1},
	"xdp_store_bytes":              {2},
	"tcp_raw_gen_syncookie_ipv4":   {0, 1},
	"tcp_raw_gen_syncookie_ipv6":   {0, 1},
	"tcp_raw_check_syncookie_ipv4": {0, 1},
	"tcp_raw_check_syncookie_ipv6": {0, 1},
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
