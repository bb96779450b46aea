// Package dhcprelay passes DHCP requests of clients on to a server in another
// network (RFC 1542), and tells it with option 82 (RFC 3046) which VLAN they came
// from. Room for the option is made at the front, so all headers move.
package dhcprelay

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Relay and Server are the addresses of this machine and of the DHCP server.
// Settable before load.
//
//bpf:const
var Relay, Server bpf.BE32

// Relayed counts requests.
var Relayed uint64

const (
	serverPort  = 67
	maxHops     = 16
	bootRequest = 1
	magicCookie = 0x63825363
	optRelay    = 82 // relay agent information
	optCircuit  = 1  // its part: which circuit
)

// dhcp is the fixed part of a DHCP message (RFC 2131).
type dhcp struct {
	op, htype, hlen, hops  uint8
	xid                    bpf.BE32
	secs, flags            bpf.BE16
	client, your, next, gw bpf.BE32
	hardware               [16]byte
	server                 [64]byte
	file                   [128]byte
	cookie                 bpf.BE32
}

// option is option 82 with a VLAN.
type option struct {
	code, size       uint8
	subcode, subsize uint8
	vlan             bpf.BE16
}

// Offsets in a request that is relayed: tagged, without IP options.
const (
	optionLen  = 6
	vlanEnd    = packet.EthernetLen + packet.VLANLen
	ipEnd      = vlanEnd + packet.IPv4Len
	udpEnd     = ipEnd + packet.UDPLen
	dhcpLen    = 240
	headersLen = udpEnd + dhcpLen
)

// Request relays a request.
//
//bpf:xdp
func Request(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if p.VLAN == nil || p.IPv4 == nil || p.UDP == nil || p.L7 != udpEnd || p.UDP.DstPort != packet.Port(serverPort) {
		return xdp.Pass
	}
	msg := packet.At[dhcp](ctx.Data(), udpEnd)
	if msg == nil || msg.op != bootRequest || msg.hops >= maxHops || msg.cookie != bpf.ToBE32(magicCookie) {
		return xdp.Pass
	}
	vlan := p.VLAN.ID()
	if ctx.AdjustHead(-optionLen) != bpf.OK {
		return xdp.Aborted
	}
	b := ctx.Data()
	if len(b) < headersLen+optionLen {
		return xdp.Aborted
	}
	copy(b[:headersLen], b[optionLen:headersLen+optionLen])
	o := packet.At[option](b, headersLen)
	if o == nil || !relay(b) {
		return xdp.Aborted
	}
	*o = option{code: optRelay, size: optionLen - 2, subcode: optCircuit, subsize: 2, vlan: bpf.ToBE16(vlan)}
	bpf.AtomicAdd(&Relayed, 1)
	return xdp.Pass
}

// relay addresses a request to the server. It reports false if b is too short.
func relay(b packet.Bytes) bool {
	ip := packet.At[packet.IPv4](b, vlanEnd)
	udp := packet.At[packet.UDP](b, ipEnd)
	msg := packet.At[dhcp](b, udpEnd)
	if ip == nil || udp == nil || msg == nil {
		return false
	}
	ip.TotalLen = bpf.ToBE16(ip.TotalLen.Host() + optionLen)
	ip.SrcIP, ip.DstIP = Relay, Server
	ip.Checksum = ip.ComputeChecksum()
	udp.Len = bpf.ToBE16(udp.Len.Host() + optionLen)
	udp.Checksum = 0 // none
	msg.hops++
	if msg.gw == 0 {
		msg.gw = Relay
	}
	return true
}
