// Package pktloop finds packets that go round in circles between interfaces: what
// comes back with the same sender and contents soon after it was sent is dropped,
// and the kernel function that forgets a route resets everything.
package pktloop

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// Window is how long a packet is remembered, in ns. Settable before load.
//
//bpf:const
var Window uint64 = 1_000_000_000

// Epoch changes when everything that was remembered stops to count.
var Epoch uint64

// print is what tells packets apart.
type print struct {
	MAC  packet.MAC
	Type bpf.BE16
	Hash uint64 // of the first bytes
}

// memory is a packet that was sent.
type memory struct {
	Sent  uint64
	Epoch uint64
	Seen  uint32 // how often it came back
	_     [4]byte
}

// Sent holds the packets that were sent.
var Sent = bpf.LRUHash[print, memory]{MaxEntries: 4096}

// Dropped counts packets that came back.
var Dropped uint64

// printOf makes the print of a packet.
func printOf(b packet.Bytes) (f print, ok bool) {
	eth := packet.At[packet.Ethernet](b, 0)
	if eth == nil {
		return f, false
	}
	f = print{MAC: eth.Src, Type: eth.Type, Hash: 14695981039346656037}
	const chunk, chunks = 8, 6
	for i := range chunks {
		w := packet.At[uint64](b, packet.EthernetLen+i*chunk)
		if w == nil {
			break
		}
		f.Hash = (f.Hash ^ *w) * 1099511628211
	}
	return f, true
}

// Egress remembers what leaves.
//
//bpf:tc
func Egress(ctx *tc.Context) tc.Action {
	if f, ok := printOf(ctx.Data()); ok {
		Sent.Update(f, memory{Sent: bpf.KtimeGetNS(), Epoch: Epoch}, bpf.Any)
	}
	return tc.Next
}

// Ingress drops what comes back.
//
//bpf:tc
func Ingress(ctx *tc.Context) tc.Action {
	f, ok := printOf(ctx.Data())
	if !ok {
		return tc.Next
	}
	m := Sent.Lookup(f)
	if m == nil || m.Epoch != Epoch || bpf.KtimeGetNS()-m.Sent > Window {
		return tc.Next
	}
	bpf.AtomicAdd(&m.Seen, 1)
	bpf.AtomicAdd(&Dropped, 1)
	return tc.Drop
}

// Flush forgets everything when the kernel forgets its routes.
//
//bpf:kprobe rt_cache_flush
func Flush(*trace.Regs) int32 {
	bpf.AtomicAdd(&Epoch, 1)
	return 0
}
