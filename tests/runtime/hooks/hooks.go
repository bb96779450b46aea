// Package hooks has programs of several kinds in one object, and a chain of tail
// calls.
package hooks

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/cgroup"
	"github.com/waggle-bpf/waggle/bpf/tc"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Indexes into Runs.
const (
	RunXDP = iota
	RunTC
	RunCgroup
	RunFirst
	RunSecond
	NumRuns
)

// Runs counts the runs of each program.
var Runs = bpf.PerCPUArray[uint64]{MaxEntries: NumRuns}

func ran(i uint32) {
	if n := Runs.Lookup(i); n != nil {
		bpf.AtomicAdd(n, 1)
	}
}

//bpf:xdp
func OnXDP(*xdp.Context) xdp.Action {
	ran(RunXDP)
	return xdp.Pass
}

//bpf:tcx/ingress
func OnTC(*tc.Context) tc.Action {
	ran(RunTC)
	return tc.OK
}

//bpf:cgroup_skb/egress
func OnCgroup(*cgroup.SkbContext) cgroup.Verdict {
	ran(RunCgroup)
	return cgroup.Allow
}

// Next holds what follows a program of the chain.
var Next = bpf.ProgArray{MaxEntries: 2}

// First leaves for the program at 0; without one it drops.
//
//bpf:xdp
func First(ctx *xdp.Context) xdp.Action {
	ran(RunFirst)
	Next.TailCall(ctx, 0)
	return xdp.Drop
}

// Second goes on with itself, if it is at 1, until the kernel stops it.
//
//bpf:xdp
func Second(ctx *xdp.Context) xdp.Action {
	ran(RunSecond)
	Next.TailCall(ctx, 1)
	return xdp.TX
}
