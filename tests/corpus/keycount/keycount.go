// Package keycount counts packets by everything at once: a key that is a struct of
// structs, in tables of the kinds that keep a value for each CPU, with code that is
// written once for any key.
package keycount

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Key is what packets are counted by.
type Key struct {
	Ends  [2]End
	Proto packet.Proto
	VLAN  bool
	Size  Bucket
	_     uint8
}

// End is one end of a connection.
type End struct {
	Addr packet.Addr
	Port uint16
	_    [2]byte
}

// Bucket is a range of packet lengths.
type Bucket uint8

// The ranges.
const (
	Small  Bucket = iota // up to 127 bytes
	Medium               // up to 1023
	Large
)

// Count is what is counted.
type Count struct{ Packets, Bytes uint64 }

var (
	// ByKey counts by all that a key has.
	ByKey = bpf.PerCPUHash[Key, Count]{MaxEntries: 1024}
	// ByAddr counts by source.
	ByAddr = bpf.LRUPerCPUHash[packet.Addr, Count]{MaxEntries: 1024}
)

// table is what both kinds of maps can do.
type table[K comparable] interface {
	*bpf.PerCPUHash[K, Count] | *bpf.LRUPerCPUHash[K, Count]
	Lookup(K) *Count
	Update(K, Count, bpf.UpdateFlag) bpf.Errno
}

// add counts a packet of n bytes under a key.
func add[K comparable, T table[K]](t T, key K, n uint64) {
	if c := t.Lookup(key); c != nil {
		c.Packets++
		c.Bytes += n
		return
	}
	t.Update(key, Count{1, n}, bpf.NoExist)
}

// See counts a packet.
//
//bpf:xdp
func See(ctx *xdp.Context) xdp.Action {
	b := ctx.Data()
	p := packet.Parse(b)
	if !p.IsIP() {
		return xdp.Pass
	}
	n := uint64(len(b))
	key := Key{
		Ends:  [...]End{{Addr: p.Src(), Port: p.SrcPort()}, {Addr: p.Dst(), Port: p.DstPort()}},
		Proto: p.Proto,
		VLAN:  p.VLAN != nil,
	}
	switch {
	case n >= 1024:
		key.Size = Large
	case n >= 128:
		key.Size = Medium
	}
	add(&ByKey, key, n)
	add(&ByAddr, key.Ends[0].Addr, n)
	return xdp.Pass
}
