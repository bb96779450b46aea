package p

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

var (
	hash  = bpf.Hash[uint32, uint64]{MaxEntries: 1}
	other = (bpf.Hash[uint32, uint64]{MaxEntries: 1})
)

//bpf:const
var config struct {
	level int32
	ports [4]uint16
}

type wrap struct{ m bpf.Hash[uint32, uint64] }

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	hash.Lookup(1)
	(&other).Lookup(2)
	p := &hash
	p.Lookup(3)
	m := hash    // want "map in a local variable.*W1011"
	m.Lookup(4)  // want "map that is not a package variable.*W1011"
	hash = other // want "copy of a map.*W1011"
	byValue(*p)  // want "copy of a map.*W1011"
	var w wrap
	w.m.Lookup(5)                                     // want "map that is not a package variable.*W1011"
	lit := (&bpf.Hash[uint32, uint64]{MaxEntries: 1}) // want "map that is not a package variable.*W1011"
	lit.Lookup(6)
	_ = hash.MaxEntries + (other).MaxEntries
	hash.MaxEntries = 3          // want "field MaxEntries of a map.*W1011"
	hash.MaxEntries++            // want "field MaxEntries of a map.*W1011"
	q := &hash.Flags             // want "field Flags of a map.*W1011"
	_, _ = q, p.MaxEntries       // want "field MaxEntries of a map.*W1011"
	_ = wrapped{p}.MaxEntries    // want "field MaxEntries of a map.*W1011"
	for hash.Pin = range yield { // want "field Pin of a map.*W1011"
	}
	return xdp.Pass
}

type wrapped struct{ *bpf.Hash[uint32, uint64] }

func yield(func(bool) bool) {}

func byValue(m bpf.Hash[uint32, uint64]) {} // want "map in a local variable.*W1011"
