package uring

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// maxBuffers is how many buffers there may be of a kind, and how many entries its
// ring has.
const maxBuffers = 4096

// batch is how many bytes of buffers are mapped at a time, when all are in use. They
// stay: there are as many as were ever needed at once.
const batch = 128 << 10

// buffer is struct io_uring_buf: an entry of the ring of buffers.
type buffer struct {
	addr uint64
	len  uint32
	id   uint16
	// tail is that of the ring, in its first entry.
	tail uint16
}

// buffers hands buffers of one size to the kernel, which says with each completion
// which one it has used.
type buffers struct {
	group   uint16 // by which requests name them
	size    int
	memory  []byte // of the ring
	ring    []buffer
	tail    uint16
	batches [][]byte
	free    int // how many the kernel has
	// reserved is how many of those are spoken for.
	reserved int
}

// register makes the kernel know the buffers.
func (b *buffers) register(ring int) error {
	size := maxBuffers * int(unsafe.Sizeof(buffer{}))
	memory, err := mapMemory(size)
	if err != nil {
		return fmt.Errorf("map ring of buffers: %w", err)
	}
	b.memory = memory
	b.ring = unsafe.Slice((*buffer)(unsafe.Pointer(&memory[0])), maxBuffers)
	// struct io_uring_buf_reg
	reg := struct {
		addr         uint64
		entries      uint32
		group, flags uint16
		_            [3]uint64
	}{addr: address(memory), entries: maxBuffers, group: b.group}
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(ring), registerBufferRing, uintptr(unsafe.Pointer(&reg)), 1, 0, 0)
	if errno != 0 {
		return engine.Refuse("kernel too old", fmt.Errorf("register ring of buffers: %w", errno))
	}
	return b.grow()
}

var errFull = errors.New("no more buffers")

// grow adds a batch.
func (b *buffers) grow() error {
	each := batch / b.size
	first := len(b.batches) * each
	if first == maxBuffers {
		return errFull
	}
	memory, err := mapMemory(batch)
	if err != nil {
		return fmt.Errorf("map buffers: %w", err)
	}
	b.batches = append(b.batches, memory)
	for i := range each {
		b.put(uint16(first + i))
	}
	return nil
}

// reserve sees to it that there will be a buffer for a request.
func (b *buffers) reserve() error {
	if b.free == b.reserved {
		if err := b.grow(); err != nil {
			return err
		}
	}
	b.reserved++
	return nil
}

// bytes returns a buffer's memory.
func (b *buffers) bytes(id uint16) []byte {
	each := batch / b.size
	at := int(id) % each * b.size
	return b.batches[int(id)/each][at : at+b.size]
}

// put gives a buffer to the kernel.
func (b *buffers) put(id uint16) {
	e := &b.ring[b.tail%maxBuffers]
	e.addr, e.len, e.id = address(b.bytes(id)), uint32(b.size), id
	b.tail++
	b.free++
	// The tail publishes the entry, and there is no atomic store of 16 bits: so it
	// is stored together with the number beside it.
	halves := [2]uint16{b.ring[0].id, b.tail}
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&b.ring[0].id)), *(*uint32)(unsafe.Pointer(&halves)))
}

// close gives the memory back. The kernel must not use it any more.
func (b *buffers) close() {
	for _, memory := range b.batches {
		_ = unix.Munmap(memory)
	}
	if b.memory != nil {
		_ = unix.Munmap(b.memory)
	}
}

// mapMemory returns memory that stays where it is, whatever Go does.
func mapMemory(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
}

func address(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(&b[0]))) }
