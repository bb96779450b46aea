package load

import (
	"fmt"
	"iter"
	"unsafe"

	"github.com/cilium/ebpf"
)

// PerCPUMap is a map that has a value of type V for each CPU under each key.
// It is to [Map] what its values are to one value.
type PerCPUMap[K, V any] struct {
	m          *ebpf.Map
	name       string
	key, value *shape
}

// PerCPUMapOf gives typed access to a per-CPU map of the handle, with the
// checks of [MapOf].
func PerCPUMapOf[K, V any](h *Handle, name string) (*PerCPUMap[K, V], error) {
	m, err := h.Map(name)
	if err != nil {
		return nil, err
	}
	t, err := OverPerCPUMap[K, V](m)
	if err != nil {
		return nil, fmt.Errorf("open map %s: %w", name, err)
	}
	t.name = name
	if err := checkMapTypes(h.obj.spec.Maps[name], t.key, t.value); err != nil {
		return nil, fmt.Errorf("open map %s: %w", name, err)
	}
	return t, nil
}

// OverPerCPUMap gives typed access to any per-CPU map, such as a pinned one.
func OverPerCPUMap[K, V any](m *ebpf.Map) (*PerCPUMap[K, V], error) {
	if !isPerCPU(m.Type()) {
		return nil, fmt.Errorf("map type %v has one value for all CPUs: use MapOf", m.Type())
	}
	key, value, err := shapesFor[K, V](m)
	if err != nil {
		return nil, err
	}
	return &PerCPUMap[K, V]{m: m, name: m.String(), key: key, value: value}, nil
}

// Raw is the map underneath.
func (m *PerCPUMap[K, V]) Raw() *ebpf.Map { return m.m }

// Get reads the values of a key, by CPU number; ErrNoKey if there is none.
func (m *PerCPUMap[K, V]) Get(key K) ([]V, error) {
	k := &key
	m.key.clean(bytesOf(k))
	b, err := m.m.LookupBytes(unsafe.Pointer(k))
	if err == nil && b == nil {
		err = ErrNoKey // LookupBytes says so with nil
	}
	if err != nil {
		return nil, mapError("read", m.name, err)
	}
	return m.decode(b), nil
}

// stride is the distance between the values of two CPUs: the kernel rounds up.
func (m *PerCPUMap[K, V]) stride() int { return (int(m.value.typ.Size()) + 7) &^ 7 }

func (m *PerCPUMap[K, V]) decode(b []byte) []V {
	values := make([]V, len(b)/m.stride())
	for i := range values {
		copy(bytesOf(&values[i]), b[i*m.stride():])
	}
	return values
}

// Put writes the values of a key, by CPU number; CPUs beyond the last value
// get zero.
func (m *PerCPUMap[K, V]) Put(key K, values []V, flags ...ebpf.MapUpdateFlags) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return mapError("write", m.name, err)
	}
	if len(values) > cpus {
		return mapError("write", m.name, fmt.Errorf("%d values for %d CPUs", len(values), cpus))
	}
	raw := make([][]byte, len(values))
	for i := range values {
		raw[i] = bytesOf(&values[i])
		m.value.clean(raw[i])
	}
	k := &key
	m.key.clean(bytesOf(k))
	return mapError("write", m.name, m.m.Update(unsafe.Pointer(k), raw, joinFlags(flags)))
}

// Delete removes a key; ErrNoKey if it is not there.
func (m *PerCPUMap[K, V]) Delete(key K) error {
	k := &key
	m.key.clean(bytesOf(k))
	return mapError("delete from", m.name, m.m.Delete(unsafe.Pointer(k)))
}

// All goes through the map as [Map.All] does.
func (m *PerCPUMap[K, V]) All(err *error) iter.Seq2[K, []V] {
	return func(yield func(K, []V) bool) {
		*err = mapError("list", m.name, m.each(yield))
	}
}

func (m *PerCPUMap[K, V]) each(yield func(K, []V) bool) error {
	keys := new(struct{ now, next K })
	from := any(nil)
	for seen := uint32(0); ; {
		err := m.m.NextKey(from, unsafe.Pointer(&keys.next))
		if isEnd(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if seen++; seen > m.m.MaxEntries() {
			return ebpf.ErrIterationAborted // deletions made it start over
		}
		keys.now = keys.next
		from = unsafe.Pointer(&keys.now)
		b, err := m.m.LookupBytes(from)
		if err != nil {
			return err
		}
		// A key that went away in between has no values.
		if b != nil && !yield(keys.now, m.decode(b)) {
			return nil
		}
	}
}

// Number is what Sum can add up.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr | ~float32 | ~float64
}

// Sum adds up the values of all CPUs.
func Sum[V Number](perCPU []V) V {
	var sum V
	for _, v := range perCPU {
		sum += v
	}
	return sum
}
