package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// headers is the length in bytes of all headers that are looked through, but for
// rare cases: Ethernet, two VLAN tags, IPv6 with 128 bytes of extensions, TCP with
// all options.
const (
	headersToIP = packet.EthernetLen + 2*packet.VLANLen + packet.IPv6Len
	headers     = headersToIP + 128 + 60
)

// WatchEthernet watches an interface whose packets start with an Ethernet header.
//
//bpf:tc
func WatchEthernet(ctx *tc.Context) tc.Action {
	for range 2 {
		if p := packet.Parse(ctx.Data()); !outOfReach(ctx, p) {
			watch(ctx, p)
			break
		}
		ctx.Pull(min(ctx.Len, headers))
	}
	return tc.Next
}

// WatchIP watches an interface whose packets start with an IP header.
//
//bpf:tc
func WatchIP(ctx *tc.Context) tc.Action {
	for range 2 {
		if p := packet.ParseIP(ctx.Data()); !outOfReach(ctx, p) {
			watch(ctx, p)
			break
		}
		ctx.Pull(min(ctx.Len, headers))
	}
	return tc.Next
}

// outOfReach reports whether there may be a TCP header in the part of the packet that
// is not directly reachable. Few drivers leave it there.
func outOfReach(ctx *tc.Context, p packet.Packet) bool {
	reach := uint32(len(ctx.Data()))
	if p.TCP != nil || reach >= min(headers, ctx.Len) {
		return false
	}
	noIP := p.L3 == 0 && reach < headersToIP
	return noIP || p.Proto == packet.ProtoTCP && !p.Fragment || p.IPv6 != nil && p.L4 == 0
}

// segment is the payload of a TCP packet.
type segment struct {
	flow  Flow
	seq   uint32 // of the first byte
	off   uint32 // where it is in the packet
	len   uint32
	flags Flags
}

func (s *segment) end() uint32 { return s.seq + s.len }

// cut takes the first n bytes off.
func (s *segment) cut(n uint32) {
	s.seq, s.off, s.len = s.seq+n, s.off+n, s.len-n
	s.flags &^= SegmentStart | Gap
}

// watch looks at a packet.
func watch(ctx *tc.Context, p packet.Packet) {
	if p.TCP == nil || Port != 0 && p.TCP.SrcPort != packet.Port(Port) && p.TCP.DstPort != packet.Port(Port) {
		return
	}
	s := current.Get()
	if s == nil {
		return
	}
	*s = segment{
		flow:  Flow{Src: p.Src(), Dst: p.Dst(), SrcPort: p.SrcPort(), DstPort: p.DstPort()},
		seq:   p.TCP.Seq.Host(),
		off:   uint32(p.L7),
		len:   payloadLen(ctx, p),
		flags: SegmentStart,
	}
	if p.TCP.Has(packet.SYN) {
		s.seq++
		open(&s.flow, s.seq)
	}
	if s.len == 0 {
		return
	}
	if c := Traffic.Lookup(0); c != nil {
		c.Packets++
		c.Bytes += uint64(s.len)
		if p.Fragment {
			c.Fragments++
		}
	}
	s.follow(ctx)
}

// payloadLen returns the length of the payload, of which part may be out of reach.
// Super-packets beyond 64 KiB don't say how long they are.
func payloadLen(ctx *tc.Context, p packet.Packet) uint32 {
	end := uint32(p.End)
	if p.IPv4 != nil && p.IPv4.TotalLen == 0 || p.IPv6 != nil && p.IPv6.PayloadLen == 0 {
		end = ctx.Len
	}
	off := uint32(p.L7)
	if end <= off {
		return 0
	}
	return end - off
}

// open starts to follow a flow at the beginning of its connection. The packet that
// begins it may come several times.
func open(f *Flow, seq uint32) {
	if s := Flows.Lookup(*f); s == nil || s.Born != seq {
		Flows.Update(*f, State{Mode: undecided, Born: seq, Next: seq, FromStart: true}, bpf.Any)
	}
}

// follow sends s to user space if its flow is worth it.
func (s *segment) follow(ctx *tc.Context) {
	f := Flows.Lookup(s.flow)
	if f == nil {
		f = s.adopt(ctx)
	}
	if f == nil || f.Mode == ignored {
		return
	}
	if f.has(s) {
		if c := Traffic.Lookup(0); c != nil {
			c.Duplicates++
		}
		return
	}
	f.heedVerdict(&s.flow)
	if f.decide(ctx, s) && !f.skips(s) {
		s.send(ctx, f)
	}
}

// adopt looks whether a flow that nobody knows is worth following, and from here on
// does so.
func (s *segment) adopt(ctx *tc.Context) *State {
	start := s.start(ctx)
	if start.isReply() && start.switches() {
		s.switched()
	}
	if start.request() != yes {
		return nil
	}
	Flows.Update(s.flow, State{Mode: forwarding, Born: s.seq, Next: s.seq, Left: true}, bpf.Any)
	return Flows.Lookup(s.flow)
}
