package sim

import (
	"encoding/binary"
	"slices"
	"unsafe"
)

// Kind says how a map behaves.
type Kind uint8

// The kinds of map.
const (
	Hash  Kind = iota
	LRU        // evicts the entry unused for longest instead of refusing a new one
	LPM        // looks up the longest prefix
	Array      // all entries exist
	Refs       // values are references to programs, sockets or devices; all entries start empty
	Queue
	Stack
	Ring
	Perf // like Ring, without a bound of its own

	PerCPU Kind = 1 << 7 // added to a kind: a value for every CPU
)

// Results of map operations: negative error numbers.
const (
	eNoEnt  = -2
	eTooBig = -7
	eAgain  = -11
	eNoMem  = -12
	eFault  = -14
	eExist  = -17
	eInval  = -22
)

// Update flags, as in the UAPI.
const (
	flagNoExist = 1
	flagExist   = 2
)

// Map is the content of one map variable.
type Map struct {
	Kind       Kind
	MaxEntries uint32

	perCPU  bool
	alloc   func() unsafe.Pointer         // a zero value
	assign  func(dst, src unsafe.Pointer) // *dst = *src
	k       *Kernel
	entries map[string]*entry
	tick    uint64           // time of last use, for LRU
	items   []unsafe.Pointer // of queues and stacks
	Ring    RingState
}

type entry struct {
	key    string
	values []unsafe.Pointer // one, or one for each CPU
	ref    any              // of a Refs map
	used   uint64
}

// Open returns the content of the map variable at v, whose values have type V,
// creating it if need be; what names the caller.
func Open[V any](v unsafe.Pointer, what string, kind Kind, maxEntries uint32) *Map {
	k := Current(what)
	k.mu.Lock()
	defer k.mu.Unlock()
	m := k.maps[v]
	if m == nil {
		m = &Map{
			Kind: kind &^ PerCPU, MaxEntries: maxEntries, perCPU: kind&PerCPU != 0,
			alloc:   func() unsafe.Pointer { return unsafe.Pointer(new(V)) },
			assign:  func(dst, src unsafe.Pointer) { *(*V)(dst) = *(*V)(src) },
			k:       k,
			entries: map[string]*entry{},
		}
		k.maps[v] = m
	}
	return m
}

// Find returns the content of the map variable at v, nil if it was never used.
func (k *Kernel) Find(v unsafe.Pointer) *Map {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.maps[v]
}

// IndexKey is the key of an array entry.
func IndexKey(i uint32) []byte { return binary.NativeEndian.AppendUint32(nil, i) }

// Lookup returns the value of key on the current CPU, or nil.
func (m *Map) Lookup(key []byte) unsafe.Pointer {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	e := m.find(key)
	if e == nil {
		return nil
	}
	m.tick++
	e.used = m.tick
	return e.values[m.cpu()]
}

// Update sets the value of key and returns 0 or a negative error number.
func (m *Map) Update(key []byte, value unsafe.Pointer, flags uint64) int32 {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if m.Kind == Array {
		return m.updateArray(key, value, flags)
	}
	e := m.entries[string(key)]
	if errno := m.admit(e, key, flags); errno != 0 {
		return errno
	}
	if e == nil {
		e = m.insert(key)
	}
	// Like the kernel, replace the element: pointers from earlier look-ups
	// keep the old one.
	if !m.perCPU {
		e.values[0] = m.alloc()
	}
	m.assign(e.values[m.cpu()], value)
	m.tick++
	e.used = m.tick
	return 0
}

// admit checks the flags and makes room in a full LRU map.
func (m *Map) admit(e *entry, key []byte, flags uint64) int32 {
	switch {
	case flags&3 == flagNoExist && e != nil:
		return eExist
	case flags&3 == flagExist && e == nil:
		return eNoEnt
	case m.Kind == LPM && !validPrefix(key):
		return eInval
	case e != nil || len(m.entries) < int(m.MaxEntries):
		return 0
	case m.Kind == LRU:
		m.evict()
		return 0
	}
	return eTooBig
}

func (m *Map) updateArray(key []byte, value unsafe.Pointer, flags uint64) int32 {
	if flags&3 == flagNoExist {
		return eExist
	}
	e := m.find(key)
	if e == nil {
		return eTooBig
	}
	m.assign(e.values[m.cpu()], value)
	return 0
}

// Delete removes key and returns 0 or a negative error number.
func (m *Map) Delete(key []byte) int32 {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if m.Kind == Array {
		return eInval
	}
	if m.entries[string(key)] == nil {
		return eNoEnt
	}
	delete(m.entries, string(key))
	return 0
}

// find returns the entry that a look-up of key gives; array entries come into
// being on first sight.
func (m *Map) find(key []byte) *entry {
	switch m.Kind {
	case LPM:
		return m.longestPrefix(key)
	case Array:
		if binary.NativeEndian.Uint32(key) >= m.MaxEntries {
			return nil
		}
		if e := m.entries[string(key)]; e != nil {
			return e
		}
		return m.insert(key)
	}
	return m.entries[string(key)]
}

func (m *Map) insert(key []byte) *entry {
	n := 1
	if m.perCPU {
		n = NumCPU
	}
	e := &entry{key: string(key)}
	for range n {
		e.values = append(e.values, m.alloc())
	}
	m.entries[e.key] = e
	return e
}

func (m *Map) evict() {
	var oldest *entry
	for _, e := range m.entries {
		if oldest == nil || e.used < oldest.used {
			oldest = e
		}
	}
	if oldest != nil {
		delete(m.entries, oldest.key)
	}
}

func (m *Map) cpu() int {
	if m.perCPU {
		return m.k.CPU
	}
	return 0
}

// Keys returns the keys of all entries, sorted as strings of bytes.
func (m *Map) Keys() [][]byte {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	var keys [][]byte
	for k := range m.entries {
		keys = append(keys, []byte(k))
	}
	slices.SortFunc(keys, slices.Compare)
	return keys
}

// Values returns the values of the entry with exactly this key: one, or one for
// each CPU.
func (m *Map) Values(key []byte) []unsafe.Pointer {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if e := m.entries[string(key)]; e != nil {
		return slices.Clone(e.values)
	}
	return nil
}

// SetRef puts a reference into a Refs map; nil removes it.
func (m *Map) SetRef(key []byte, ref any, flags uint64) int32 {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if m.Kind == Refs && ref == nil {
		delete(m.entries, string(key))
		return 0
	}
	e := m.entries[string(key)]
	if errno := m.admit(e, key, flags); errno != 0 {
		return errno
	}
	if e == nil {
		e = m.insert(key)
	}
	e.ref = ref
	return 0
}

// Ref returns the reference of key; nil if there is none.
func (m *Map) Ref(key []byte) any {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if e := m.entries[string(key)]; e != nil {
		return e.ref
	}
	return nil
}

// Push adds a value to a queue or stack.
func (m *Map) Push(value unsafe.Pointer, flags uint64) int32 {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if len(m.items) >= int(m.MaxEntries) {
		if flags&flagExist == 0 { // BPF_EXIST: make room
			return eTooBig
		}
		m.items = m.items[1:]
	}
	item := m.alloc()
	m.assign(item, value)
	m.items = append(m.items, item)
	return 0
}

// Pop copies the next value of a queue or stack to value, and removes it if
// remove is set.
func (m *Map) Pop(value unsafe.Pointer, remove bool) int32 {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if len(m.items) == 0 {
		return eNoEnt
	}
	i := 0
	if m.Kind == Stack {
		i = len(m.items) - 1
	}
	m.assign(value, m.items[i])
	if remove {
		m.items = slices.Delete(m.items, i, i+1)
	}
	return 0
}

// Unbounded is the size of maps that have none.
const Unbounded = 1 << 31

// TailCallTo is the panic that carries a tail call out of the calling program.
type TailCallTo struct{ Program any }

// TailCall leaves the running program for the one at index, if there is one.
func (m *Map) TailCall(index uint32) {
	if p := m.Ref(IndexKey(index)); p != nil && m.k.TailCalls > 0 {
		m.k.TailCalls--
		panic(TailCallTo{p})
	}
}
