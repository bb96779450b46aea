package kern

import "github.com/waggle-bpf/waggle/bpf/trace"

// The bits of what Inspect returns, for the client; the server's are shifted by Server.
const (
	CanLeave = 1 << 0 // it can leave the map, or has left it
	Unread   = 1 << 2 // there is something to be read that came through TCP
	Waiting  = 1 << 4 // there is something to be read on the short cut
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
	late := ctx.Args[2] != 0
	var ends int32
	for side := range Server + 1 {
		c.Copied[side&1] = half(c.Sock[side&1], At.CopiedSeq)
		c.Inode[side&1] = inode(c.Sock[side&1])
		switch {
		case !c.inMap(side):
			ends |= CanLeave << side
		case !empty(c.Queue[side&1]):
			ends |= Waiting << side
		case late || c.quiet(side^1):
			ends |= CanLeave << side
		}
		if c.unread(side) {
			ends |= Unread << side
		}
	}
	return ends
}
