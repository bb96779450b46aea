package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// WakeOnLAN is a machine that its network card switches on when it hears a magic packet.
type WakeOnLAN struct {
	// Name is the card's MAC address, with @ADDRESS or @ADDRESS:PORT behind it to send
	// the packet there, and not to all networks that this machine is in.
	Name string
}

// discard is the port that magic packets are usually sent to; cards don't look at it.
const discard = 9

// parse takes the name apart. The address is invalid for all networks.
func (w *WakeOnLAN) parse() (mac net.HardwareAddr, to netip.AddrPort, err error) {
	text, where, directed := strings.Cut(w.Name, "@")
	if mac, err = net.ParseMAC(text); err != nil || len(mac) != 6 {
		return nil, to, fmt.Errorf("%q is not a MAC address such as 00:1b:21:0a:0b:0c", text)
	}
	if !directed {
		return mac, to, nil
	}
	if addr, aerr := netip.ParseAddr(where); aerr == nil {
		return mac, netip.AddrPortFrom(addr, discard), nil
	}
	if to, err = netip.ParseAddrPort(where); err != nil {
		return nil, to, fmt.Errorf("%q is not an address such as 192.168.1.255 or 192.168.1.255:9", where)
	}
	return mac, to, nil
}

func (w *WakeOnLAN) String() string { return "wol:" + w.Name }

// Validate tells whether the name is one.
func (w *WakeOnLAN) Validate() error {
	_, _, err := w.parse()
	return err
}

// Start sends the packet. Nobody tells whether it was heard.
func (w *WakeOnLAN) Start(ctx context.Context) error {
	mac, to, err := w.parse()
	if err != nil {
		return fmt.Errorf("wake %s: %w", w, err)
	}
	routes := []route{{to: to}}
	if !to.IsValid() {
		if routes, err = everywhere(); err != nil {
			return fmt.Errorf("wake %s: %w", w, err)
		}
	}
	var errs []error
	for _, r := range routes {
		if err := send(ctx, r, magicPacket(mac)); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == len(routes) {
		return fmt.Errorf("wake %s: %w", w, errors.Join(errs...))
	}
	return nil
}

// Stop does nothing but say so: a machine has to be told to sleep in another way.
func (w *WakeOnLAN) Stop(context.Context) error {
	return fmt.Errorf("stop %s: a magic packet only wakes; stop it with a command", w)
}

// Repeat is how often to start again a machine that does not come up: packets get lost,
// and a card that is just being switched off does not listen yet.
func (w *WakeOnLAN) Repeat() time.Duration { return 2 * time.Second }

// magicPacket is six bytes 0xff and then the address sixteen times (AMD, Magic Packet
// Technology, publication 20213).
func magicPacket(mac net.HardwareAddr) []byte {
	return append(bytes.Repeat([]byte{0xff}, 6), bytes.Repeat(mac, 16)...)
}

// route is where a packet goes, and from which of our addresses if that is valid.
type route struct {
	from netip.Addr
	to   netip.AddrPort
}

// everywhere is the broadcast addresses of all networks that this machine is in. The
// address for everybody (255.255.255.255) would leave by one device only.
func everywhere() ([]route, error) {
	devices, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	var list []route
	for _, d := range devices {
		if d.Flags&net.FlagUp == 0 || d.Flags&net.FlagBroadcast == 0 {
			continue
		}
		addrs, err := d.Addrs()
		if err != nil {
			continue // it has just gone
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && p.Bits() < 31 {
				list = append(list, route{p.Addr(), netip.AddrPortFrom(broadcast(p), discard)})
			}
		}
	}
	if len(list) == 0 {
		return nil, errors.New("no device here can broadcast; name the address with wol:MAC@ADDRESS")
	}
	return list, nil
}

// broadcast is the last address of a network of IPv4.
func broadcast(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

// send sends a datagram. Sockets of package net may broadcast.
func send(ctx context.Context, r route, packet []byte) error {
	var d net.Dialer
	if r.from.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.from, 0))
	}
	c, err := d.DialContext(ctx, "udp", r.to.String())
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write(packet)
	return err
}
