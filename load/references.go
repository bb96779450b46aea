package load

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"github.com/cilium/ebpf"
)

// The maps in this file hold what programs send data or control to. User space
// puts it in and can't get it out again.

// SocketMap is a sockmap, whose keys are uint32, or a sockhash.
type SocketMap[K any] struct {
	m    *ebpf.Map
	name string
	key  *shape
}

// SocketMapOf gives typed access to a sockmap or sockhash of the handle, with the
// checks of [MapOf].
func SocketMapOf[K any](h *Handle, name string) (*SocketMap[K], error) {
	m, err := h.Map(name)
	if err != nil {
		return nil, err
	}
	s, err := OverSocketMap[K](m)
	if err == nil {
		err = s.key.check(h.obj.spec.Maps[name].Key)
	}
	if err != nil {
		return nil, fmt.Errorf("open map %s: %w", name, err)
	}
	s.name = name
	return s, nil
}

// OverSocketMap gives typed access to any sockmap or sockhash, such as a pinned
// one.
func OverSocketMap[K any](m *ebpf.Map) (*SocketMap[K], error) {
	if t := m.Type(); t != ebpf.SockMap && t != ebpf.SockHash {
		return nil, fmt.Errorf("map type %v holds no sockets", t)
	}
	key, err := shapeOf[K]()
	if err == nil {
		err = key.checkSize(m.KeySize())
	}
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return &SocketMap[K]{m: m, name: m.String(), key: key}, nil
}

// Raw is the map underneath.
func (m *SocketMap[K]) Raw() *ebpf.Map { return m.m }

// Put puts a socket into the map. TCP connections must be established and must not
// be multipath TCP, which Go's listeners accept unless told otherwise
// (net.ListenConfig.SetMultipathTCP). They leave the map by themselves when they are
// closed. What a socket has received before
// waits for more to come, unless the stream is set going with SO_RCVLOWAT.
func (m *SocketMap[K]) Put(key K, s syscall.Conn) error {
	raw, err := s.SyscallConn()
	if err != nil {
		return mapError("write", m.name, err)
	}
	k := &key
	m.key.clean(bytesOf(k))
	var putErr error
	err = raw.Control(func(fd uintptr) {
		var value any = uint32(fd)
		if m.m.ValueSize() == 8 {
			value = uint64(fd)
		}
		putErr = m.m.Put(unsafe.Pointer(k), value)
		if errors.Is(putErr, syscall.EOPNOTSUPP) {
			putErr = fmt.Errorf("%s: %w", unfit(fd), putErr)
		}
	})
	return mapError("write", m.name, errors.Join(err, putErr))
}

// unfit tells why no socket map takes a socket.
func unfit(fd uintptr) string {
	const (
		soProtocol   = 38  // SO_PROTOCOL, include/uapi/asm-generic/socket.h
		ipprotoMPTCP = 262 // IPPROTO_MPTCP, include/uapi/linux/in.h
	)
	if p, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, soProtocol); err == nil && p == ipprotoMPTCP {
		return "the socket is multipath TCP, turn that off where it is made: SetMultipathTCP(false) of net.ListenConfig or net.Dialer"
	}
	return "the socket is not of a kind and in a state for it (TCP: established or listening)"
}

// Delete takes a socket out of the map.
func (m *SocketMap[K]) Delete(key K) error {
	k := &key
	m.key.clean(bytesOf(k))
	return mapError("delete from", m.name, m.m.Delete(unsafe.Pointer(k)))
}

// ProgramMap is a program array: where tail calls lead.
type ProgramMap struct {
	h    *Handle
	m    *ebpf.Map
	name string
}

// ProgramMapOf gives access to a program array of the handle.
func ProgramMapOf(h *Handle, name string) (*ProgramMap, error) {
	m, err := h.Map(name)
	if err != nil {
		return nil, err
	}
	if t := m.Type(); t != ebpf.ProgramArray {
		return nil, fmt.Errorf("open map %s: map type %v holds no programs", name, t)
	}
	return &ProgramMap{h: h, m: m, name: name}, nil
}

// Raw is the map underneath. It takes programs of other handles, too.
func (m *ProgramMap) Raw() *ebpf.Map { return m.m }

// Put makes tail calls to index lead to a program of the handle, given by name,
// from now on. All programs of an array must be of one kind.
func (m *ProgramMap) Put(index uint32, program string) error {
	p, err := m.h.Program(program)
	if err != nil {
		return mapError("write", m.name, err)
	}
	if err := m.m.Put(index, p); err != nil {
		return mapError("write", m.name, fmt.Errorf("program %s at %d: %w", program, index, err))
	}
	return nil
}

// Delete makes tail calls to index lead nowhere; ErrNoKey if they did already.
func (m *ProgramMap) Delete(index uint32) error {
	return mapError("delete from", m.name, m.m.Delete(index))
}
