package load

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// ErrNoKey is what Get and Delete answer for a key that is not in the map,
// and Put with ebpf.UpdateExist.
var ErrNoKey = ebpf.ErrKeyNotExist

// ErrKeyExists is what Put with ebpf.UpdateNoExist answers for a key that is
// there already.
var ErrKeyExists = ebpf.ErrKeyExist

// Map is a map with keys of type K and values of type V, which are exchanged
// with the kernel as they lie in memory. It may be used by several goroutines.
// It belongs to whoever gave the underlying map, and needs no closing.
type Map[K, V any] struct {
	m          *ebpf.Map
	name       string
	key, value *shape
}

// MapOf gives typed access to a map of the handle. The sizes of K and V must
// be the map's, and their fields must not contradict the object's types. For
// per-CPU maps use [PerCPUMapOf].
func MapOf[K, V any](h *Handle, name string) (*Map[K, V], error) {
	m, err := h.Map(name)
	if err != nil {
		return nil, err
	}
	t, err := OverMap[K, V](m)
	if err != nil {
		return nil, fmt.Errorf("open map %s: %w", name, err)
	}
	t.name = name
	if err := checkMapTypes(h.obj.spec.Maps[name], t.key, t.value); err != nil {
		return nil, fmt.Errorf("open map %s: %w", name, err)
	}
	return t, nil
}

// OverMap gives typed access to any map, such as a pinned one.
func OverMap[K, V any](m *ebpf.Map) (*Map[K, V], error) {
	if isPerCPU(m.Type()) {
		return nil, fmt.Errorf("map type %v has a value for each CPU: use PerCPUMapOf", m.Type())
	}
	key, value, err := shapesFor[K, V](m)
	if err != nil {
		return nil, err
	}
	return &Map[K, V]{m: m, name: m.String(), key: key, value: value}, nil
}

func shapesFor[K, V any](m *ebpf.Map) (key, value *shape, err error) {
	if key, err = shapeOf[K](); err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	if value, err = shapeOf[V](); err != nil {
		return nil, nil, fmt.Errorf("value: %w", err)
	}
	if err := key.checkSize(m.KeySize()); err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	if err := value.checkSize(m.ValueSize()); err != nil {
		return nil, nil, fmt.Errorf("value: %w", err)
	}
	return key, value, nil
}

func checkMapTypes(spec *ebpf.MapSpec, key, value *shape) error {
	for _, side := range []struct {
		name  string
		shape *shape
		typ   btf.Type
	}{{"key", key, spec.Key}, {"value", value, spec.Value}} {
		if err := side.shape.check(side.typ); err != nil {
			return fmt.Errorf("%s: %w", side.name, err)
		}
	}
	return nil
}

func isPerCPU(t ebpf.MapType) bool {
	switch t {
	case ebpf.PerCPUHash, ebpf.PerCPUArray, ebpf.LRUCPUHash, ebpf.PerCPUCGroupStorage:
		return true
	}
	return false
}

// Raw is the map underneath.
func (m *Map[K, V]) Raw() *ebpf.Map { return m.m }

// Get reads the value of a key; ErrNoKey if there is none.
func (m *Map[K, V]) Get(key K) (V, error) {
	// One allocation for both: the kernel is given their addresses.
	kv := &struct {
		key   K
		value V
	}{key: key}
	m.key.clean(bytesOf(&kv.key))
	err := m.m.Lookup(unsafe.Pointer(&kv.key), unsafe.Pointer(&kv.value))
	return kv.value, mapError("read", m.name, err)
}

// Put writes the value of a key. Flags say whether the key must exist or must
// not: ebpf.UpdateExist, ebpf.UpdateNoExist; by default either is right.
func (m *Map[K, V]) Put(key K, value V, flags ...ebpf.MapUpdateFlags) error {
	kv := &struct {
		key   K
		value V
	}{key, value}
	m.key.clean(bytesOf(&kv.key))
	m.value.clean(bytesOf(&kv.value))
	return mapError("write", m.name, m.m.Update(unsafe.Pointer(&kv.key), unsafe.Pointer(&kv.value), joinFlags(flags)))
}

func joinFlags(flags []ebpf.MapUpdateFlags) ebpf.MapUpdateFlags {
	var all ebpf.MapUpdateFlags
	for _, f := range flags {
		all |= f
	}
	return all
}

// Delete removes a key; ErrNoKey if it is not there.
func (m *Map[K, V]) Delete(key K) error {
	k := &key
	m.key.clean(bytesOf(k))
	return mapError("delete from", m.name, m.m.Delete(unsafe.Pointer(k)))
}

// All goes through the map in no particular order:
//
//	var err error
//	for k, v := range m.All(&err) { ... }
//	if err != nil { ... }
//
// err, which must not be nil, is set when the iteration ends: to nil or to
// what kept it from going on. Keys that come and go meanwhile may or may not
// be seen. Where the kernel can (5.6), entries are read many at a time.
func (m *Map[K, V]) All(err *error) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		*err = mapError("list", m.name, m.each(yield))
	}
}

func (m *Map[K, V]) each(yield func(K, V) bool) error {
	err := m.eachBatch(yield)
	if errors.Is(err, errNoBatch) {
		err = m.eachOne(yield)
	}
	return err
}

// batchSize is how many entries are read with one system call.
const batchSize = 512

// errNoBatch says that the kernel or the type of map knows no batches, and
// nothing has been yielded.
var errNoBatch = errors.New("no batch operations")

func (m *Map[K, V]) eachBatch(yield func(K, V) bool) error {
	var cursor ebpf.MapBatchCursor
	n := max(1, min(batchSize, int(m.m.MaxEntries())))
	for started := false; ; started = true {
		keys, values := make([]K, n), make([]V, n)
		count, err := m.m.BatchLookup(&cursor, rawSlice(keys), rawSlice(values), nil)
		done := errors.Is(err, ErrNoKey)
		switch {
		case done || err == nil:
		case isTooSmall(err) && n < int(m.m.MaxEntries()):
			// A bucket of the hash table is larger than the batch.
			n = min(2*n, int(m.m.MaxEntries()))
			continue
		case !started && lacksBatch(err):
			return errNoBatch
		default:
			return err
		}
		for i := range count {
			if !yield(keys[i], values[i]) {
				return nil
			}
		}
		if done {
			return nil
		}
	}
}

func (m *Map[K, V]) eachOne(yield func(K, V) bool) error {
	it := m.m.Iterate()
	for {
		kv := new(struct {
			key   K
			value V
		})
		if !it.Next(unsafe.Pointer(&kv.key), unsafe.Pointer(&kv.value)) {
			return it.Err()
		}
		if !yield(kv.key, kv.value) {
			return nil
		}
	}
}

// rawSlice is s seen as a slice of byte arrays, of which package ebpf knows
// that they have no holes and nothing hidden, so that it uses their memory.
func rawSlice[T any](s []T) any {
	var zero T
	raw := reflect.ArrayOf(len(s), reflect.ArrayOf(int(unsafe.Sizeof(zero)), reflect.TypeFor[byte]()))
	return reflect.NewAt(raw, unsafe.Pointer(unsafe.SliceData(s))).Elem().Slice(0, len(s)).Interface()
}
