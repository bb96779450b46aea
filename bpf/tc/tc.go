// Package tc is for programs on a network interface's traffic in either
// direction, behind the kernel's packet reception and before its transmission.
//
//	//bpf:tcx/ingress
//	func Guard(ctx *tc.Context) tc.Action {
//		if ctx.Mark == 0xdead {
//			return tc.Drop
//		}
//		return tc.Next
//	}
//
// The directive tc is for the older attachment as a classifier of a clsact
// queueing discipline, tcx/ingress and tcx/egress for links of Linux 6.6. A
// program that faults returns Next.
package tc

// Action is a program's verdict on a packet.
type Action int32

// The verdicts; TC_ACT_* in include/uapi/linux/pkt_cls.h. Links (tcx) know Next,
// OK, Drop and Redirect; they treat any other as Next.
const (
	Next       Action = -1 // leave it to the next program, or let it pass
	OK         Action = 0  // let it pass, without asking further programs
	Reclassify Action = 1  // start over
	Drop       Action = 2  // drop it
	Pipe       Action = 3  // go on with the next action
	Stolen     Action = 4  // the program has taken it
	Queued     Action = 5
	Repeat     Action = 6
	Redirect   Action = 7 // send where a redirect helper said
	Trap       Action = 8
)

var actionNames = [...]string{
	"Next", "OK", "Reclassify", "Drop", "Pipe", "Stolen", "Queued", "Repeat", "Redirect", "Trap",
}

// String names the verdict. It exists outside the kernel only.
func (a Action) String() string {
	if i := int(a) + 1; i >= 0 && i < len(actionNames) {
		return actionNames[i]
	}
	return "unknown action"
}
