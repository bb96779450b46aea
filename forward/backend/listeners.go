package backend

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Listeners are the addresses at which this process accepts connections. A group
// that dialled one of them would feed itself until there are no ports left.
// The zero value is empty and ready for use.
type Listeners struct {
	mu    sync.Mutex
	count map[netip.AddrPort]int
	// ports is a copy for readers: the addresses by port.
	ports atomic.Pointer[map[uint16][]netip.Addr]

	local localAddrs
}

// Add adds the address of a listener; an unspecified one stands for all addresses of
// the machine.
func (l *Listeners) Add(addr netip.AddrPort) { l.change(addr, 1) }

// Remove takes back one Add.
func (l *Listeners) Remove(addr netip.AddrPort) { l.change(addr, -1) }

func (l *Listeners) change(addr netip.AddrPort, by int) {
	addr = plain(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == nil {
		l.count = make(map[netip.AddrPort]int)
	}
	l.count[addr] += by
	maps.DeleteFunc(l.count, func(_ netip.AddrPort, n int) bool { return n <= 0 })
	ports := make(map[uint16][]netip.Addr)
	for a := range l.count {
		ports[a.Port()] = append(ports[a.Port()], a.Addr())
	}
	l.ports.Store(&ports)
}

// Contains tells whether a connection to addr would end at one of the listeners. It is
// cheap unless one of them has the same port.
func (l *Listeners) Contains(addr netip.AddrPort) bool {
	if l == nil {
		return false
	}
	ports := l.ports.Load()
	if ports == nil {
		return false
	}
	addrs := (*ports)[addr.Port()]
	if len(addrs) == 0 {
		return false
	}
	to := plain(addr).Addr()
	if to.IsUnspecified() {
		// Linux takes that for the loopback address.
		to = loopback(to.Is4())
	}
	return slices.ContainsFunc(addrs, func(own netip.Addr) bool {
		if !own.IsUnspecified() {
			return own == to
		}
		// [::] takes IPv4 too, as Go listens, 0.0.0.0 nothing else.
		return (own.Is6() || to.Is4()) && l.local.contains(to)
	})
}

// plain gives an address its shortest form and no zone.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

func loopback(v4 bool) netip.Addr {
	if v4 {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// localAddrs are the machine's own addresses, asked for again now and then.
type localAddrs struct {
	mu    sync.Mutex
	asked time.Time
	addrs map[netip.Addr]bool
}

// localTTL is how long the machine's addresses are believed.
const localTTL = 5 * time.Second

func (l *localAddrs) contains(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.asked) >= localTTL {
		// An error leaves what was known; there is nothing better.
		if list, err := net.InterfaceAddrs(); err == nil {
			l.addrs = make(map[netip.Addr]bool, len(list))
			for _, addr := range list {
				if p, err := netip.ParsePrefix(addr.String()); err == nil {
					l.addrs[p.Addr().Unmap().WithZone("")] = true
				}
			}
		}
		l.asked = time.Now()
	}
	return l.addrs[a]
}
