// Package tc attaches BPF programs as filters of clsact queueing disciplines,
// the way in which kernels before 6.6 attach tc programs, through
// rtnetlink(7). A filter is not bound to a process: it stays until somebody
// removes it. For that its name says who made it, see [RemoveStale].
//
// Structures and constants are those of include/uapi/linux/rtnetlink.h and
// pkt_sched.h, pkt_cls.h there.
package tc

// Parent is the place of a filter in its queueing discipline: the direction.
type Parent uint32

// The directions of a clsact queueing discipline: TC_H_MAKE(TC_H_CLSACT,
// TC_H_MIN_INGRESS) and TC_H_MIN_EGRESS.
const (
	Ingress Parent = 0xfffffff2
	Egress  Parent = 0xfffffff3
)

// Options say what to attach and where.
type Options struct {
	Interface int // its index
	Parent    Parent
	FD        int // the program's
	Program   string
}
