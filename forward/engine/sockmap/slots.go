package sockmap

import (
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/sockmap/kern"
	"github.com/waggle-bpf/waggle/load"
)

// slots are the places for pairs: two entries in each map.
type slots struct {
	memory []byte // of the map of lanes
	lanes  []kern.Lane

	mu   sync.Mutex
	free []uint32
}

// openSlots maps the lanes of so many pairs into memory.
func openSlots(lanes *load.Map[uint32, kern.Lane], pairs int) (*slots, error) {
	n := 2 * pairs
	page := unix.Getpagesize()
	size := (n*int(unsafe.Sizeof(kern.Lane{})) + page - 1) / page * page
	memory, err := unix.Mmap(lanes.Raw().FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map lanes into memory: %w", err)
	}
	s := &slots{memory: memory, lanes: unsafe.Slice((*kern.Lane)(unsafe.Pointer(unsafe.SliceData(memory))), n)}
	for slot := pairs - 1; slot >= 0; slot-- {
		s.free = append(s.free, uint32(slot))
	}
	return s, nil
}

func (s *slots) close() error { return unix.Munmap(s.memory) }

func (s *slots) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lanes)/2 - len(s.free)
}

// take returns a slot whose lanes are zero.
func (s *slots) take() (uint32, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.free) - 1
	if last < 0 {
		return 0, false
	}
	slot := s.free[last]
	s.free = s.free[:last]
	return slot, true
}

// give gives a slot back. The program must not find its lanes any more.
func (s *slots) give(slot uint32) {
	for _, d := range directions {
		*s.lane(slot, d) = kern.Lane{}
	}
	s.mu.Lock()
	s.free = append(s.free, slot)
	s.mu.Unlock()
}

// directions are the indexes of a pair's lanes and of the connections they read.
var directions = [2]engine.Direction{engine.Up, engine.Down}

// index is where in the maps a slot has what belongs to a direction.
func index(slot uint32, d engine.Direction) uint32 { return 2*slot + uint32(d) }

func (s *slots) lane(slot uint32, d engine.Direction) *kern.Lane { return &s.lanes[index(slot, d)] }
