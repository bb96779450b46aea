package httpwatch

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"syscall"
	"unsafe"
)

// linkType is what the packets of an interface start with.
type linkType uint8

const (
	notIP    linkType = iota // it carries something else
	ethernet                 // an Ethernet header
	bareIP                   // an IP header
	loopback                 // an Ethernet header, and what goes out comes in again
)

// linkTypes has the interface types that carry IP packets; ARPHRD_* in
// include/uapi/linux/if_arp.h.
var linkTypes = map[uint16]linkType{
	1:     ethernet, // ETHER, Wi-Fi and most virtual ones too
	772:   loopback, // LOOPBACK
	512:   bareIP,   // PPP
	519:   bareIP,   // RAWIP, mobile broadband
	768:   bareIP,   // TUNNEL, IP in IP
	769:   bareIP,   // TUNNEL6
	776:   bareIP,   // SIT, IPv6 in IPv4
	778:   bareIP,   // IPGRE
	823:   bareIP,   // IP6GRE
	65534: bareIP,   // NONE: TUN, WireGuard
}

// iface is a network interface.
type iface struct {
	name  string
	index int32
	up    bool
	link  linkType
}

// named finds the interfaces with the given names.
func named(all []iface, names []string) ([]iface, error) {
	var found []iface
	for _, name := range names {
		i := slices.IndexFunc(all, func(dev iface) bool { return dev.name == name })
		switch {
		case i < 0:
			return nil, fmt.Errorf("watch interface %q: %w", name, ErrNoInterface)
		case all[i].link == notIP:
			return nil, fmt.Errorf("watch interface %q: %w: it carries no IP packets", name, ErrNoInterface)
		case !slices.Contains(found, all[i]):
			found = append(found, all[i])
		}
	}
	return found, nil
}

// running finds the interfaces that are up and carry IP packets.
func running(all []iface) []iface {
	var found []iface
	for _, dev := range all {
		if dev.up && dev.link != notIP {
			found = append(found, dev)
		}
	}
	return found
}

// interfaces asks the kernel for all interfaces. Package net does not tell their type,
// and /sys shows those of the namespace it was mounted in.
func interfaces() ([]iface, error) {
	data, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", os.NewSyscallError("netlink", err))
	}
	messages, err := syscall.ParseNetlinkMessage(data)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", os.NewSyscallError("netlink", err))
	}
	var all []iface
	for i := range messages {
		m := &messages[i]
		if m.Header.Type != syscall.RTM_NEWLINK || len(m.Data) < syscall.SizeofIfInfomsg {
			continue
		}
		info := (*syscall.IfInfomsg)(unsafe.Pointer(unsafe.SliceData(m.Data)))
		all = append(all, iface{
			name:  linkName(m),
			index: info.Index,
			up:    info.Flags&syscall.IFF_UP != 0,
			link:  linkTypes[info.Type],
		})
	}
	return all, nil
}

func linkName(m *syscall.NetlinkMessage) string {
	attrs, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return ""
	}
	for _, a := range attrs {
		if a.Attr.Type == syscall.IFLA_IFNAME {
			return string(bytes.TrimRight(a.Value, "\x00"))
		}
	}
	return ""
}
