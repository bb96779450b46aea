package p

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf/xdp"
)

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	var x [4]int32
	p := unsafe.Pointer(&x)
	n := uintptr(p)                   // want "address made an integer.*W0701"
	q := unsafe.Pointer(n)            // want "integer made an address.*W0701"
	r := unsafe.Add(p, 4)             // want "unsafe.Add.*W0701"
	s := unsafe.Slice((*int32)(p), 4) // want "unsafe.Slice.*W0701"
	t := unsafe.SliceData(s)          // want "unsafe.SliceData.*W0701"
	_, _, _ = q, r, t
	return xdp.Action(unsafe.Alignof(x) + unsafe.Sizeof(*(*[4]uint32)(p)))
}
