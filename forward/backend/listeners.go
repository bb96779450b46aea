package backend

import (
	"net/netip"
	"sync"
)

// Listeners are the addresses at which this process accepts connections. A group
// that dialled one of them would feed itself until there are no ports left.
// The zero value is empty and ready for use.
type Listeners struct {
	mu    sync.Mutex
	addrs map[netip.AddrPort]int
}

// Add adds the address of a listener; an unspecified one stands for all addresses of
// the machine.
func (l *Listeners) Add(addr netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.addrs == nil {
		l.addrs = make(map[netip.AddrPort]int)
	}
	l.addrs[addr]++
}

// Remove takes back one Add.
func (l *Listeners) Remove(addr netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.addrs[addr]--; l.addrs[addr] <= 0 {
		delete(l.addrs, addr)
	}
}
