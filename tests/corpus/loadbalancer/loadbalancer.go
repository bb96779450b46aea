// Package loadbalancer spreads the TCP and UDP connections to one address over
// several machines on the same wire. Each connection is hashed to a place on a ring
// of backends, so that it stays with its backend while others come and go.
package loadbalancer

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// RingSize is the number of places on the ring.
const RingSize = 1024

// Service is the address that clients use. Settable before load.
//
//bpf:const
var Service struct {
	IP   bpf.BE32
	Port bpf.BE16
}

// Backend is one machine.
type Backend struct {
	IP      bpf.BE32
	MAC     packet.MAC
	_       [2]byte
	Packets uint64
}

// Backends holds the machines.
var Backends = bpf.Array[Backend]{MaxEntries: 64}

// Ring holds an index into Backends for each place.
var Ring = bpf.Array[uint32]{MaxEntries: RingSize}

// flow identifies a connection.
type flow struct {
	srcIP, dstIP     bpf.BE32
	srcPort, dstPort bpf.BE16
	proto            packet.Proto
	_                [3]byte
}

// hash is FNV-1a.
func (f *flow) hash() uint32 {
	h := uint32(2166136261)
	for _, c := range (*[unsafe.Sizeof(flow{})]byte)(unsafe.Pointer(f)) {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

// Balance sends a packet to its backend.
//
//bpf:xdp
func Balance(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if p.IPv4 == nil || p.Fragment || p.IPv4.DstIP != Service.IP || p.IPv4.HeaderLen() != packet.IPv4Len {
		return xdp.Pass
	}
	f := flow{srcIP: p.IPv4.SrcIP, dstIP: p.IPv4.DstIP, proto: p.Proto}
	switch {
	case p.TCP != nil:
		f.srcPort, f.dstPort = p.TCP.SrcPort, p.TCP.DstPort
	case p.UDP != nil:
		f.srcPort, f.dstPort = p.UDP.SrcPort, p.UDP.DstPort
	default:
		return xdp.Pass
	}
	if f.dstPort != Service.Port {
		return xdp.Pass
	}
	backend := choose(&f)
	if backend == nil {
		return xdp.Drop
	}
	bpf.AtomicAdd(&backend.Packets, 1)
	send(&p, backend)
	return xdp.TX
}

// choose returns the backend of a connection; nil if there is none.
func choose(f *flow) *Backend {
	index := Ring.Lookup(f.hash() % RingSize)
	if index == nil {
		return nil
	}
	b := Backends.Lookup(*index)
	if b == nil || b.IP == 0 {
		return nil
	}
	return b
}

// send addresses a packet to a backend.
func send(p *packet.Packet, to *Backend) {
	from := p.IPv4.DstIP
	p.IPv4.DstIP = to.IP
	p.IPv4.Checksum = p.IPv4.ComputeChecksum()
	switch {
	case p.TCP != nil:
		p.TCP.Checksum = packet.UpdateChecksum32(p.TCP.Checksum, from, to.IP)
	case p.UDP != nil && p.UDP.Checksum != 0:
		p.UDP.Checksum = packet.UpdateChecksum32(p.UDP.Checksum, from, to.IP)
	}
	p.Eth.Src, p.Eth.Dst = p.Eth.Dst, to.MAC
}
