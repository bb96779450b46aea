package cgroup

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// BPFContext marks SockContext as a bpf.Context.
func (*SockContext) BPFContext() {}

// SocketCookie returns a number that identifies the socket as long as the
// machine runs.
//
//bpf:helper get_socket_cookie(c)
func (c *SockContext) SocketCookie() uint64 {
	return sim.Current("cgroup.SockContext.SocketCookie").Cookie(unsafe.Pointer(c))
}

// BPFContext marks SockAddrContext as a bpf.Context.
func (*SockAddrContext) BPFContext() {}

// Port returns the port that the process gave.
func (c *SockAddrContext) Port() uint16 { return bpf.BE16(c.UserPort).Host() }

// SetPort replaces the port that the process gave.
func (c *SockAddrContext) SetPort(port uint16) { c.UserPort = uint32(bpf.ToBE16(port)) }

// SocketCookie returns a number that identifies the socket as long as the
// machine runs.
//
//bpf:helper get_socket_cookie(c)
func (c *SockAddrContext) SocketCookie() uint64 {
	return sim.Current("cgroup.SockAddrContext.SocketCookie").Cookie(unsafe.Pointer(c))
}
