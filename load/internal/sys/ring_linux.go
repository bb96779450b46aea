package sys

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Ring is the memory of a BPF ring buffer, see kernel/bpf/ringbuf.c: a page
// with the consumer's position, a page with the producer's, and the data,
// mapped twice in a row so that no record is ever cut in two.
type Ring struct {
	// Consumer is the position up to which the data has been read. Only user
	// space writes it.
	Consumer *atomic.Uint64
	// Producer is the position up to which the kernel has handed out space.
	Producer *atomic.Uint64
	// Data holds the buffer twice.
	Data []byte

	consumerPage, producerPages []byte
}

// MapRing maps the ring buffer map behind fd, whose data has size bytes.
func MapRing(fd, size int) (*Ring, error) {
	page := os.Getpagesize()
	consumer, err := unix.Mmap(fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map ring buffer: %w", err)
	}
	producer, err := unix.Mmap(fd, int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map ring buffer: %w", err), unix.Munmap(consumer))
	}
	return &Ring{
		Consumer:      (*atomic.Uint64)(unsafe.Pointer(&consumer[0])),
		Producer:      (*atomic.Uint64)(unsafe.Pointer(&producer[0])),
		Data:          producer[page:],
		consumerPage:  consumer,
		producerPages: producer,
	}, nil
}

// Close unmaps the memory. No slice of Data may be used afterwards.
func (r *Ring) Close() error {
	return errors.Join(unix.Munmap(r.consumerPage), unix.Munmap(r.producerPages))
}
