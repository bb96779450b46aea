package kern

import "github.com/waggle-bpf/waggle/bpf/trace"

// The bits of what Inspect returns, for the client; the server's are shifted by Server.
const (
	CanLeave = 1 << 0 // it can leave the map, or has left it
	Unread   = 1 << 2 // there is something to be read that came through TCP
)

// Inspect is run by user space, not attached anywhere: it looks at the ends of a
// connection. The arguments are the connection's place, its ID, and 1 if the last
// message has been put into the short cut so long ago that no thread can still be
// about to.
//
//bpf:raw_tracepoint sys_enter
func Inspect(ctx *trace.RawContext) int32 {
	c := Conns.Lookup(uint32(ctx.Args[0]))
	if c == nil || c.ID != ctx.Args[1] {
		return 0
	}
	var ends int32
	for side := range Server + 1 {
		if c.removable(side, ctx.Args[2] != 0) {
			ends |= CanLeave << side
		}
		if half(c.Sock[side&1], At.CopiedSeq) != half(c.Sock[(side^1)&1], At.WriteSeq) {
			ends |= Unread << side
		}
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
