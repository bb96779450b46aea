package xdp

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// Redirect sends the packet out of another interface. Return its result, which
// is Redirect. RedirectMap is faster, because it sends in batches.
//
//bpf:helper redirect(ifindex, 0)
func (c *Context) Redirect(ifindex uint32) Action {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "xdp.Context.Redirect")
	p.Redirect = sim.Redirect{Helper: "redirect", IfIndex: ifindex}
	return Redirect
}

// Targets is the set of maps that XDP programs redirect through.
type Targets interface {
	bpf.DevMap | bpf.DevMapHash | bpf.CPUMap | bpf.XSKMap
}

// RedirectMap sends the packet to the device, CPU or AF_XDP socket at key of m.
// Return its result: Redirect, or miss if m has no such entry.
//
//bpf:helper redirect_map(m, key, miss)
func RedirectMap[M Targets](c *Context, m *M, key uint32, miss Action) Action {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "xdp.RedirectMap")
	s := sim.Open[uint32](unsafe.Pointer(m), "xdp.RedirectMap", sim.Refs, sim.Unbounded)
	target := s.Ref(sim.IndexKey(key))
	if target == nil {
		return miss
	}
	p.Redirect = sim.Redirect{Helper: "redirect_map", Target: target}
	return Redirect
}
