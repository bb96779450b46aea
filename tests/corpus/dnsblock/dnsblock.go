// Package dnsblock drops DNS queries for blocked domains and what is below them.
// Names are compared from the end, so that a domain is a prefix: a trie finds it.
package dnsblock

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// MaxName is the longest name in bytes that is looked at.
const MaxName = 64

// Domain is a name in lower case, the last byte first, with a dot at its end:
// "example.com" is "moc.elpmaxe." and 96 bits.
type Domain struct {
	Bits uint32
	Name [MaxName]byte
}

// Blocked holds the domains and how many queries for them were dropped.
var Blocked = bpf.LPMTrie[Domain, uint64]{MaxEntries: 1024}

// Malformed counts queries that make no sense.
var Malformed uint64

// header is a DNS header (RFC 1035 4.1.1).
type header struct {
	id, flags                               bpf.BE16
	questions, answers, authorities, extras bpf.BE16
}

const (
	headerLen = 12
	maxLabel  = 63
	response  = bpf.BE16(0x0080) // the flag QR, 0x8000
)

// Filter drops blocked queries.
//
//bpf:xdp
func Filter(ctx *xdp.Context) xdp.Action {
	b := ctx.Data()
	p := packet.Parse(b)
	if p.UDP == nil || p.UDP.DstPort != packet.Port(53) {
		return xdp.Pass
	}
	h := packet.At[header](b, p.L7)
	if h == nil || h.flags&response != 0 || h.questions == 0 {
		return xdp.Pass
	}
	// A copy of the question: when its place in the packet does not matter any
	// more, the verifier goes through what follows once, instead of once for
	// each kind of header before.
	var question, name [MaxName]byte
	start := p.L7 + headerLen
	if left := len(b) - start; left <= 0 || ctx.LoadBytes(start, question[:min(left, MaxName)]) != bpf.OK {
		return xdp.Pass
	}
	n := readName(&question, &name)
	if n == 0 {
		bpf.AtomicAdd(&Malformed, 1)
		return xdp.Pass
	}
	d := Domain{Bits: MaxName * 8}
	reverse(&d.Name, &name, n)
	if hits := Blocked.Lookup(d); hits != nil {
		bpf.AtomicAdd(hits, 1)
		return xdp.Drop
	}
	return xdp.Pass
}

// readName reads a name as text in lower case, with a dot behind each label. It
// returns its length; 0 if the name is malformed or too long.
func readName(question, name *[MaxName]byte) int {
	left := question[0] // of the label
	if left == 0 || left > maxLabel {
		return 0
	}
	for i, c := range question[1:] {
		if left > 0 {
			name[i] = lower(c)
			left--
			continue
		}
		name[i] = '.'
		if c == 0 {
			return i + 1
		}
		if c > maxLabel {
			return 0 // a pointer, which no question has
		}
		left = c
	}
	return 0
}

func lower(c uint8) uint8 {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// reverse stores the n bytes of a name the other way round. The dot behind it stays
// at the end, so that it separates a domain from what is below it.
func reverse(dst, src *[MaxName]byte, n int) {
	last := uint(n - 1)
	for i := range uint(MaxName) {
		if i >= last {
			dst[i] = '.'
			return
		}
		dst[i] = src[(last-1-i)%MaxName]
	}
}
