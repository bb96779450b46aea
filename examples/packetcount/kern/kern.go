// Package kern is the kernel half of packetcount: it counts the packets of an
// interface by direction and protocol.
package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// Direction is a packet's way, seen from the interface.
type Direction uint32

// The directions.
const (
	In Direction = iota
	Out
)

// String names the direction. Only user space calls it: functions that no program
// reaches may use all of Go.
func (d Direction) String() string { return [...]string{"in", "out"}[d] }

// Counter is one CPU's count.
type Counter struct {
	Packets uint64
	Bytes   uint64 // headers included
}

// Counters has a Counter for each Slot, one per CPU. Each CPU writes to its own
// only, so counting takes no atomics and no CPU waits for another.
var Counters = bpf.PerCPUArray[Counter]{MaxEntries: 512}

// NoIP is what packets count as that are no IP packets. The number is reserved.
const NoIP packet.Proto = 255

// Slot is where packets of a direction and protocol are counted. Both halves
// call it.
func Slot(d Direction, proto packet.Proto) uint32 { return uint32(d)<<8 | uint32(proto) }

// CountIn counts packets that arrive.
//
//bpf:tc
func CountIn(ctx *tc.Context) tc.Action { return count(ctx, In) }

// CountOut counts packets that leave.
//
//bpf:tc
func CountOut(ctx *tc.Context) tc.Action { return count(ctx, Out) }

func count(ctx *tc.Context, d Direction) tc.Action {
	p := packet.Parse(ctx.Data())
	proto := NoIP
	if p.IsIP() {
		proto = p.Proto
	}
	if c := Counters.Lookup(Slot(d, proto)); c != nil {
		c.Packets++
		c.Bytes += uint64(ctx.Len)
	}
	return tc.Next
}
