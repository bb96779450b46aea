// Package closures: function values cost nothing, because each is known.
package closures

import "github.com/waggle-bpf/waggle/bpf/xdp"

var in, out int64

func twice(f func()) {
	f()
	f()
}

//bpf:xdp
func Captured(*xdp.Context) xdp.Action { // bpf-func: -`call` -`r10`
	sum := int64(0)
	twice(func() { sum += in })
	out = sum
	return xdp.Pass
}

// even yields the even numbers below n.
func even(n int64) func(yield func(int64) bool) {
	return func(yield func(int64) bool) {
		for i := int64(0); i < n; i += 2 {
			if !yield(i) {
				return
			}
		}
	}
}

//bpf:xdp
func Iterator(*xdp.Context) xdp.Action { // bpf-func: -`call` -`r10`
	for x := range even(8) {
		if x > in {
			break
		}
		out += x
	}
	return xdp.Pass
}
