package packet

import "github.com/waggle-bpf/waggle/bpf"

// MAC is an Ethernet address.
type MAC [6]byte

// Ethernet is the header of an Ethernet frame.
type Ethernet struct {
	Dst, Src MAC
	Type     bpf.BE16 // what follows: TypeIPv4, ...
}

// EthernetLen is the size of an Ethernet header in bytes.
const EthernetLen = 14

// Values of Ethernet.Type and VLAN.Type, in network byte order like the field
// (IEEE 802 numbers; include/uapi/linux/if_ether.h).
const (
	TypeIPv4 bpf.BE16 = 0x0008 // 0x0800
	TypeARP  bpf.BE16 = 0x0608 // 0x0806
	TypeIPv6 bpf.BE16 = 0xdd86 // 0x86dd
	TypeVLAN bpf.BE16 = 0x0081 // 0x8100, IEEE 802.1Q
	TypeQinQ bpf.BE16 = 0xa888 // 0x88a8, IEEE 802.1ad
	TypeMPLS bpf.BE16 = 0x4788 // 0x8847
)

// VLAN is the rest of an IEEE 802.1Q tag: it follows the Ethernet type that
// announces it.
type VLAN struct {
	TCI  bpf.BE16 // priority, drop eligible and identifier
	Type bpf.BE16 // what follows
}

// VLANLen is the size of a VLAN tag in bytes.
const VLANLen = 4

// ID returns the VLAN identifier, 0 to 4095.
func (v *VLAN) ID() uint16 { return v.TCI.Host() & 0xfff }

// Priority returns the priority code point, 0 to 7.
func (v *VLAN) Priority() uint8 { return uint8(v.TCI.Host() >> 13) }

// IsVLAN reports whether an Ethernet type announces a VLAN tag.
func IsVLAN(t bpf.BE16) bool { return t == TypeVLAN || t == TypeQinQ }
