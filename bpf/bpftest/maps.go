package bpftest

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// Table is any of package bpf's hash tables and tries.
type Table[K, V any] interface {
	Lookup(K) *V
	Delete(K) bpf.Errno
}

// Entries returns the entries of a hash table or trie; of a per-CPU one, with the
// values of the current CPU.
func Entries[K comparable, V any](k *Kernel, m Table[K, V]) map[K]V {
	out := map[K]V{}
	s := k.sim.Find(sim.PointerOf(m))
	if s == nil {
		return out
	}
	for _, b := range s.Keys() {
		values := s.Values(b)
		out[decode[K](b)] = *(*V)(values[k.sim.CPU%len(values)])
	}
	return out
}

// PerCPU returns the values that a per-CPU hash table has for key, one for each
// CPU; nil if key is not there.
func PerCPU[K comparable, V any](k *Kernel, m Table[K, V], key K) []V {
	s := k.sim.Find(sim.PointerOf(m))
	if s == nil {
		return nil
	}
	return values[V](s.Values(sim.BytesOf(&key)))
}

// PerCPUAt returns the values that a per-CPU array has at index, one for each
// CPU.
func PerCPUAt[V any](k *Kernel, m *bpf.PerCPUArray[V], index uint32) []V {
	m.Lookup(index) // makes the entry
	return values[V](k.sim.Find(unsafe.Pointer(m)).Values(sim.IndexKey(index)))
}

func values[V any](ptrs []unsafe.Pointer) []V {
	var out []V
	for _, p := range ptrs {
		out = append(out, *(*V)(p))
	}
	return out
}

// Events takes the records out of a ring buffer, in the order they were sent. Of
// records cut short by OutputN the rest is zero.
func Events[T any](k *Kernel, m *bpf.RingBuf[T]) []T {
	var out []T
	for _, b := range records(k, m) {
		out = append(out, decode[T](b))
	}
	return out
}

// Sample is a record from a PerfEventArray, with the piece of the packet that
// OutputPacket appended.
type Sample[T any] struct {
	Value  T
	Packet []byte
}

// Samples takes the records out of a PerfEventArray, in the order they were sent.
func Samples[T any](k *Kernel, m *bpf.PerfEventArray[T]) []Sample[T] {
	var out []Sample[T]
	for _, b := range records(k, m) {
		v := decode[T](b)
		out = append(out, Sample[T]{v, b[unsafe.Sizeof(v):]})
	}
	return out
}

func records(k *Kernel, m any) [][]byte {
	if s := k.sim.Find(sim.PointerOf(m)); s != nil {
		return s.Drain()
	}
	return nil
}

// Lost returns how many records a ring buffer had no room for.
func Lost[T any](k *Kernel, m *bpf.RingBuf[T]) int { return lost(k, m) }

// LostSamples returns how many records a perf event array had no room for.
func LostSamples[T any](k *Kernel, m *bpf.PerfEventArray[T]) int { return lost(k, m) }

func lost(k *Kernel, m any) int {
	if s := k.sim.Find(sim.PointerOf(m)); s != nil {
		return s.Ring.Lost
	}
	return 0
}

// Wakeups returns how often a ring buffer woke its reader.
func Wakeups[T any](k *Kernel, m *bpf.RingBuf[T]) int {
	if s := k.sim.Find(unsafe.Pointer(m)); s != nil {
		return s.Ring.Wakeups
	}
	return 0
}

// Fail makes the next n records find no room in a ring buffer.
func Fail[T any](k *Kernel, m *bpf.RingBuf[T], n int) {
	s := sim.Open[T](unsafe.Pointer(m), "bpftest", sim.Ring, m.MaxEntries)
	s.Ring.FailNext = n
}

// FailSamples makes the next n records find no room in a perf event array.
func FailSamples[T any](k *Kernel, m *bpf.PerfEventArray[T], n int) {
	s := sim.Open[T](unsafe.Pointer(m), "bpftest", sim.Perf, m.MaxEntries)
	s.Ring.FailNext = n
}

// decode makes a T of its bytes in memory; what is missing is zero.
func decode[T any](b []byte) T {
	var v T
	copy(sim.Memory(&v), b)
	return v
}
