package packet

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Types of interfaces (ARPHRD_* in include/uapi/linux/if_arp.h) whose packets begin
// with an Ethernet header, and with an IP header.
var layers = map[uint16]struct{ ethernet, ip bool }{
	1:     {ethernet: true},
	772:   {ethernet: true}, // loopback
	65534: {ip: true},       // none: tun, WireGuard
	768:   {ip: true},       // IP in IP
	769:   {ip: true},       // IPv6 in IPv6
	776:   {ip: true},       // IPv6 in IPv4
}

// hasEthernet reports whether packets of an interface begin with an Ethernet header.
func hasEthernet(name string) (bool, error) {
	ifreq, err := ask(name, unix.SIOCGIFHWADDR)
	if err != nil {
		return false, fmt.Errorf("ask for type of interface %q: %w", name, err)
	}
	layer := layers[ifreq.Uint16()]
	if !layer.ethernet && !layer.ip {
		return false, fmt.Errorf("packets of %s have headers unknown here (type %d)", name, ifreq.Uint16())
	}
	return layer.ethernet, nil
}

// indexOf returns the number of an interface, which is never another's.
func indexOf(name string) (uint32, error) {
	ifreq, err := ask(name, unix.SIOCGIFINDEX)
	if err != nil {
		return 0, fmt.Errorf("ask for number of interface %q: %w", name, err)
	}
	return ifreq.Uint32(), nil
}

// ask asks something about an interface.
func ask(name string, request uint) (*unix.Ifreq, error) {
	ifreq, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(s)
	return ifreq, unix.IoctlIfreq(s, request, ifreq)
}

// addresses knows which addresses are the machine's own and on which interface.
type addresses struct {
	ns    *netNS
	mu    sync.Mutex
	own   map[netip.Addr]string
	asked time.Time
}

// addressesAge is how long the answer about an unknown address is believed.
const addressesAge = 5 * time.Second

// interfaceOf returns the interface that has an address; "" if none has, so that it
// is somebody else's.
func (a *addresses) interfaceOf(ip netip.Addr) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if name, ok := a.own[ip]; ok {
		return name
	}
	if ip.IsLoopback() {
		return loopback // 127.0.0.0/8 is wider than the address on the interface
	}
	if time.Since(a.asked) > addressesAge {
		a.ask()
	}
	return a.own[ip]
}

const loopback = "lo"

func (a *addresses) ask() {
	a.asked = time.Now()
	own := map[netip.Addr]string{}
	err := a.ns.do(func() error {
		devices, err := net.Interfaces()
		if err != nil {
			return err
		}
		for _, dev := range devices {
			addrs, err := dev.Addrs()
			if err != nil {
				continue // it has just been removed
			}
			for _, addr := range addrs {
				if n, ok := addr.(*net.IPNet); ok {
					if ip, ok := netip.AddrFromSlice(n.IP); ok {
						own[ip.Unmap()] = dev.Name
					}
				}
			}
		}
		return nil
	})
	if err == nil {
		a.own = own
	}
}

// route is the interface by which packets of a connection come and go, as far as
// addresses tell: loopback between the machine's own addresses.
func (a *addresses) route(peer, local netip.Addr) string {
	if a.interfaceOf(peer) != "" {
		return loopback
	}
	return a.interfaceOf(local)
}
