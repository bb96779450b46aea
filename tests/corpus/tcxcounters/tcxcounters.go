// Package tcxcounters counts the packets of an interface in both directions, in
// two plain variables.
package tcxcounters

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// Received and Sent count packets. User space reads them where they are.
var Received, Sent uint64

// Ingress counts a packet that arrives.
//
//bpf:tcx/ingress
func Ingress(*tc.Context) tc.Action {
	bpf.AtomicAdd(&Received, 1)
	return tc.Next
}

// Egress counts a packet that leaves.
//
//bpf:tcx/egress
func Egress(*tc.Context) tc.Action {
	bpf.AtomicAdd(&Sent, 1)
	return tc.Next
}
