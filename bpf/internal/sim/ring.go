package sim

import (
	"slices"
	"unsafe"
)

// RingState is what ring buffers and perf event arrays keep: the records that
// programs sent and nobody read yet.
type RingState struct {
	Records  [][]byte
	Wakeups  int // how often the reader was woken
	Lost     int // how many reservations and outputs failed
	FailNext int // the next so many reservations and outputs fail, as if the buffer were full
	used     uint64
	produced uint64 // bytes ever used
	reserved map[unsafe.Pointer]int
}

const (
	ringHeader   = 8
	flagNoWakeup = 1
	flagWakeup   = 2
)

// Reserve takes room for a value of size bytes at p; false if the ring is full.
func (m *Map) Reserve(p unsafe.Pointer, size int) bool {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if !m.room(size) {
		return false
	}
	if m.Ring.reserved == nil {
		m.Ring.reserved = map[unsafe.Pointer]int{}
	}
	m.Ring.reserved[p] = size
	return true
}

// room accounts for a record of size bytes.
func (m *Map) room(size int) bool {
	need := roundUp(size)
	if m.Ring.FailNext > 0 {
		m.Ring.FailNext--
		m.Ring.Lost++
		return false
	}
	if m.Kind == Ring && m.Ring.used+need > uint64(m.MaxEntries) {
		m.Ring.Lost++
		return false
	}
	m.Ring.used += need
	m.Ring.produced += need
	return true
}

// roundUp is the room that a record of size bytes takes in a ring buffer.
func roundUp(size int) uint64 { return uint64(ringHeader+size+7) &^ 7 }

// Submit publishes or discards the record reserved at p.
func (m *Map) Submit(p unsafe.Pointer, record []byte, flags uint64, discard bool) {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if _, ok := m.Ring.reserved[p]; !ok {
		panic("bpf: Submit or Discard of a record that is not reserved")
	}
	delete(m.Ring.reserved, p)
	if !discard {
		m.Ring.Records = append(m.Ring.Records, record)
	}
	m.wake(flags)
}

// Output publishes a copy of record.
func (m *Map) Output(record []byte, flags uint64) int32 {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if !m.room(len(record)) {
		return eAgain
	}
	m.Ring.Records = append(m.Ring.Records, slices.Clone(record))
	m.wake(flags)
	return 0
}

// wake counts a wake-up; without flags, the kernel wakes a reader that has
// caught up.
func (m *Map) wake(flags uint64) {
	if flags&flagWakeup != 0 || flags&flagNoWakeup == 0 && len(m.Ring.Records) == 1 {
		m.Ring.Wakeups++
	}
}

// Available returns the bytes that wait for the reader, headers included.
func (m *Map) Available() uint64 {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	return m.Ring.used
}

// Produced returns the bytes that were ever reserved, headers included.
func (m *Map) Produced() uint64 {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	return m.Ring.produced
}

// Drain takes all records out.
func (m *Map) Drain() [][]byte {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	records := m.Ring.Records
	m.Ring.Records, m.Ring.used = nil, 0
	for _, size := range m.Ring.reserved {
		m.Ring.used += roundUp(size)
	}
	return records
}
