package tc

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// All functions in this file invalidate pointers into the packet.

// VLANPush puts a VLAN tag into the packet: proto is packet.TypeVLAN or
// packet.TypeQinQ, tci the priority and identifier in host byte order.
//
//bpf:helper skb_vlan_push(c, proto, tci)
func (c *Context) VLANPush(proto bpf.BE16, tci uint16) bpf.Errno {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.VLANPush")
	return bpf.Errno(p.PushVLAN(uint16(proto), tci))
}

// VLANPop takes the outermost VLAN tag out of the packet.
//
//bpf:helper skb_vlan_pop(c)
func (c *Context) VLANPop() bpf.Errno {
	return bpf.Errno(sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.VLANPop").PopVLAN())
}

// ChangeTail makes the packet n bytes long; new bytes are zero.
//
//bpf:helper skb_change_tail(c, n, 0)
func (c *Context) ChangeTail(n uint32) bpf.Errno {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.ChangeTail")
	return bpf.Errno(p.AdjustTail(int(n) - p.Len()))
}

// ChangeHead makes room for n bytes before the packet: for a link layer header
// where there was none.
//
//bpf:helper skb_change_head(c, n, 0)
func (c *Context) ChangeHead(n uint32) bpf.Errno {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.ChangeHead")
	return bpf.Errno(p.AdjustHead(-int(n)))
}

// RoomMode says where AdjustRoom makes room.
type RoomMode uint32

// The modes of AdjustRoom; BPF_ADJ_ROOM_* in include/uapi/linux/bpf.h.
const (
	RoomNet RoomMode = 0 // behind the network header
	RoomMAC RoomMode = 1 // behind the link layer header
)

// AdjustRoom makes delta bytes of room behind a header, or removes bytes if
// delta is negative: for tunnel headers.
//
//bpf:helper skb_adjust_room(c, delta, mode, flags)
func (c *Context) AdjustRoom(delta int32, mode RoomMode, flags uint64) bpf.Errno {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.AdjustRoom")
	return bpf.Errno(p.AdjustRoom(int(delta), mode == RoomNet))
}

// ChangeProto makes an IPv6 packet of an IPv4 packet or the other way round, by
// changing the room for the header; proto is packet.TypeIPv4 or TypeIPv6. The
// program fills in the new header.
//
//bpf:helper skb_change_proto(c, proto, 0)
func (c *Context) ChangeProto(proto bpf.BE16) bpf.Errno {
	sim.Unsupported("tc.Context.ChangeProto")
	return bpf.OK
}

// ChangeType changes for whom the packet is: see PacketType.
//
//bpf:helper skb_change_type(c, typ)
func (c *Context) ChangeType(typ uint32) bpf.Errno {
	sim.Current("tc.Context.ChangeType")
	c.PacketType = typ
	return bpf.OK
}

// TunnelFlag controls GetTunnelKey and SetTunnelKey; BPF_F_* in
// include/uapi/linux/bpf.h.
type TunnelFlag uint64

// The flags for tunnel keys.
const (
	TunnelIPv6   TunnelFlag = 1 << 0
	ZeroCsumTX   TunnelFlag = 1 << 1
	DontFragment TunnelFlag = 1 << 2
	SeqNumber    TunnelFlag = 1 << 3
	NoTunnelKey  TunnelFlag = 1 << 5
	GetFlags     TunnelFlag = 1 << 4 // of GetTunnelKey: fill in Flags
)

// GetTunnelKey fills in the outer header that the packet came with.
//
//bpf:helper skb_get_tunnel_key(c, key, sizeof(key), flags)
func (c *Context) GetTunnelKey(key *TunnelKey, flags TunnelFlag) bpf.Errno {
	sim.Unsupported("tc.Context.GetTunnelKey")
	return bpf.OK
}

// SetTunnelKey sets the outer header that a tunnel device sends the packet with.
//
//bpf:helper skb_set_tunnel_key(c, key, sizeof(key), flags)
func (c *Context) SetTunnelKey(key *TunnelKey, flags TunnelFlag) bpf.Errno {
	sim.Unsupported("tc.Context.SetTunnelKey")
	return bpf.OK
}
