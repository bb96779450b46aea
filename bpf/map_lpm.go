package bpf

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// LPMTrie finds the longest prefix that matches a key: routes and firewall
// rules. A key is packet.Prefix, or another struct whose first field is a
// uint32, the prefix length in bits, and whose other fields are the data, most
// significant byte first. Look-ups give the full length.
type LPMTrie[K comparable, V any] struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Lookup returns a pointer to the value of key, or nil. Writing through it
// changes the entry.
//
//bpf:helper map_lookup_elem(m, &key)
func (m *LPMTrie[K, V]) Lookup(key K) *V {
	s := sim.Open[V](unsafe.Pointer(m), "LPMTrie.Lookup", sim.LPM, m.MaxEntries)
	return (*V)(s.Lookup(sim.BytesOf(&key)))
}

// Update sets the value of key.
//
//bpf:helper map_update_elem(m, &key, &value, flags)
func (m *LPMTrie[K, V]) Update(key K, value V, flags UpdateFlag) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "LPMTrie.Update", sim.LPM, m.MaxEntries)
	return Errno(s.Update(sim.BytesOf(&key), unsafe.Pointer(&value), uint64(flags)))
}

// UpdateFrom is Update for a value that already lies in memory: it saves a copy
// on the small stack.
//
//bpf:helper map_update_elem(m, &key, value, flags)
func (m *LPMTrie[K, V]) UpdateFrom(key K, value *V, flags UpdateFlag) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "LPMTrie.UpdateFrom", sim.LPM, m.MaxEntries)
	return Errno(s.Update(sim.BytesOf(&key), unsafe.Pointer(value), uint64(flags)))
}

// Delete removes key; ENOENT if it is not there.
//
//bpf:helper map_delete_elem(m, &key)
func (m *LPMTrie[K, V]) Delete(key K) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "LPMTrie.Delete", sim.LPM, m.MaxEntries)
	return Errno(s.Delete(sim.BytesOf(&key)))
}
