package load

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// pinDir is a directory on the BPF file system that ends with the test.
func pinDir(t testing.TB) string {
	t.Helper()
	testkit.RequireRoot(t)
	dir := filepath.Join("/sys/fs/bpf", strings.ReplaceAll(t.Name(), "/", "_"))
	t.Cleanup(func() { removeAll(t, dir) })
	return dir
}

// flowKey is struct key of testdata/maps.c: it has holes.
type flowKey struct {
	Proto uint8
	Addr  uint32
	Port  uint16
}

func TestMap(t *testing.T) {
	h := loadObject(t, openObject(t, "maps.o"), Options{PinPath: pinDir(t)})
	flows, err := MapOf[flowKey, value](h, "flows")
	if err != nil {
		t.Fatal(err)
	}
	key := flowKey{Proto: 6, Addr: 0x0100007f, Port: 80}
	if _, err := flows.Get(key); !errors.Is(err, ErrNoKey) {
		t.Errorf("get from an empty map: %v", err)
	}
	if err := flows.Put(key, value{Packets: 41}, ebpf.UpdateExist); !errors.Is(err, ErrNoKey) {
		t.Errorf("put with UpdateExist: %v", err)
	}
	if err := flows.Put(dirty(key), value{Packets: 41, Last: 9}); err != nil {
		t.Fatal(err)
	}
	if err := flows.Put(key, value{}, ebpf.UpdateNoExist); !errors.Is(err, ErrKeyExists) {
		t.Errorf("put with UpdateNoExist: %v", err)
	}
	run(t, h, "main_prog", 1) // finds the key only if the holes are zero
	if v, err := flows.Get(dirty(key)); err != nil || v.Packets != 42 || v.Last != 9 {
		t.Errorf("get: %+v, %v; want 42 packets", v, err)
	}
	if err := flows.Delete(dirty(key)); err != nil {
		t.Error(err)
	}
	if err := flows.Delete(key); !errors.Is(err, ErrNoKey) {
		t.Errorf("delete again: %v", err)
	}
}

// dirty fills the holes of a key with what may be left of other values.
func dirty(k flowKey) flowKey {
	b := unsafe.Slice((*byte)(unsafe.Pointer(&k)), unsafe.Sizeof(k))
	for _, i := range []int{1, 2, 3, 10, 11} {
		b[i] = 0xa5
	}
	return k
}

// TestMapAll goes through maps that need many batches, hash tables whose
// buckets hold several keys, and maps without batches.
func TestMapAll(t *testing.T) {
	h := loadObject(t, openObject(t, "maps.o"), Options{PinPath: pinDir(t)})
	flows, err := MapOf[flowKey, value](h, "flows")
	if err != nil {
		t.Fatal(err)
	}
	want := map[flowKey]uint64{}
	for i := range 5000 {
		k := flowKey{Proto: uint8(i), Addr: uint32(i)}
		want[k] = uint64(i) * 3
		if err := flows.Put(k, value{Packets: want[k]}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(name string, each func(func(flowKey, value) bool) error) {
		t.Helper()
		got := map[flowKey]uint64{}
		err := each(func(k flowKey, v value) bool {
			got[k] = v.Packets
			return true
		})
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %d entries, %v; want %d", name, len(got), err, len(want))
		}
	}
	check("batches", flows.eachBatch)
	check("one by one", flows.eachOne)
	err = errors.New("must be set")
	n := 0
	for range flows.All(&err) {
		if n++; n == 700 {
			break
		}
	}
	if err != nil || n != 700 {
		t.Errorf("broken off: %d entries, %v", n, err)
	}
	for k := range flows.All(&err) {
		if err := flows.Delete(k); err != nil {
			t.Fatal(err)
		}
	}
	for k := range flows.All(&err) {
		t.Fatalf("%v is still there", k)
	}
}

func TestMapKinds(t *testing.T) {
	h := loadObject(t, openObject(t, "maps.o"), Options{PinPath: pinDir(t)})
	slots, err := MapOf[uint32, value](h, "slots")
	if err != nil {
		t.Fatal(err)
	}
	if err := slots.Put(599, value{Last: 1}); err != nil {
		t.Fatal(err)
	}
	var keys []uint32
	for k, v := range slots.All(&err) {
		keys = append(keys, k)
		if (v.Last == 1) != (k == 599) {
			t.Errorf("slot %d: %+v", k, v)
		}
	}
	if len(keys) != 600 || !slices.IsSorted(keys) || err != nil {
		t.Errorf("array: %d slots, %v", len(keys), err)
	}
	if err := slots.Put(600, value{}); err == nil {
		t.Error("put beyond the array: no error")
	}

	type prefix struct {
		Len  uint32
		Addr [4]byte
	}
	routes, err := MapOf[prefix, uint64](h, "routes")
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range []prefix{{8, [4]byte{10}}, {16, [4]byte{10, 1}}, {0, [4]byte{}}} {
		if err := routes.Put(p, uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := routes.Get(prefix{32, [4]byte{10, 1, 2, 3}}); v != 1 || err != nil {
		t.Errorf("longest prefix: %d, %v", v, err)
	}
	n := 0
	for range routes.All(&err) {
		n++
	}
	if n != 3 || err != nil {
		t.Errorf("trie: %d prefixes, %v", n, err)
	}
}

func TestPerCPUMap(t *testing.T) {
	h := loadObject(t, openObject(t, "maps.o"), Options{PinPath: pinDir(t)})
	m, err := PerCPUMapOf[uint32, uint32](h, "percpu")
	if err != nil {
		t.Fatal(err)
	}
	cpus := ebpf.MustPossibleCPU()
	if _, err := m.Get(1); !errors.Is(err, ErrNoKey) {
		t.Errorf("get from an empty map: %v", err)
	}
	values := make([]uint32, cpus)
	for i := range values {
		values[i] = uint32(i + 10)
	}
	for k := range uint32(100) {
		if err := m.Put(k, values); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := m.Get(7); err != nil || !slices.Equal(got, values) {
		t.Errorf("get: %v, %v; want %v", got, err, values)
	}
	if err := m.Put(7, values[:1]); err != nil {
		t.Fatal(err)
	}
	if got, _ := m.Get(7); Sum(got) != 10 {
		t.Errorf("after a short put: %v", got)
	}
	if err := m.Put(7, make([]uint32, cpus+1)); err == nil {
		t.Error("put of too many values: no error")
	}
	if err := m.Delete(7); err != nil {
		t.Error(err)
	}
	n := 0
	for k, v := range m.All(&err) {
		if n++; k == 7 || !slices.Equal(v, values) {
			t.Errorf("%d: %v", k, v)
		}
	}
	if n != 99 || err != nil {
		t.Errorf("%d keys, %v", n, err)
	}
}

func TestMapRefuses(t *testing.T) {
	h := loadObject(t, openObject(t, "maps.o"), Options{PinPath: pinDir(t)})
	check := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	_, err := MapOf[uint32, uint32](h, "absent")
	check(`no map "absent" in it (it has next, flows, waggle_faults, slots, percpu, routes, shared)`, err)
	_, err = MapOf[uint32, uint32](h, "slots")
	check("open map slots: value: uint32 has 4 bytes, the kernel's has 24", err)
	_, err = MapOf[uint64, value](h, "slots")
	check("open map slots: key: uint64 has 8 bytes, the kernel's has 4", err)
	_, err = MapOf[string, value](h, "slots")
	check("open map slots: key: string", err)
	_, err = MapOf[uint32, [3]uint64](h, "slots")
	check("open map slots: value: [3]uint64[1] has 8 bytes at offset 8, the object's type has \"last\"", err)
	_, err = MapOf[uint32, uint32](h, "percpu")
	check("open map percpu: map type PerCPUHash has a value for each CPU: use PerCPUMapOf", err)
	_, err = PerCPUMapOf[uint32, value](h, "slots")
	check("open map slots: map type Array has one value for all CPUs: use MapOf", err)
	_, err = Events[value](h, "slots", StreamOptions{})
	check("open events of slots: map type Array is neither a ring buffer nor a perf event array", err)
}

func TestFaults(t *testing.T) {
	h := loadObject(t, openObject(t, "maps.o"), Options{PinPath: pinDir(t)})
	if f, err := h.Faults(); len(f) != 0 || err != nil {
		t.Errorf("before any: %v, %v", f, err)
	}
	p, err := h.Program("fault")
	if err != nil {
		t.Fatal(err)
	}
	for _, mark := range []uint32{0, 2, 0, 0} {
		// struct __sk_buff: len, pkt_type, mark.
		ctx := make([]byte, 192)
		nativeOrder.PutUint32(ctx[8:], mark)
		if _, err := p.Run(&ebpf.RunOptions{Data: make([]byte, 64), Context: ctx}); err != nil {
			t.Fatal(err)
		}
	}
	faults, err := h.Faults()
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) != 2 || faults[0].Count != 3 || faults[0].String() != "probe.go:42:7: index out of range" || faults[0].Line != 42 {
		t.Fatalf("faults %v", faults)
	}
	if f := faults[1]; f.Count != 1 || !strings.Contains(f.Kind, "fault number 2") {
		t.Errorf("fault without a site: %v", f)
	}
}

func BenchmarkMap(b *testing.B) {
	h := loadObject(b, openObject(b, "maps.o"), Options{PinPath: pinDir(b)})
	flows, err := MapOf[flowKey, value](h, "flows")
	if err != nil {
		b.Fatal(err)
	}
	for i := range uint32(5000) {
		if err := flows.Put(flowKey{Addr: i}, value{}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := flows.Get(flowKey{Addr: 77}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, each := range map[string]func(func(flowKey, value) bool) error{"batches": flows.eachBatch, "one-by-one": flows.eachOne} {
		b.Run("5000-"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := each(func(flowKey, value) bool { return true }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
