// Package packet reads network headers where they lie. It works on both sides:
// in kernel programs on the packet itself, in user space on captured bytes.
//
// A header is a struct of the protocol's exact layout, viewed through a pointer
// into the packet that At returns; nothing is copied, and writing through the
// pointer changes the packet. Numbers have the types bpf.BE16 and bpf.BE32,
// because they lie in network byte order.
//
//	eth := packet.At[packet.Ethernet](b, 0)
//	if eth == nil || eth.Type != packet.TypeIPv4 {
//		return xdp.Pass
//	}
//
// Parse walks from the Ethernet header to the payload, through VLAN tags, IPv4
// options and IPv6 extension headers, and notes what it finds:
//
//	p := packet.Parse(ctx.Data())
//	if p.TCP != nil && p.TCP.DstPort == packet.Port(80) && p.Payload.HasPrefix("GET ") {
//		log(p.Src())
//	}
//
// Whatever is missing, too short or malformed leaves its field nil; no input
// makes Parse fault. The pointers are good until the packet is moved or resized.
package packet
