// Package ewma keeps a smoothed mean and deviation of packet lengths, as TCP
// does of round-trip times (RFC 6298), in signed arithmetic.
package ewma

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// State of one flow class.
type State struct{ Mean, Dev, Count int64 }

// States by mark.
var States = bpf.Array[State]{MaxEntries: 16}

//bpf:tc
func Prog(ctx *tc.Context) tc.Action {
	s := States.Lookup(ctx.Mark & 15)
	if s == nil {
		return tc.OK
	}
	x := int64(ctx.Len)
	if s.Count == 0 {
		s.Mean, s.Dev = x, x>>1
	} else {
		d := x - s.Mean
		s.Mean += d >> 3
		if d < 0 {
			d = -d
		}
		s.Dev += (d - s.Dev) >> 2
	}
	s.Count++
	if x > s.Mean+4*s.Dev {
		return tc.Drop
	}
	return tc.OK
}
