package packet_test

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

// referenceSum is RFC 1071's definition, on big-endian words.
func referenceSum(b []byte) uint16 {
	var s uint32
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		s += uint32(b[len(b)-1]) << 8
	}
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}

func TestSum(t *testing.T) {
	// The example of RFC 1071 3.
	b, _ := hex.DecodeString("0001f203f4f5f6f7")
	if got := packet.Finish(packet.Sum(b, 0)).Host(); got != ^uint16(0xddf2) {
		t.Errorf("RFC 1071 example: %#x", got)
	}
	for n := range 100 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		if got, want := packet.Finish(packet.Sum(b, 0)).Host(), referenceSum(b); got != want {
			t.Errorf("% x: %#x, want %#x", b, got, want)
		}
	}
}

func TestComputeChecksum(t *testing.T) {
	b, _ := hex.DecodeString("450000730000400040110000c0a80001c0a800c7")
	h := packet.At[packet.IPv4](b, 0)
	for _, old := range []bpf.BE16{0, 0x1234, 0xffff} {
		h.Checksum = old
		if got := h.ComputeChecksum().Host(); got != 0xb861 {
			t.Errorf("with %#x in the field: %#x, want 0xb861", old, got)
		}
	}
}

// Incremental updates agree with computing the whole checksum again.
func TestUpdateChecksum(t *testing.T) {
	for range 10000 {
		words := make([]byte, 20)
		for i := range words {
			words[i] = byte(rand.Uint32())
		}
		if rand.N(4) == 0 { // the corners of RFC 1624
			words[6], words[7] = 0xff, 0xff
		}
		sum := bpf.ToBE16(referenceSum(words))
		from16 := bpf.BE16(binary.NativeEndian.Uint16(words[6:]))
		from32 := bpf.BE32(binary.NativeEndian.Uint32(words[6:]))
		to := rand.Uint32()
		binary.NativeEndian.PutUint16(words[6:], uint16(to))
		if got, want := packet.UpdateChecksum(sum, from16, bpf.BE16(to)), bpf.ToBE16(referenceSum(words)); got != want {
			t.Fatalf("16 bits, %#x to %#x: %#x, want %#x", from16, to, got, want)
		}
		binary.NativeEndian.PutUint32(words[6:], to)
		if got, want := packet.UpdateChecksum32(sum, from32, bpf.BE32(to)), bpf.ToBE16(referenceSum(words)); got != want {
			t.Fatalf("32 bits, %#x to %#x: %#x, want %#x", from32, to, got, want)
		}
	}
	if got := packet.UpdateUDPChecksum(0, 1, 2); got != 0 {
		t.Errorf("a UDP packet without checksum got %#x", got)
	}
	if got := packet.UpdateUDPChecksum(0x0001, 1, 2); got != 0xffff {
		t.Errorf("a UDP checksum that comes out as 0: %#x", got)
	}
}

// Every packet that the builder makes sums up to 0, pseudo header included.
func TestBuilderChecksums(t *testing.T) {
	for _, in := range []bpftest.Packet{
		{Src: a4, Dst: b4, Payload: "odd"},
		{Src: a6, Dst: b6, Payload: "even"},
		{Src: a4, Dst: b4, Proto: packet.ProtoUDP, Payload: "odd"},
		{Src: a6, Dst: b6, Proto: packet.ProtoUDP, Payload: "even"},
		{Src: "10.0.0.1", Dst: "10.0.0.2", Proto: packet.ProtoICMP, ICMPType: 8, Payload: "x"},
		{Src: "fe80::1", Dst: "fe80::2", Proto: packet.ProtoICMPv6, ICMPType: 128, Payload: "x"},
	} {
		b := in.Bytes()
		p := packet.Parse(b)
		if p.IPv4 != nil && referenceSum(b[14:34]) != 0 {
			t.Errorf("%s %s: IPv4 header checksum", in.Src, p.Proto)
		}
		pseudo := pseudoHeader(&p, len(b)-p.L4)
		if p.Proto == packet.ProtoICMP {
			pseudo = nil
		}
		if s := referenceSum(append(pseudo, b[p.L4:]...)); s != 0 {
			t.Errorf("%s %s: transport checksum off by %#x", in.Src, p.Proto, s)
		}
	}
}

// pseudoHeader spells out RFC 9293 3.1 and RFC 8200 8.1.
func pseudoHeader(p *packet.Packet, n int) []byte {
	var b []byte
	if p.IPv4 != nil {
		src, dst := p.Src().Netip().As4(), p.Dst().Netip().As4()
		b = append(append(b, src[:]...), dst[:]...)
		b = append(b, 0, byte(p.Proto))
		return binary.BigEndian.AppendUint16(b, uint16(n))
	}
	src, dst := p.Src(), p.Dst()
	b = append(append(b, src[:]...), dst[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	return append(b, 0, 0, 0, byte(p.Proto))
}
