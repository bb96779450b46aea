// Package nat64 translates between IPv6 and IPv4 (RFC 6146 in small): hosts that
// have IPv6 only reach IPv4 hosts at addresses that begin with a prefix of 96 bits
// and end in the IPv4 address. Each of them borrows an IPv4 address from a pool.
// TCP and UDP are translated, fragments and options are not.
package nat64

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// Prefix are the first 96 bits of the addresses that are translated. Settable
// before load.
//
//bpf:const
var Prefix = [3]bpf.BE32{0x9bff6400} // 64:ff9b::/96 in network byte order, RFC 6052

var (
	// Allowed holds the networks that may borrow an address; what it maps to
	// does not matter.
	Allowed = bpf.LPMTrie[packet.Prefix, uint8]{MaxEntries: 128}
	// Pool holds the addresses that nobody has borrowed.
	Pool = bpf.Queue[bpf.BE32]{MaxEntries: 1024}
	// Lent holds who has which address.
	Lent = bpf.Hash[packet.Addr, bpf.BE32]{MaxEntries: 1024}
	// Owners is Lent the other way round.
	Owners = bpf.Hash[bpf.BE32, packet.Addr]{MaxEntries: 1024}
)

// What happened to packets.
var (
	Translated uint64
	Refused    uint64 // from hosts that are not allowed, or the pool is empty
)

const (
	l3       = packet.EthernetLen
	l4After6 = l3 + packet.IPv6Len
	l4After4 = l3 + packet.IPv4Len
)

// To4 translates what leaves for the prefix.
//
//bpf:tc
func To4(ctx *tc.Context) tc.Action {
	p := packet.Parse(ctx.Data())
	if p.IPv6 == nil || !inPrefix(p.IPv6.DstIP) {
		return tc.OK
	}
	sumAt := checksumOffset(&p)
	if sumAt == 0 || p.L4 != l4After6 || p.Fragment {
		return tc.Drop
	}
	old := addresses6{p.IPv6.SrcIP, p.IPv6.DstIP}
	src := borrow(old.src)
	if src == 0 {
		bpf.AtomicAdd(&Refused, 1)
		return tc.Drop
	}
	h := packet.IPv4{
		VersionIHL: 0x45, TOS: p.IPv6.TrafficClass(),
		TotalLen: bpf.ToBE16(p.IPv6.PayloadLen.Host() + packet.IPv4Len),
		Frag:     packet.FragDont,
		TTL:      p.IPv6.HopLimit, Proto: p.Proto,
		SrcIP: src, DstIP: old.dst.Words()[3],
	}
	h.Checksum = h.ComputeChecksum()
	changed := addresses4{h.SrcIP, h.DstIP}
	diff := bpf.CsumDiff(old.bytes(), changed.bytes(), 0)
	if ctx.L4CsumReplace(l4After6+sumAt, 0, uint64(diff), tc.CsumDiff|tc.PseudoHdr) != bpf.OK ||
		ctx.ChangeProto(packet.TypeIPv4) != bpf.OK {
		return tc.Drop
	}
	return finish(ctx, packet.TypeIPv4, tc.Store(ctx, l3, &h, 0))
}

// To6 translates what comes back to a borrowed address.
//
//bpf:tc
func To6(ctx *tc.Context) tc.Action {
	p := packet.Parse(ctx.Data())
	if p.IPv4 == nil {
		return tc.OK
	}
	owner := Owners.Lookup(p.IPv4.DstIP)
	if owner == nil {
		return tc.OK
	}
	sumAt := checksumOffset(&p)
	if sumAt == 0 || p.L4 != l4After4 || p.Fragment {
		return tc.Drop
	}
	old := addresses4{p.IPv4.SrcIP, p.IPv4.DstIP}
	h := packet.IPv6{
		VersionClassFlow: bpf.ToBE32(6<<28 | uint32(p.IPv4.TOS)<<20),
		PayloadLen:       bpf.ToBE16(p.IPv4.TotalLen.Host() - packet.IPv4Len),
		NextHeader:       p.Proto, HopLimit: p.IPv4.TTL,
		SrcIP: packet.AddrFromWords([4]bpf.BE32{Prefix[0], Prefix[1], Prefix[2], p.IPv4.SrcIP}),
		DstIP: *owner,
	}
	changed := addresses6{h.SrcIP, h.DstIP}
	diff := bpf.CsumDiff(old.bytes(), changed.bytes(), 0)
	if ctx.L4CsumReplace(l4After4+sumAt, 0, uint64(diff), tc.CsumDiff|tc.PseudoHdr) != bpf.OK ||
		ctx.ChangeProto(packet.TypeIPv6) != bpf.OK {
		return tc.Drop
	}
	return finish(ctx, packet.TypeIPv6, tc.Store(ctx, l3, &h, 0))
}

// finish changes the Ethernet type of a translated packet.
func finish(ctx *tc.Context, typ bpf.BE16, err bpf.Errno) tc.Action {
	const typeAt = 12
	if err != bpf.OK || tc.Store(ctx, typeAt, &typ, 0) != bpf.OK {
		return tc.Drop
	}
	bpf.AtomicAdd(&Translated, 1)
	return tc.OK
}

// addresses6 and addresses4 are what the checksum covers of the IP header.
type (
	addresses6 struct{ src, dst packet.Addr }
	addresses4 struct{ src, dst bpf.BE32 }
)

func (a *addresses6) bytes() []byte { return (*[32]byte)(unsafe.Pointer(a))[:] }
func (a *addresses4) bytes() []byte { return (*[8]byte)(unsafe.Pointer(a))[:] }

func inPrefix(a packet.Addr) bool {
	w := a.Words()
	return w[0] == Prefix[0] && w[1] == Prefix[1] && w[2] == Prefix[2]
}

// checksumOffset returns where in the transport header its checksum is; 0 if there
// is none that can be updated.
func checksumOffset(p *packet.Packet) int {
	switch {
	case p.TCP != nil:
		return 16
	case p.UDP != nil && p.UDP.Checksum != 0:
		return 6
	}
	return 0
}

// borrow returns the IPv4 address of a host; 0 if it gets none.
func borrow(host packet.Addr) bpf.BE32 {
	if has := Lent.Lookup(host); has != nil {
		return *has
	}
	if Allowed.Lookup(host.Prefix()) == nil {
		return 0
	}
	var free bpf.BE32
	if Pool.Pop(&free) != bpf.OK {
		return 0
	}
	if Lent.Update(host, free, bpf.NoExist) != bpf.OK {
		Pool.Push(free, bpf.Any) // another packet of the host was faster
		if has := Lent.Lookup(host); has != nil {
			return *has
		}
		return 0
	}
	Owners.Update(free, host, bpf.Any)
	return free
}
