package kern

import "github.com/waggle-bpf/waggle/bpf/trace"

// Inspect is run by user space, not attached anywhere: it tells which ends of a
// connection can leave the map, or have left it, bit 1<<side for each. The arguments are the
// connection's place, its ID, and 1 if the last message has been put into the short
// cut so long ago that no thread can still be about to.
//
//bpf:raw_tracepoint sys_enter
func Inspect(ctx *trace.RawContext) int32 {
	c := Conns.Lookup(uint32(ctx.Args[0]))
	if c == nil || c.ID != ctx.Args[1] {
		return 0
	}
	var ends int32
	if c.removable(Client, ctx.Args[2] != 0) {
		ends |= 1 << Client
	}
	if c.removable(Server, ctx.Args[2] != 0) {
		ends |= 1 << Server
	}
	return ends
}

// removable tells whether nothing waits to be read from an end, and nothing will.
func (c *Conn) removable(side Side, quiet bool) bool {
	me, you := side&1, (side^1)&1
	if !c.inMap(me) {
		return true
	}
	if !empty(c.Queue[me]) {
		return false
	}
	d := &c.Direction[you]
	return quiet || d.Messages == 0 || !c.inMap(you) || half(c.Psock[you], At.Refcnt) == users-1
}
