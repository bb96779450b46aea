// Package narrow: no store of a part of a stack word looks like a spill to the
// verifier where an array is also written at unknown places.
package narrow

import "github.com/waggle-bpf/waggle/bpf/xdp"

var in struct {
	a    [5]uint32
	i, v uint32
}

var out [5]uint32

//bpf:xdp
func Variable(*xdp.Context) xdp.Action { // bpf-func: `= -r`
	a := in.a
	a[in.i%5] = in.v
	out = a
	return xdp.Pass
}

//bpf:noinline
func far(a *[5]uint32, i uint32) {
	a[i%5] = in.v // bpf: 2`= -r`
}

//bpf:xdp
func Passed(*xdp.Context) xdp.Action {
	a := in.a // bpf: 6`= -r`
	far(&a, in.i)
	out = a
	return xdp.Pass
}

//bpf:noinline
func fill(a *[5]uint32) {
	a[2] = in.v // bpf: -`= -r`
}

//bpf:xdp
func Known(*xdp.Context) xdp.Action { // bpf-func: -`= -r`
	a := in.a
	a[3] = in.v
	fill(&a)
	out = a
	return xdp.Pass
}
