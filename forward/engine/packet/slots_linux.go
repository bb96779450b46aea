package packet

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/forward/engine/packet/kern"
)

// slots are the places for pairs in the maps. Processes that share the maps share
// them: a slot belongs to whoever has put himself into its Meter.
type slots struct {
	meters []kern.Meter
	me     owner

	mu   sync.Mutex
	free []uint32  // those that this process has given back, to be taken first
	next uint32    // where to look for others
	full time.Time // when none was found
}

// fullFor is how long the slots are taken for full after a search: other processes may
// give theirs back, but a search looks at all.
const fullFor = 100 * time.Millisecond

// openSlots maps the meters into memory.
func openSlots(m *ebpf.Map, me owner) (*slots, error) {
	n := int(m.MaxEntries())
	page := unix.Getpagesize()
	size := (n*int(unsafe.Sizeof(kern.Meter{})) + page - 1) / page * page
	memory, err := unix.Mmap(m.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map meters into memory: %w", err)
	}
	meters := unsafe.Slice((*kern.Meter)(unsafe.Pointer(unsafe.SliceData(memory))), n)
	s := &slots{meters: meters, me: me}
	// Not when the engine is closed: whoever still asks a pair what it has moved
	// would take the process down.
	runtime.AddCleanup(s, func(memory []byte) { _ = unix.Munmap(memory) }, memory)
	return s, nil
}

// take returns a slot that was free and whose meter is zero.
func (s *slots) take() (uint32, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := len(s.free); n > 0; n = len(s.free) {
		slot := s.free[n-1]
		s.free = s.free[:n-1]
		if s.claim(slot, nobody) {
			return slot, true
		}
	}
	if time.Since(s.full) < fullFor {
		return 0, false
	}
	for range s.meters {
		slot := s.next % uint32(len(s.meters))
		s.next++
		if s.claim(slot, nobody) {
			return slot, true
		}
	}
	s.full = time.Now()
	return 0, false
}

// claim makes a slot of one owner this process's.
func (s *slots) claim(slot uint32, from owner) bool {
	m := &s.meters[slot]
	if !atomic.CompareAndSwapUint64(&m.Owner, uint64(from), uint64(s.me)) {
		return false
	}
	if from == nobody {
		owner := m.Owner
		*m = kern.Meter{Owner: owner}
	}
	return true
}

// give gives a slot back. No flow may lead to it any more.
func (s *slots) give(slot uint32) {
	atomic.StoreUint64(&s.meters[slot].Owner, uint64(nobody))
	s.mu.Lock()
	s.free = append(s.free, slot)
	s.mu.Unlock()
}

func (s *slots) meter(slot uint32) *kern.Meter { return &s.meters[slot] }

// owner returns who has taken a slot.
func (s *slots) owner(slot uint32) owner {
	return owner(atomic.LoadUint64(&s.meters[slot].Owner))
}
