// Package siphash hashes the IPv4 addresses and the ports of a packet with
// SipHash-2-4.
package siphash

import (
	"math/bits"

	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Key of the hash.
//
//bpf:const
var Key = [2]uint64{0x0706050403020100, 0x0f0e0d0c0b0a0908}

// Sum is the last hash.
var Sum uint64

type state struct{ v0, v1, v2, v3 uint64 }

func (s *state) round() {
	s.v0 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 13) ^ s.v0
	s.v0 = bits.RotateLeft64(s.v0, 32)
	s.v2 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 16) ^ s.v2
	s.v0 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 21) ^ s.v0
	s.v2 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 17) ^ s.v2
	s.v2 = bits.RotateLeft64(s.v2, 32)
}

func (s *state) word(w uint64) {
	s.v3 ^= w
	s.round()
	s.round()
	s.v0 ^= w
}

func hash(a, b uint64) uint64 {
	s := state{
		Key[0] ^ 0x736f6d6570736575, Key[1] ^ 0x646f72616e646f6d,
		Key[0] ^ 0x6c7967656e657261, Key[1] ^ 0x7465646279746573,
	}
	s.word(a)
	s.word(b)
	s.word(16 << 56)
	s.v2 ^= 0xff
	for range 4 {
		s.round()
	}
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
}

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	b := ctx.Data()
	eth := packet.At[packet.Ethernet](b, 0)
	if eth == nil || eth.Type != packet.TypeIPv4 {
		return xdp.Pass
	}
	ip := packet.At[packet.IPv4](b, packet.EthernetLen)
	ports := packet.At[uint32](b, packet.EthernetLen+packet.IPv4Len)
	if ip == nil || ports == nil {
		return xdp.Pass
	}
	Sum = hash(uint64(ip.SrcIP)<<32|uint64(ip.DstIP), uint64(*ports))
	return xdp.Pass
}
