// Package cgroup is for programs on what the processes of a cgroup do with
// sockets: their packets (cgroup_skb), creating and binding sockets, and the
// addresses they bind, connect and send to.
//
//	//bpf:cgroup/connect4
//	func NoMail(ctx *cgroup.SockAddrContext) cgroup.Verdict {
//		if ctx.Port() == 25 {
//			return cgroup.Deny
//		}
//		return cgroup.Allow
//	}
//
// A program that faults returns Allow.
package cgroup

// Verdict is what the programs return.
type Verdict int32

// The verdicts.
const (
	Deny  Verdict = 0 // drop the packet; the system call fails with EPERM
	Allow Verdict = 1
)

// String names the verdict. It exists outside the kernel only.
func (v Verdict) String() string {
	switch v {
	case Deny:
		return "Deny"
	case Allow:
		return "Allow"
	}
	return "unknown verdict"
}
