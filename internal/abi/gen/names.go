package main

import "strings"

// initialisms are words that Go writes in their own way.
var initialisms = map[string]string{
	"ip": "IP", "ip4": "IP4", "ip6": "IP6", "ipv4": "IPv4", "ipv6": "IPv6", "tcp": "TCP", "udp": "UDP",
	"mptcp": "MPTCP", "xdp": "XDP", "vlan": "VLAN", "mtu": "MTU", "fib": "FIB", "ecn": "ECN", "lwt": "LWT",
	"id": "ID", "ns": "NS", "tai": "TAI", "cpu": "CPU", "percpu": "PerCPU", "numa": "NUMA", "btf": "BTF",
	"ima": "IMA", "bpf": "BPF", "srh": "SRH", "u32": "U32", "rc": "RC", "netns": "NetNS", "ringbuf": "RingBuf",
	"mss": "MSS", "rtt": "RTT", "srtt": "SRTT", "gso": "GSO", "mac": "MAC", "tos": "TOS", "ttl": "TTL", "nh": "NextHop",
	"ifindex": "IfIndex", "napi": "NAPI",
}

// goName turns a C name into an exported Go name: get_current_pid_tgid becomes
// GetCurrentPidTgid.
func goName(c string) string {
	var sb strings.Builder
	for w := range strings.SplitSeq(strings.Trim(c, "_"), "_") {
		if s, ok := initialisms[w]; ok {
			sb.WriteString(s)
		} else if w != "" {
			sb.WriteString(strings.ToUpper(w[:1]) + w[1:])
		}
	}
	return sb.String()
}

// paramNames replaces parameter names that mean something else in Go.
var paramNames = map[string]string{
	"map": "m", "len": "n", "type": "typ", "func": "fn", "range": "rng", "nr": "n", "data_len": "dataLen",
}

// goParam turns a C parameter name into a Go one.
func goParam(c string) string {
	if s, ok := paramNames[c]; ok {
		return s
	}
	first, rest, ok := strings.Cut(c, "_")
	if !ok {
		return c
	}
	return first + goName(rest)
}

// goTypes are the Go twins of the C types in the headers, pointers aside.
var goTypes = map[string]string{
	"int": "int32", "__s32": "int32", "long": "int64", "__s64": "int64",
	"char": "int8", "__u8": "uint8", "__u16": "uint16", "__u32": "uint32", "__u64": "uint64", "unsigned long": "uint64", "__wsum": "uint32",
	"__be16": "bpf.BE16", "__be32": "bpf.BE32",
}
