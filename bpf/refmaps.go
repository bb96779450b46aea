package bpf

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// The maps in this file hold references that user space puts in: programs,
// sockets, devices. Programs send packets and control to them.

// ProgArray is a table of programs for tail calls. User space fills it, or the
// loader does: the directive slot names a program's place in an array of its
// package.
//
//	//bpf:xdp
//	//bpf:slot Handlers packet.ProtoTCP
//	func HandleTCP(ctx *xdp.Context) xdp.Action {
type ProgArray struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// TailCall leaves this program for the one at index, which gets the same
// context. It returns only if there is none, or after 33 tail calls.
//
//bpf:helper tail_call(ctx, m, index)
func (m *ProgArray) TailCall(ctx Context, index uint32) {
	s := sim.Open[uint32](unsafe.Pointer(m), "ProgArray.TailCall", sim.Refs, m.MaxEntries)
	s.TailCall(index)
}

// SockMap is an array of sockets. Its programs, attached to the map, see what
// its sockets receive (sk_skb) and send (sk_msg).
type SockMap struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Delete removes the socket at index; EINVAL if there is none.
//
//bpf:helper map_delete_elem(m, &index)
func (m *SockMap) Delete(index uint32) Errno {
	s := sim.Open[uint32](unsafe.Pointer(m), "SockMap.Delete", sim.Refs, m.MaxEntries)
	return Errno(s.Delete(sim.IndexKey(index)))
}

// SockHash is a SockMap with keys of your own.
type SockHash[K comparable] struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Delete removes the socket of key; ENOENT if there is none.
//
//bpf:helper map_delete_elem(m, &key)
func (m *SockHash[K]) Delete(key K) Errno {
	s := sim.Open[uint32](unsafe.Pointer(m), "SockHash.Delete", sim.Refs, m.MaxEntries)
	return Errno(s.Delete(sim.BytesOf(&key)))
}

// DevMap is an array of network devices that XDP programs redirect to; see
// xdp.RedirectMap.
type DevMap struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// DevMapHash is a DevMap with any number as key, such as an interface index.
type DevMapHash struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// CPUMap is an array of CPUs that XDP programs hand packets to; its values are
// queue lengths.
type CPUMap struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// XSKMap is an array of AF_XDP sockets that XDP programs hand packets to.
type XSKMap struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}
