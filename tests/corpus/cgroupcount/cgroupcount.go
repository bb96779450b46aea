// Package cgroupcount counts the packets and bytes that the processes of a cgroup
// send.
package cgroupcount

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/cgroup"
)

// The indices of Counts.
const (
	Packets uint32 = iota
	Bytes
)

// Counts holds the counters.
var Counts = bpf.Array[uint64]{MaxEntries: 2}

// Egress counts a packet and lets it pass.
//
//bpf:cgroup_skb/egress
func Egress(ctx *cgroup.SkbContext) cgroup.Verdict {
	add(Packets, 1)
	add(Bytes, uint64(ctx.Len))
	return cgroup.Allow
}

func add(index uint32, n uint64) {
	if c := Counts.Lookup(index); c != nil {
		bpf.AtomicAdd(c, n)
	}
}
