package uring

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// The buffers of a ring. They are mapped a batch at a time, when all are in use, and
// stay. A direction holds a few at most (see highWater), so their number follows that
// of the readers that are slow at the same time.
const (
	bufferSize = 64 << 10
	batch      = 16
	maxBuffers = 4096 // 256 MiB
)

// bufferGroup is the number by which requests name a ring's buffers.
const bufferGroup = 0

// buffer is struct io_uring_buf: an entry of the ring of buffers.
type buffer struct {
	addr uint64
	len  uint32
	id   uint16
	// tail is that of the ring, in its first entry.
	tail uint16
}

// buffers hands buffers to the kernel, which says with each completion which one it
// has used.
type buffers struct {
	memory  []byte // of the ring
	ring    []buffer
	tail    uint16
	batches [][]byte
	free    int // those the kernel has
}

func (b *buffers) register(ring int) error {
	size := maxBuffers * int(unsafe.Sizeof(buffer{}))
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
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
	}{addr: uint64(uintptr(unsafe.Pointer(&memory[0]))), entries: maxBuffers, group: bufferGroup}
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(ring), registerBufferRing, uintptr(unsafe.Pointer(&reg)), 1, 0, 0)
	if errno != 0 {
		return engine.Refuse("kernel too old", fmt.Errorf("register ring of buffers: %w", errno))
	}
	return b.grow()
}

var errFull = errors.New("no more buffers")

// grow adds a batch.
func (b *buffers) grow() error {
	if len(b.batches)*batch == maxBuffers {
		return errFull
	}
	memory, err := unix.Mmap(-1, 0, batch*bufferSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("map buffers: %w", err)
	}
	first := len(b.batches) * batch
	b.batches = append(b.batches, memory)
	for i := range batch {
		b.put(uint16(first + i))
	}
	return nil
}

// bytes returns a buffer's memory.
func (b *buffers) bytes(id uint16) []byte {
	at := int(id) % batch * bufferSize
	return b.batches[int(id)/batch][at : at+bufferSize]
}

// put gives a buffer to the kernel.
func (b *buffers) put(id uint16) {
	e := &b.ring[b.tail%maxBuffers]
	e.addr, e.len, e.id = address(b.bytes(id)), bufferSize, id
	b.tail++
	b.free++
	// The tail publishes the entry, and there is no atomic store of 16 bits: so it
	// is stored together with the number beside it.
	halves := [2]uint16{b.ring[0].id, b.tail}
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&b.ring[0].id)), *(*uint32)(unsafe.Pointer(&halves)))
}

func address(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(&b[0]))) }

// close gives the memory back. The kernel must not use it any more.
func (b *buffers) close() {
	for _, memory := range b.batches {
		_ = unix.Munmap(memory)
	}
	if b.memory != nil {
		_ = unix.Munmap(b.memory)
	}
}
