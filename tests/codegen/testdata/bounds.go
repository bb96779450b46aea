// Package bounds: loops compare what they are bounded by with their count, not the
// other way round.
package bounds

import "github.com/waggle-bpf/waggle/bpf/xdp"

var in struct {
	n    uint8
	a, b [21]uint16
}

var out struct {
	r    [21]uint16
	last uint16
}

func swaps(n uint8, a, b [21]uint16) ([21]uint16, uint16) {
	x, y := a, b
	last := uint16(0)
	for range n & 7 {
		x, y = y, x
		last = first(y)
	}
	return x, last
}

func first(w [21]uint16) uint16 { return w[0] ^ w[20] }

//bpf:xdp
func Full(*xdp.Context) xdp.Action { // bpf-func: `if w\d <= w\d`
	out.r, out.last = swaps(in.n, in.a, in.b)
	return xdp.Pass
}
