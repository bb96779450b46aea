package tc

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// RedirectFlag says which way a redirected packet takes.
type RedirectFlag uint64

// The directions of a redirect.
const (
	Egress  RedirectFlag = 0      // out through the interface
	Ingress RedirectFlag = 1 << 0 // as if it had arrived on the interface
)

// Redirect sends the packet to the interface instead: return its result, which
// is Redirect, or Drop if the flags are wrong.
//
//bpf:helper redirect(ifindex, flags)
func (c *Context) Redirect(ifindex uint32, flags RedirectFlag) Action {
	return Action(c.redirect("redirect", ifindex, uint64(flags)))
}

// RedirectPeer sends the packet to the other end of the veth pair that the
// interface is part of, as if it had arrived there. It works on ingress only.
// Return its result. Needs Linux 5.10.
//
//bpf:helper redirect_peer(ifindex, 0)
func (c *Context) RedirectPeer(ifindex uint32) Action {
	return Action(c.redirect("redirect_peer", ifindex, 0))
}

// RedirectNeigh sends the packet out of the interface to the next hop that the
// kernel's routing and neighbour tables give, filling in the Ethernet
// addresses. Return its result. Needs Linux 5.10.
//
//bpf:helper redirect_neigh(ifindex, 0, 0, 0)
func (c *Context) RedirectNeigh(ifindex uint32) Action {
	return Action(c.redirect("redirect_neigh", ifindex, 0))
}

// RedirectVia is RedirectNeigh with a next hop from the program.
//
//bpf:helper redirect_neigh(ifindex, next, sizeof(next), 0)
func (c *Context) RedirectVia(ifindex uint32, next *Neigh) Action {
	return Action(c.redirect("redirect_neigh", ifindex, 0))
}

// CloneRedirect sends a copy of the packet to the interface. Pointers into the
// packet are invalid afterwards.
//
//bpf:helper clone_redirect(c, ifindex, flags)
func (c *Context) CloneRedirect(ifindex uint32, flags RedirectFlag) bpf.Errno {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.CloneRedirect")
	return bpf.Errno(p.Clone(ifindex, uint64(flags)))
}

// FIBLookup asks the kernel's routing tables where the packet described by q
// goes, and fills in the answer.
//
//bpf:helper fib_lookup(c, q, sizeof(q), flags)
func (c *Context) FIBLookup(q *sk.FIBLookup, flags sk.FIBFlag) sk.FIBResult {
	return sk.FIBResult(sim.Current("tc.Context.FIBLookup").FIBLookup(unsafe.Pointer(q)))
}

// Assign makes the kernel deliver the packet to socket s, which sk.FindTCP or
// sk.FindUDP returned. It works on ingress only. Needs Linux 5.7.
//
//bpf:helper sk_assign(c, s, 0)
func (c *Context) Assign(s *sk.Sock) bpf.Errno {
	sim.Current("tc.Context.Assign")
	c.Sk = s
	return bpf.OK
}

// redirect notes where the packet goes. Only native bodies call it.
func (c *Context) redirect(helper string, ifindex uint32, flags uint64) int32 {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.Redirect")
	p.Redirect = sim.Redirect{Helper: helper, IfIndex: ifindex, Flags: flags}
	return int32(Redirect)
}
