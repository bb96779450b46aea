// Package xdp is for programs that see packets first: in the network driver,
// before the kernel has made a socket buffer of them.
//
//	//bpf:xdp
//	func Drop(ctx *xdp.Context) xdp.Action {
//		if packet.Parse(ctx.Data()).IsUDP() {
//			return xdp.Drop
//		}
//		return xdp.Pass
//	}
//
// A program that faults returns Pass.
package xdp

// Action is a program's verdict on a packet.
type Action int32

// The verdicts; XDP_* in include/uapi/linux/bpf.h.
const (
	Aborted  Action = 0 // drop, and report an error to the tracepoint xdp:xdp_exception
	Drop     Action = 1 // drop
	Pass     Action = 2 // go on into the network stack
	TX       Action = 3 // send back out of the interface it came from
	Redirect Action = 4 // send where a redirect helper said
)

var actionNames = [...]string{"Aborted", "Drop", "Pass", "TX", "Redirect"}

// String names the verdict. It exists outside the kernel only.
func (a Action) String() string {
	if a < 0 || int(a) >= len(actionNames) {
		return "unknown action"
	}
	return actionNames[a]
}
