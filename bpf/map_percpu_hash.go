package bpf

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// PerCPUHash is a hash table with a value for every CPU: programs see the value
// of the CPU they run on, user space sees all of them.
// Counters in it need no atomics unless programs may interrupt each other.
type PerCPUHash[K comparable, V any] struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Lookup returns a pointer to the value of key on this CPU, or nil. Writing through it
// changes the entry.
//
//bpf:helper map_lookup_elem(m, &key)
func (m *PerCPUHash[K, V]) Lookup(key K) *V {
	s := sim.Open[V](unsafe.Pointer(m), "PerCPUHash.Lookup", sim.Hash|sim.PerCPU, m.MaxEntries)
	return (*V)(s.Lookup(sim.BytesOf(&key)))
}

// Update sets the value of key on this CPU.
//
//bpf:helper map_update_elem(m, &key, &value, flags)
func (m *PerCPUHash[K, V]) Update(key K, value V, flags UpdateFlag) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "PerCPUHash.Update", sim.Hash|sim.PerCPU, m.MaxEntries)
	return Errno(s.Update(sim.BytesOf(&key), unsafe.Pointer(&value), uint64(flags)))
}

// UpdateFrom is Update for a value that already lies in memory: it saves a copy
// on the small stack.
//
//bpf:helper map_update_elem(m, &key, value, flags)
func (m *PerCPUHash[K, V]) UpdateFrom(key K, value *V, flags UpdateFlag) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "PerCPUHash.UpdateFrom", sim.Hash|sim.PerCPU, m.MaxEntries)
	return Errno(s.Update(sim.BytesOf(&key), unsafe.Pointer(value), uint64(flags)))
}

// Delete removes key; ENOENT if it is not there.
//
//bpf:helper map_delete_elem(m, &key)
func (m *PerCPUHash[K, V]) Delete(key K) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "PerCPUHash.Delete", sim.Hash|sim.PerCPU, m.MaxEntries)
	return Errno(s.Delete(sim.BytesOf(&key)))
}

// LRUPerCPUHash is an LRUHash with a value for every CPU.
type LRUPerCPUHash[K comparable, V any] struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Lookup returns a pointer to the value of key on this CPU, or nil. Writing through it
// changes the entry.
//
//bpf:helper map_lookup_elem(m, &key)
func (m *LRUPerCPUHash[K, V]) Lookup(key K) *V {
	s := sim.Open[V](unsafe.Pointer(m), "LRUPerCPUHash.Lookup", sim.LRU|sim.PerCPU, m.MaxEntries)
	return (*V)(s.Lookup(sim.BytesOf(&key)))
}

// Update sets the value of key on this CPU.
//
//bpf:helper map_update_elem(m, &key, &value, flags)
func (m *LRUPerCPUHash[K, V]) Update(key K, value V, flags UpdateFlag) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "LRUPerCPUHash.Update", sim.LRU|sim.PerCPU, m.MaxEntries)
	return Errno(s.Update(sim.BytesOf(&key), unsafe.Pointer(&value), uint64(flags)))
}

// UpdateFrom is Update for a value that already lies in memory: it saves a copy
// on the small stack.
//
//bpf:helper map_update_elem(m, &key, value, flags)
func (m *LRUPerCPUHash[K, V]) UpdateFrom(key K, value *V, flags UpdateFlag) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "LRUPerCPUHash.UpdateFrom", sim.LRU|sim.PerCPU, m.MaxEntries)
	return Errno(s.Update(sim.BytesOf(&key), unsafe.Pointer(value), uint64(flags)))
}

// Delete removes key; ENOENT if it is not there.
//
//bpf:helper map_delete_elem(m, &key)
func (m *LRUPerCPUHash[K, V]) Delete(key K) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "LRUPerCPUHash.Delete", sim.LRU|sim.PerCPU, m.MaxEntries)
	return Errno(s.Delete(sim.BytesOf(&key)))
}
