// Package skstorage keeps a count with every socket of a cgroup, without a table
// that somebody has to clean up.
package skstorage

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/cgroup"
)

// Traffic is what is counted of a socket.
type Traffic struct {
	Packets uint64
	Bytes   uint64
}

// Sockets holds the counts.
var Sockets bpf.SkStorage[Traffic]

// Egress counts a packet that a socket sends.
//
//bpf:cgroup_skb/egress
func Egress(ctx *cgroup.SkbContext) cgroup.Verdict {
	s := ctx.Sk
	if s == nil {
		return cgroup.Allow
	}
	s = s.Full()
	if s == nil {
		return cgroup.Allow
	}
	if t := Sockets.GetOrCreate(s); t != nil {
		bpf.AtomicAdd(&t.Packets, 1)
		bpf.AtomicAdd(&t.Bytes, uint64(ctx.Len))
	}
	return cgroup.Allow
}
