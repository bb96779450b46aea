package sim

import (
	"encoding/binary"
	"slices"
)

// Clone notes a copy of the packet sent to an interface.
func (p *Packet) Clone(ifindex uint32, flags uint64) int32 {
	p.Clones = append(p.Clones, Clone{ifindex, flags, slices.Clone(p.Bytes())})
	return 0
}

// PushVLAN puts a tag behind the Ethernet addresses. proto is in network, tci
// in host byte order.
func (p *Packet) PushVLAN(proto, tci uint16) int32 {
	if p.Len() < EthernetLen {
		return eInval
	}
	p.Resize(12, 0, 4)
	binary.NativeEndian.PutUint16(p.Bytes()[12:], proto)
	binary.BigEndian.PutUint16(p.Bytes()[14:], tci)
	return 0
}

// PopVLAN removes the outermost tag, if there is one.
func (p *Packet) PopVLAN() int32 {
	if p.Len() >= EthernetLen+4 && isVLAN(p.Bytes()[12:]) {
		p.Resize(12, 4, 0)
	}
	return 0
}

func isVLAN(b []byte) bool {
	t := binary.BigEndian.Uint16(b)
	return t == 0x8100 || t == 0x88a8
}

// AdjustRoom makes or removes room behind the Ethernet or IP header.
func (p *Packet) AdjustRoom(delta int, behindIP bool) int32 {
	off := EthernetLen
	if behindIP {
		off += p.ipHeaderLen()
	}
	switch {
	case off+max(-delta, 0) > p.Len():
		return eInval
	case delta < 0:
		p.Resize(off, -delta, 0)
	default:
		p.Resize(off, 0, delta)
	}
	return 0
}

func (p *Packet) ipHeaderLen() int {
	b := p.Bytes()
	if len(b) > EthernetLen && b[EthernetLen]>>4 == 4 {
		return int(b[EthernetLen]&0xf) * 4
	}
	return 40
}
