// Package state keeps constants, variables and maps of every kind that user space
// reads and writes while programs run.
package state

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/cgroup"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// Limits is a constant that is a struct.
type Limits struct {
	Low, High uint32
}

// Settings of a program, set before it is loaded.
//
//bpf:const
var (
	Factor uint64 = 2
	Bounds        = Limits{Low: 10, High: 20}
)

// Variables of each size.
var (
	Input   uint64 = 7
	Output  uint64
	Enabled bool = true
	Totals  [3]uint16
	Last    Limits
)

// Scale computes Output from Input and the constants, and notes that in Totals.
//
//bpf:tc
func Scale(*tc.Context) tc.Action {
	if !Enabled {
		Totals[2]++
		return tc.Drop
	}
	Output = max(uint64(Bounds.Low), min(Input*Factor, uint64(Bounds.High)))
	Last = Limits{uint32(Input), uint32(Output)}
	Totals[0]++
	return tc.OK
}

// Flow is a key with fields of several sizes.
type Flow struct {
	Src, Dst uint32
	Port     uint16
	Proto    uint8
	Outgoing bool
}

// Usage is a value.
type Usage struct {
	Packets uint64
	Bytes   uint32
	Kind    int8
	Seen    [3]bool
}

// Maps of several kinds.
var (
	Flows  = bpf.Hash[Flow, Usage]{MaxEntries: 64}
	Recent = bpf.LRUHash[uint32, [2]uint16]{MaxEntries: 64}
	PerCPU = bpf.PerCPUArray[Usage]{MaxEntries: 2}
	Table  = bpf.Array[int32]{MaxEntries: 8}
)

// Store writes to all maps; what depends on Input.
//
//bpf:tc
func Store(ctx *tc.Context) tc.Action {
	n := uint32(Input)
	f := Flow{Src: n, Dst: ^n, Port: uint16(n), Proto: 6, Outgoing: n&1 != 0}
	if u := Flows.Lookup(f); u != nil {
		u.Packets++
		u.Seen[2] = true
	} else {
		Flows.Update(f, Usage{Packets: 1, Bytes: ctx.Len, Kind: -3, Seen: [3]bool{1: true}}, bpf.NoExist)
	}
	Recent.Update(n, [2]uint16{uint16(n), 0xabcd}, bpf.Any)
	if u := PerCPU.Lookup(1); u != nil {
		u.Packets++
		u.Bytes += ctx.Len
	}
	if v := Table.Lookup(n & 7); v != nil {
		*v -= int32(n)
	}
	return tc.OK
}

// Account is guarded by a lock.
type Account struct {
	Lock        bpf.SpinLock
	Deposits    uint32
	Left, Right int64
}

// Accounts holds one Account.
var Accounts = bpf.Array[Account]{MaxEntries: 1}

// Transfer moves 1 from one side of the account to the other.
//
//bpf:tc
func Transfer(*tc.Context) tc.Action {
	a := Accounts.Lookup(0)
	if a == nil {
		return tc.Drop
	}
	a.Lock.Lock()
	a.Deposits++
	a.Left--
	a.Right++
	a.Lock.Unlock()
	return tc.OK
}

// Sockets counts what each socket of a cgroup sends.
var Sockets bpf.SkStorage[Usage]

// Egress counts a packet with its socket, and the total in Totals.
//
//bpf:cgroup_skb/egress
func Egress(ctx *cgroup.SkbContext) cgroup.Verdict {
	if ctx.Sk == nil {
		return cgroup.Allow
	}
	s := ctx.Sk.Full()
	if s == nil {
		return cgroup.Allow
	}
	if u := Sockets.GetOrCreate(s); u != nil {
		u.Packets++
		Last = Limits{Low: uint32(u.Packets)}
	}
	return cgroup.Allow
}
