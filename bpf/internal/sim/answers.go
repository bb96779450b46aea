package sim

import "unsafe"

// This file holds what the test tells the kernel to answer.

// SetCookie sets the socket cookie of a context, or of a probe's attachment.
func (k *Kernel) SetCookie(ctx unsafe.Pointer, cookie uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cookies[ctx] = cookie
}

// Cookie returns the socket cookie of a context, 0 if none was set.
func (k *Kernel) Cookie(ctx unsafe.Pointer) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cookies[ctx]
}

// SetSocket makes a socket findable by protocol and connection.
func (k *Kernel) SetSocket(proto string, tuple []byte, sock unsafe.Pointer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sockets[proto+string(tuple)] = sock
}

// Socket finds a socket; nil if there is none.
func (k *Kernel) Socket(proto string, tuple []byte) unsafe.Pointer {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sockets[proto+string(tuple)]
}

// SetTCPState gives a socket the state of a TCP socket.
func (k *Kernel) SetTCPState(sock, state unsafe.Pointer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tcpStates[sock] = state
}

// TCPState returns the state of a TCP socket, nil if none was set.
func (k *Kernel) TCPState(sock unsafe.Pointer) unsafe.Pointer {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tcpStates[sock]
}

// FIBLookup asks the test for a route.
func (k *Kernel) FIBLookup(query unsafe.Pointer) int32 {
	if k.FIB == nil {
		panic("bpf: FIBLookup needs routes: give bpftest a function with SetFIB")
	}
	return k.FIB(query)
}
