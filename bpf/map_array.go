package bpf

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// Array is an array of MaxEntries values, all zero at the start.
type Array[V any] struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Lookup returns a pointer to the value at index, or nil if index is not
// below MaxEntries. Writing through it changes the entry. Where index is surely
// below, no check for nil is needed: to use nil is a fault.
//
//bpf:helper map_lookup_elem(m, &index)
func (m *Array[V]) Lookup(index uint32) *V {
	s := sim.Open[V](unsafe.Pointer(m), "Array.Lookup", sim.Array, m.MaxEntries)
	return (*V)(s.Lookup(sim.IndexKey(index)))
}

// Update sets the value at index; E2BIG if index is not below MaxEntries.
//
//bpf:helper map_update_elem(m, &index, &value, 0)
func (m *Array[V]) Update(index uint32, value V) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "Array.Update", sim.Array, m.MaxEntries)
	return Errno(s.Update(sim.IndexKey(index), unsafe.Pointer(&value), 0))
}

// UpdateFrom is Update for a value that already lies in memory: it saves a copy
// on the small stack.
//
//bpf:helper map_update_elem(m, &index, value, 0)
func (m *Array[V]) UpdateFrom(index uint32, value *V) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "Array.UpdateFrom", sim.Array, m.MaxEntries)
	return Errno(s.Update(sim.IndexKey(index), unsafe.Pointer(value), 0))
}

// PerCPUArray is an array with a value for every CPU: programs see the values of
// the CPU they run on, user space sees all of them.
type PerCPUArray[V any] struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Lookup returns a pointer to the value at index on this CPU, or nil if index is not
// below MaxEntries. Writing through it changes the entry.
//
//bpf:helper map_lookup_elem(m, &index)
func (m *PerCPUArray[V]) Lookup(index uint32) *V {
	s := sim.Open[V](unsafe.Pointer(m), "PerCPUArray.Lookup", sim.Array|sim.PerCPU, m.MaxEntries)
	return (*V)(s.Lookup(sim.IndexKey(index)))
}

// Update sets the value at index on this CPU; E2BIG if index is not below MaxEntries.
//
//bpf:helper map_update_elem(m, &index, &value, 0)
func (m *PerCPUArray[V]) Update(index uint32, value V) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "PerCPUArray.Update", sim.Array|sim.PerCPU, m.MaxEntries)
	return Errno(s.Update(sim.IndexKey(index), unsafe.Pointer(&value), 0))
}

// UpdateFrom is Update for a value that already lies in memory: it saves a copy
// on the small stack.
//
//bpf:helper map_update_elem(m, &index, value, 0)
func (m *PerCPUArray[V]) UpdateFrom(index uint32, value *V) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "PerCPUArray.UpdateFrom", sim.Array|sim.PerCPU, m.MaxEntries)
	return Errno(s.Update(sim.IndexKey(index), unsafe.Pointer(value), 0))
}

// Scratch is memory for one value too big for the 512-byte stack, one for each
// CPU. Its content is left from earlier programs on the same CPU.
type Scratch[T any] struct {
	MaxEntries uint32 // 1 unless set
	Flags      MapFlags
	Pin        bool
}

// Get returns this CPU's value, which is never nil.
//
//bpf:helper map_lookup_elem(m, &0)!
func (m *Scratch[T]) Get() *T {
	s := sim.Open[T](unsafe.Pointer(m), "Scratch.Get", sim.Array|sim.PerCPU, max(m.MaxEntries, 1))
	return (*T)(s.Lookup(sim.IndexKey(0)))
}
