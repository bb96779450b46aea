//go:build linux

package rtnl

import (
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// VETH_INFO_PEER, from include/uapi/linux/veth.h.
const vethInfoPeer = 1

// Link is a network device.
type Link struct {
	Index int
	Name  string
	Kind  string // "veth", "vlan"; empty for loopback and hardware
	Up    bool
	XDP   bool // an XDP program is attached
}

// Qdisc is a queueing discipline on a device.
type Qdisc struct {
	Index int // the device's
	Kind  string
}

const create = unix.NLM_F_CREATE | unix.NLM_F_EXCL

func ifinfo(index int, flags, change uint32) []byte {
	msg := unix.IfInfomsg{Index: int32(index), Flags: flags, Change: change}
	return unsafe.Slice((*byte)(unsafe.Pointer(&msg)), unix.SizeofIfInfomsg)
}

// AddVeth makes a pair of devices. The peer appears in the network namespace of
// the file descriptor peerNS.
func (c *Conn) AddVeth(name, peer string, peerNS int) error {
	m := newMessage(unix.RTM_NEWLINK, create, ifinfo(0, 0, 0))
	m.text(unix.IFLA_IFNAME, name)
	m.nest(unix.IFLA_LINKINFO, func() {
		m.attr(unix.IFLA_INFO_KIND, []byte("veth"))
		m.nest(unix.IFLA_INFO_DATA, func() {
			m.nest(vethInfoPeer, func() {
				m = append(m, ifinfo(0, 0, 0)...)
				m.text(unix.IFLA_IFNAME, peer)
				m.uint32(unix.IFLA_NET_NS_FD, uint32(peerNS))
			})
		})
	})
	return named("add veth", name, c.exec(m))
}

// AddVLAN makes an 802.1Q device with the given VLAN id above a device.
func (c *Conn) AddVLAN(name string, parent int, id uint16) error {
	m := newMessage(unix.RTM_NEWLINK, create, ifinfo(0, 0, 0))
	m.text(unix.IFLA_IFNAME, name)
	m.uint32(unix.IFLA_LINK, uint32(parent))
	m.nest(unix.IFLA_LINKINFO, func() {
		m.attr(unix.IFLA_INFO_KIND, []byte("vlan"))
		m.nest(unix.IFLA_INFO_DATA, func() { m.uint16(unix.IFLA_VLAN_ID, id) })
	})
	return named("add vlan", name, c.exec(m))
}

// AddLink makes a device of a kind that needs no parameters, such as "dummy".
func (c *Conn) AddLink(name, kind string) error {
	m := newMessage(unix.RTM_NEWLINK, create, ifinfo(0, 0, 0))
	m.text(unix.IFLA_IFNAME, name)
	m.nest(unix.IFLA_LINKINFO, func() { m.attr(unix.IFLA_INFO_KIND, []byte(kind)) })
	return named("add "+kind, name, c.exec(m))
}

// DeleteLink removes a device.
func (c *Conn) DeleteLink(index int) error {
	err := c.exec(newMessage(unix.RTM_DELLINK, 0, ifinfo(index, 0, 0)))
	return named("delete link", index, err)
}

// SetUp brings a device up.
func (c *Conn) SetUp(index int) error {
	err := c.exec(newMessage(unix.RTM_NEWLINK, 0, ifinfo(index, unix.IFF_UP, unix.IFF_UP)))
	return named("set up link", index, err)
}

// SetMTU sets the largest packet of a device, in bytes.
func (c *Conn) SetMTU(index, mtu int) error {
	m := newMessage(unix.RTM_NEWLINK, 0, ifinfo(index, 0, 0))
	m.uint32(unix.IFLA_MTU, uint32(mtu))
	return named("set mtu of link", index, c.exec(m))
}

// AddAddr gives a device an address. An IPv6 address is usable at once: there is
// no duplicate address detection.
func (c *Conn) AddAddr(index int, p netip.Prefix) error {
	msg := unix.IfAddrmsg{Family: family(p.Addr()), Prefixlen: uint8(p.Bits()), Index: uint32(index)}
	m := newMessage(unix.RTM_NEWADDR, create, unsafe.Slice((*byte)(unsafe.Pointer(&msg)), unix.SizeofIfAddrmsg))
	m.attr(unix.IFA_LOCAL, p.Addr().AsSlice())
	m.attr(unix.IFA_ADDRESS, p.Addr().AsSlice())
	if p.Addr().Is6() {
		m.uint32(unix.IFA_FLAGS, unix.IFA_F_NODAD)
	}
	return named("add address", p, c.exec(m))
}

// AddRoute sends what goes to dst through the gateway via.
func (c *Conn) AddRoute(dst netip.Prefix, via netip.Addr) error {
	msg := unix.RtMsg{
		Family: family(via), Dst_len: uint8(dst.Bits()), Table: unix.RT_TABLE_MAIN,
		Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_UNIVERSE, Type: unix.RTN_UNICAST,
	}
	m := newMessage(unix.RTM_NEWROUTE, create, unsafe.Slice((*byte)(unsafe.Pointer(&msg)), unix.SizeofRtMsg))
	m.attr(unix.RTA_DST, dst.Masked().Addr().AsSlice())
	m.attr(unix.RTA_GATEWAY, via.AsSlice())
	return named("add route", dst, c.exec(m))
}

// Links lists the namespace's devices.
func (c *Conn) Links() ([]Link, error) {
	bodies, err := c.roundTrip(newMessage(unix.RTM_GETLINK, unix.NLM_F_DUMP, ifinfo(0, 0, 0)))
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	links := make([]Link, 0, len(bodies))
	for _, b := range bodies {
		if len(b) < unix.SizeofIfInfomsg {
			continue
		}
		a := attributes(b, unix.SizeofIfInfomsg)
		info := attributes(a[unix.IFLA_LINKINFO], 0)
		xdp := attributes(a[unix.IFLA_XDP], 0)[unix.IFLA_XDP_ATTACHED]
		links = append(links, Link{
			Index: int(native.Uint32(b[4:])),
			Name:  cstring(a[unix.IFLA_IFNAME]),
			Kind:  cstring(info[unix.IFLA_INFO_KIND]),
			Up:    native.Uint32(b[8:])&unix.IFF_UP != 0,
			XDP:   len(xdp) > 0 && xdp[0] != 0,
		})
	}
	return links, nil
}

// Qdiscs lists the namespace's queueing disciplines.
func (c *Conn) Qdiscs() ([]Qdisc, error) {
	// struct tcmsg: family and padding, then index, handle, parent, info.
	const sizeofTcmsg = 20
	bodies, err := c.roundTrip(newMessage(unix.RTM_GETQDISC, unix.NLM_F_DUMP, make([]byte, sizeofTcmsg)))
	if err != nil {
		return nil, fmt.Errorf("list qdiscs: %w", err)
	}
	var out []Qdisc
	for _, b := range bodies {
		if len(b) < sizeofTcmsg {
			continue
		}
		a := attributes(b, sizeofTcmsg)
		out = append(out, Qdisc{Index: int(native.Uint32(b[4:])), Kind: cstring(a[unix.TCA_KIND])})
	}
	return out, nil
}

func family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func named(what string, which any, err error) error {
	if err != nil {
		return fmt.Errorf("%s %v: %w", what, which, err)
	}
	return nil
}
