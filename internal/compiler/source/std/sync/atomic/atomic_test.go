package atomic

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"
)

// ops is the shape of the functions on one integer type.
type ops[T word] struct {
	add, and, or, swap func(*T, T) T
	cas                func(p *T, old, new T) bool
	load               func(*T) T
	store              func(*T, T)
}

func checkOps[T word](t *testing.T, name string, got, want ops[T]) {
	r := rand.New(rand.NewPCG(1, 2))
	var a, b T
	for range 2000 {
		v, old := T(r.Uint64()), a
		if r.IntN(2) == 0 {
			old = v
		}
		steps := []struct {
			name      string
			got, want func() T
		}{
			{"Add", func() T { return got.add(&a, v) }, func() T { return want.add(&b, v) }},
			{"And", func() T { return got.and(&a, v) }, func() T { return want.and(&b, v) }},
			{"Or", func() T { return got.or(&a, v) }, func() T { return want.or(&b, v) }},
			{"Swap", func() T { return got.swap(&a, v) }, func() T { return want.swap(&b, v) }},
			{"CompareAndSwap", func() T { return one[T](got.cas(&a, old, v+1)) }, func() T { return one[T](want.cas(&b, old, v+1)) }},
			{"Load", func() T { return got.load(&a) }, func() T { return want.load(&b) }},
			{"Store", func() T { got.store(&a, v); return 0 }, func() T { want.store(&b, v); return 0 }},
		}
		s := steps[r.IntN(len(steps))]
		g, w := s.got(), s.want()
		if g != w || a != b {
			t.Fatalf("%s%s(%d) = %d, want %d; memory %d, want %d", s.name, name, v, g, w, a, b)
		}
	}
}

func one[T word](b bool) T {
	if b {
		return 1
	}
	return 0
}

func TestFunctionsAgainstModel(t *testing.T) {
	checkOps(t, "Int32",
		ops[int32]{AddInt32, AndInt32, OrInt32, SwapInt32, CompareAndSwapInt32, LoadInt32, StoreInt32},
		ops[int32]{atomic.AddInt32, atomic.AndInt32, atomic.OrInt32, atomic.SwapInt32, atomic.CompareAndSwapInt32, atomic.LoadInt32, atomic.StoreInt32})
	checkOps(t, "Int64",
		ops[int64]{AddInt64, AndInt64, OrInt64, SwapInt64, CompareAndSwapInt64, LoadInt64, StoreInt64},
		ops[int64]{atomic.AddInt64, atomic.AndInt64, atomic.OrInt64, atomic.SwapInt64, atomic.CompareAndSwapInt64, atomic.LoadInt64, atomic.StoreInt64})
	checkOps(t, "Uint32",
		ops[uint32]{AddUint32, AndUint32, OrUint32, SwapUint32, CompareAndSwapUint32, LoadUint32, StoreUint32},
		ops[uint32]{atomic.AddUint32, atomic.AndUint32, atomic.OrUint32, atomic.SwapUint32, atomic.CompareAndSwapUint32, atomic.LoadUint32, atomic.StoreUint32})
	checkOps(t, "Uint64",
		ops[uint64]{AddUint64, AndUint64, OrUint64, SwapUint64, CompareAndSwapUint64, LoadUint64, StoreUint64},
		ops[uint64]{atomic.AddUint64, atomic.AndUint64, atomic.OrUint64, atomic.SwapUint64, atomic.CompareAndSwapUint64, atomic.LoadUint64, atomic.StoreUint64})
	checkOps(t, "Uintptr",
		ops[uintptr]{AddUintptr, AndUintptr, OrUintptr, SwapUintptr, CompareAndSwapUintptr, LoadUintptr, StoreUintptr},
		ops[uintptr]{atomic.AddUintptr, atomic.AndUintptr, atomic.OrUintptr, atomic.SwapUintptr, atomic.CompareAndSwapUintptr, atomic.LoadUintptr, atomic.StoreUintptr})
}

func TestTypesAgainstModel(t *testing.T) {
	checkOps(t, ".Int32", typeOps[int32](new(Int32)), typeOps[int32](new(atomic.Int32)))
	checkOps(t, ".Int64", typeOps[int64](new(Int64)), typeOps[int64](new(atomic.Int64)))
	checkOps(t, ".Uint32", typeOps[uint32](new(Uint32)), typeOps[uint32](new(atomic.Uint32)))
	checkOps(t, ".Uint64", typeOps[uint64](new(Uint64)), typeOps[uint64](new(atomic.Uint64)))
	checkOps(t, ".Uintptr", typeOps[uintptr](new(Uintptr)), typeOps[uintptr](new(atomic.Uintptr)))
	for name, sizes := range map[string][2]uintptr{
		"Bool":   {unsafe.Sizeof(Bool{}), unsafe.Sizeof(atomic.Bool{})},
		"Int32":  {unsafe.Sizeof(Int32{}), unsafe.Sizeof(atomic.Int32{})},
		"Uint64": {unsafe.Sizeof(Uint64{}), unsafe.Sizeof(atomic.Uint64{})},
	} {
		if sizes[0] != sizes[1] {
			t.Errorf("%s has %d bytes, want %d", name, sizes[0], sizes[1])
		}
	}
}

// integer is what the types of both packages have.
type integer[T word] interface {
	Add(T) T
	And(T) T
	Or(T) T
	Swap(T) T
	CompareAndSwap(old, new T) bool
	Load() T
	Store(T)
}

// typeOps makes functions of methods; x mirrors the memory they are given.
func typeOps[T word](x integer[T]) ops[T] {
	mirror := func(p *T, f func() T) T {
		x.Store(*p)
		res := f()
		*p = x.Load()
		return res
	}
	return ops[T]{
		add:  func(p *T, v T) T { return mirror(p, func() T { return x.Add(v) }) },
		and:  func(p *T, v T) T { return mirror(p, func() T { return x.And(v) }) },
		or:   func(p *T, v T) T { return mirror(p, func() T { return x.Or(v) }) },
		swap: func(p *T, v T) T { return mirror(p, func() T { return x.Swap(v) }) },
		cas: func(p *T, old, new T) bool {
			return mirror(p, func() T { return one[T](x.CompareAndSwap(old, new)) }) != 0
		},
		load:  func(p *T) T { return mirror(p, x.Load) },
		store: func(p *T, v T) { mirror(p, func() T { x.Store(v); return 0 }) },
	}
}

func TestBool(t *testing.T) {
	var x Bool
	if x.Load() || x.Swap(true) || !x.Load() || !x.CompareAndSwap(true, false) || x.Load() || x.CompareAndSwap(true, false) {
		t.Error("Bool does not keep its value")
	}
	x.Store(true)
	if !x.Load() {
		t.Error("Store(true) is lost")
	}
}

func TestConcurrentAdd(t *testing.T) {
	var n uint64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				AddUint64(&n, 1)
			}
		})
	}
	wg.Wait()
	if n != 4000 {
		t.Errorf("n = %d, want 4000", n)
	}
}
