// Package link makes bad wires: two network namespaces joined by a link that loses,
// repeats, reorders and delays packets, as netem does, but in user space, for kernels
// that have no netem.
//
//	l := link.New(t, a, b, 1, link.Bad)
//	... traffic between l.A.V4 and l.B.V4 ...
//	t.Log(l.Stats())
//
// The ends are TAP devices, so a tc or XDP program sees Ethernet frames there as it
// does at a network card without offloads: none is larger than the MTU, all have
// their checksums. What happens to a packet is drawn from a seed and depends on
// nothing but the packet's number.
package link
