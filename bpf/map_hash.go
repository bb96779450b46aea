package bpf

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// Hash is a hash table. Full, it refuses new keys with E2BIG.
// Programs run at the same time on several CPUs: to change a value that they
// share takes atomics or a SpinLock.
type Hash[K comparable, V any] struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Lookup returns a pointer to the value of key, or nil. Writing through it
// changes the entry.
//
//bpf:helper map_lookup_elem(m, &key)
func (m *Hash[K, V]) Lookup(key K) *V {
	s := sim.Open[V](unsafe.Pointer(m), "Hash.Lookup", sim.Hash, m.MaxEntries)
	return (*V)(s.Lookup(sim.BytesOf(&key)))
}

// Update sets the value of key.
//
//bpf:helper map_update_elem(m, &key, &value, flags)
func (m *Hash[K, V]) Update(key K, value V, flags UpdateFlag) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "Hash.Update", sim.Hash, m.MaxEntries)
	return Errno(s.Update(sim.BytesOf(&key), unsafe.Pointer(&value), uint64(flags)))
}

// UpdateFrom is Update for a value that already lies in memory: it saves a copy
// on the small stack.
//
//bpf:helper map_update_elem(m, &key, value, flags)
func (m *Hash[K, V]) UpdateFrom(key K, value *V, flags UpdateFlag) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "Hash.UpdateFrom", sim.Hash, m.MaxEntries)
	return Errno(s.Update(sim.BytesOf(&key), unsafe.Pointer(value), uint64(flags)))
}

// Delete removes key; ENOENT if it is not there.
//
//bpf:helper map_delete_elem(m, &key)
func (m *Hash[K, V]) Delete(key K) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "Hash.Delete", sim.Hash, m.MaxEntries)
	return Errno(s.Delete(sim.BytesOf(&key)))
}

// LRUHash is a hash table that makes room for new keys by dropping those
// unused for longest.
// Which key goes is approximate, and a full table may drop keys somewhat
// before MaxEntries are in use.
type LRUHash[K comparable, V any] struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Lookup returns a pointer to the value of key, or nil. Writing through it
// changes the entry.
//
//bpf:helper map_lookup_elem(m, &key)
func (m *LRUHash[K, V]) Lookup(key K) *V {
	s := sim.Open[V](unsafe.Pointer(m), "LRUHash.Lookup", sim.LRU, m.MaxEntries)
	return (*V)(s.Lookup(sim.BytesOf(&key)))
}

// Update sets the value of key.
//
//bpf:helper map_update_elem(m, &key, &value, flags)
func (m *LRUHash[K, V]) Update(key K, value V, flags UpdateFlag) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "LRUHash.Update", sim.LRU, m.MaxEntries)
	return Errno(s.Update(sim.BytesOf(&key), unsafe.Pointer(&value), uint64(flags)))
}

// UpdateFrom is Update for a value that already lies in memory: it saves a copy
// on the small stack.
//
//bpf:helper map_update_elem(m, &key, value, flags)
func (m *LRUHash[K, V]) UpdateFrom(key K, value *V, flags UpdateFlag) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "LRUHash.UpdateFrom", sim.LRU, m.MaxEntries)
	return Errno(s.Update(sim.BytesOf(&key), unsafe.Pointer(value), uint64(flags)))
}

// Delete removes key; ENOENT if it is not there.
//
//bpf:helper map_delete_elem(m, &key)
func (m *LRUHash[K, V]) Delete(key K) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "LRUHash.Delete", sim.LRU, m.MaxEntries)
	return Errno(s.Delete(sim.BytesOf(&key)))
}
