// Package fold: what the optimiser computes itself.
package fold

import "github.com/waggle-bpf/waggle/bpf/xdp"

var in, out struct{ A, B, C uint64 }

var narrow struct{ A, B uint8 }

//bpf:xdp
func Arith(*xdp.Context) xdp.Action {
	out.A = in.A * 8    // bpf: `<<= 3` -`\*=`
	out.B = in.B / 16   // bpf: `>>= 4` -`/=`
	out.C = in.C % 32   // bpf: `&= 31` -`%=`
	out.A = in.A*2 + 0  // bpf: -`\+=`
	out.B = 6 * 7       // bpf: `= 42$`
	out.C = in.A ^ in.A // bpf: `= 0$` -`\^=`
	return xdp.Pass
}

//bpf:xdp
func Narrow(*xdp.Context) xdp.Action { // bpf-func: -`&= 255`
	// The store takes the low byte: no mask is needed.
	narrow.A = narrow.A + narrow.B
	return xdp.Pass
}

//bpf:xdp
func Common(*xdp.Context) xdp.Action { // bpf-func: 1`\*= r`
	x := in.A * in.B
	y := in.A * in.B
	out.A, out.B = x, y
	return xdp.Pass
}
