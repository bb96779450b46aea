package bpf_test

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
)

// padded has a hole behind its first field.
type padded struct {
	A uint8
	B uint32
}

// route is the key of a trie.
type route struct {
	Bits uint32
	Addr [4]byte
}

type event struct {
	N    uint32
	Text [8]byte
}

// Maps are package variables, as in kernel packages.
var (
	hash      = bpf.Hash[padded, uint64]{MaxEntries: 2}
	lru       = bpf.LRUHash[uint32, uint32]{MaxEntries: 2}
	perCPU    = bpf.PerCPUHash[uint32, uint32]{MaxEntries: 2}
	lruPerCPU = bpf.LRUPerCPUHash[uint32, uint32]{MaxEntries: 2}
	array     = bpf.Array[uint64]{MaxEntries: 3}
	cpuArray  = bpf.PerCPUArray[uint64]{MaxEntries: 3}
	scratch   = bpf.Scratch[[600]byte]{}
	routes    = bpf.LPMTrie[route, string4]{MaxEntries: 4}
	queue     = bpf.Queue[uint32]{MaxEntries: 2}
	stack     = bpf.Stack[uint32]{MaxEntries: 2}
	ring      = bpf.RingBuf[event]{MaxEntries: 4096}
	samples   = bpf.PerfEventArray[event]{}
	perSocket = bpf.SkStorage[uint32]{}
	otherHash = bpf.Hash[uint32, uint32]{MaxEntries: 1}
	neverUsed = bpf.Hash[uint32, uint32]{MaxEntries: 1}
	neverRead = bpf.RingBuf[event]{MaxEntries: 4096}
)

type string4 [4]byte

func TestHash(t *testing.T) {
	k := bpftest.New(t)
	one := padded{A: 1, B: 2}
	if hash.Lookup(one) != nil {
		t.Error("an empty table has an entry")
	}
	if err := hash.Update(one, 7, bpf.Exist); err != bpf.ENOENT {
		t.Errorf("Update with Exist of a missing key: %v", err)
	}
	if err := hash.Update(one, 7, bpf.NoExist); !err.Ok() {
		t.Errorf("Update: %v", err)
	}
	if err := hash.Update(one, 8, bpf.NoExist); err != bpf.EEXIST {
		t.Errorf("Update with NoExist of a key that exists: %v", err)
	}
	v := hash.Lookup(dirty())
	if v == nil || *v != 7 {
		t.Fatalf("Lookup with dirt in the padding: %v", v)
	}
	bpf.AtomicAdd(v, 1)
	if got := *hash.Lookup(one); got != 8 {
		t.Errorf("after a write through the pointer: %d", got)
	}
	val := uint64(9)
	hash.UpdateFrom(one, &val, bpf.Any)
	if *v != 8 {
		t.Errorf("an update changed the old element to %d", *v)
	}
	hash.Update(padded{B: 1}, 1, bpf.Any)
	if err := hash.Update(padded{B: 3}, 1, bpf.Any); err != bpf.E2BIG {
		t.Errorf("Update of a full table: %v", err)
	}
	if diff := cmp.Diff(map[padded]uint64{one: 9, {B: 1}: 1}, bpftest.Entries(k, &hash)); diff != "" {
		t.Error(diff)
	}
	if err := hash.Delete(one); !err.Ok() || hash.Lookup(one) != nil {
		t.Errorf("Delete: %v", err)
	}
	if err := hash.Delete(one); err != bpf.ENOENT {
		t.Errorf("second Delete: %v", err)
	}
	if len(bpftest.Entries(k, &neverUsed)) != 0 {
		t.Error("a map that nobody used has entries")
	}
}

// dirty returns padded{1, 2} with something in its hole.
func dirty() (p padded) {
	(*[8]byte)(unsafe.Pointer(&p))[2] = 0xff
	p.A, p.B = 1, 2
	return p
}

func TestLRU(t *testing.T) {
	bpftest.New(t)
	lru.Update(1, 10, bpf.Any)
	lru.Update(2, 20, bpf.Any)
	lru.Lookup(1)
	if err := lru.Update(3, 30, bpf.Any); !err.Ok() {
		t.Errorf("Update of a full LRU table: %v", err)
	}
	if lru.Lookup(1) == nil || lru.Lookup(2) != nil || lru.Lookup(3) == nil {
		t.Error("the wrong entry went")
	}
}

func TestPerCPU(t *testing.T) {
	k := bpftest.New(t)
	for cpu := range bpftest.NumCPU {
		k.SetCPU(cpu)
		if cpu == 0 {
			perCPU.Update(5, 100, bpf.Any)
			lruPerCPU.Update(5, 100, bpf.Any)
		}
		*perCPU.Lookup(5) += uint32(cpu)
		*lruPerCPU.Lookup(5) += uint32(cpu)
		*cpuArray.Lookup(1) = uint64(bpf.SmpProcessorID())
	}
	want := []uint32{100, 1, 2, 3}
	if diff := cmp.Diff(want, bpftest.PerCPU(k, &perCPU, 5)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, bpftest.PerCPU(k, &lruPerCPU, 5)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]uint64{0, 1, 2, 3}, bpftest.PerCPUAt(k, &cpuArray, 1)); diff != "" {
		t.Error(diff)
	}
	if bpftest.PerCPU(k, &perCPU, 6) != nil {
		t.Error("values of a key that is not there")
	}
}

func TestArray(t *testing.T) {
	bpftest.New(t)
	if v := array.Lookup(2); v == nil || *v != 0 {
		t.Errorf("Lookup of an untouched entry: %v", v)
	}
	if array.Lookup(3) != nil {
		t.Error("Lookup past the end")
	}
	v := array.Lookup(0)
	array.Update(0, 5)
	if *v != 5 {
		t.Errorf("an update of an array did not reach an earlier pointer: %d", *v)
	}
	val := uint64(6)
	if err := array.UpdateFrom(3, &val); err != bpf.E2BIG {
		t.Errorf("UpdateFrom past the end: %v", err)
	}
	scratch.Get()[599] = 1
	if scratch.Get()[599] != 1 {
		t.Error("scratch memory forgot")
	}
}

func TestLPMTrie(t *testing.T) {
	k := bpftest.New(t)
	add := func(bits uint32, a, b, c, d byte, name string) {
		t.Helper()
		if err := routes.Update(route{bits, [4]byte{a, b, c, d}}, string4([]byte(name)), bpf.Any); !err.Ok() {
			t.Errorf("Update: %v", err)
		}
	}
	add(0, 0, 0, 0, 0, "any ")
	add(8, 10, 0, 0, 0, "ten ")
	add(20, 10, 1, 0x10, 0, "long")
	for addr, want := range map[[4]byte]string{
		{9, 1, 1, 1}: "any ", {10, 9, 9, 9}: "ten ", {10, 1, 0x1f, 1}: "long", {10, 1, 0x20, 1}: "ten ",
	} {
		if v := routes.Lookup(route{32, addr}); v == nil || string(v[:]) != want {
			t.Errorf("%v: %q, want %q", addr, v, want)
		}
	}
	if err := routes.Update(route{Bits: 33}, string4{}, bpf.Any); err != bpf.EINVAL {
		t.Errorf("a prefix of 33 bits: %v", err)
	}
	routes.Delete(route{Bits: 0})
	if routes.Lookup(route{32, [4]byte{9}}) != nil {
		t.Error("the default route is still there")
	}
	if n := len(bpftest.Entries(k, &routes)); n != 2 {
		t.Errorf("%d routes left", n)
	}
}

func TestQueueAndStack(t *testing.T) {
	bpftest.New(t)
	var v uint32
	if err := queue.Pop(&v); err != bpf.ENOENT {
		t.Errorf("Pop of an empty queue: %v", err)
	}
	for i := range uint32(2) {
		queue.Push(i, bpf.Any)
		stack.Push(i, bpf.Any)
	}
	if err := queue.Push(2, bpf.Any); err != bpf.E2BIG {
		t.Errorf("Push to a full queue: %v", err)
	}
	queue.Push(2, bpf.Exist)
	if queue.Peek(&v); v != 1 {
		t.Errorf("the queue's next is %d, want 1", v)
	}
	if stack.Pop(&v); v != 1 {
		t.Errorf("the stack's top is %d, want 1", v)
	}
	if stack.Peek(&v); v != 0 {
		t.Errorf("the stack's next is %d, want 0", v)
	}
}

func TestRingBuf(t *testing.T) {
	k := bpftest.New(t)
	e := ring.Reserve()
	e.N = 1
	ring.Submit(e)
	ring.Output(&event{N: 2})
	ring.OutputN(&event{N: 3, Text: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}, 6, bpf.ForceWakeup)
	ring.Discard(ring.Reserve())
	want := []event{{N: 1}, {N: 2}, {N: 3, Text: [8]byte{1, 2}}}
	if n := ring.Available(); n != 2*24+16+24 {
		t.Errorf("%d bytes wait", n)
	}
	if diff := cmp.Diff(want, bpftest.Events(k, &ring)); diff != "" {
		t.Error(diff)
	}
	if n := bpftest.Wakeups(k, &ring); n != 2 {
		t.Errorf("%d wake-ups, want one for the first record and one forced", n)
	}
	if len(bpftest.Events(k, &ring))+len(bpftest.Events(k, &neverRead)) != 0 {
		t.Error("events came twice")
	}
}

func TestRingBufLoss(t *testing.T) {
	k := bpftest.New(t)
	sent := 0
	for range 4096/24 + 5 {
		if ring.Output(&event{}).Ok() {
			sent++
		}
	}
	if sent != 4096/24 || bpftest.Lost(k, &ring) != 5 {
		t.Errorf("%d sent, %d lost", sent, bpftest.Lost(k, &ring))
	}
	if ring.Reserve() != nil {
		t.Error("Reserve in a full ring")
	}
	bpftest.Events(k, &ring)
	bpftest.Fail(k, &ring, 1)
	if ring.Reserve() != nil || bpftest.Lost(k, &ring) != 7 {
		t.Error("Fail did not make Reserve fail")
	}
}

// Batched methods wake the reader once for WakeupBytes, whether it reads or not.
func TestRingBufBatched(t *testing.T) {
	k := bpftest.New(t)
	old := bpf.WakeupBytes
	defer func() { bpf.WakeupBytes = old }()
	bpf.WakeupBytes = 24 * 10
	for range 35 {
		ring.SubmitBatched(ring.Reserve())
	}
	if n := bpftest.Wakeups(k, &ring); n != 3 {
		t.Errorf("%d wake-ups for 35 records with a mark of 10, want 3", n)
	}
	// Output doesn't know of the record itself yet: the one behind the mark wakes.
	for range 35 {
		ring.OutputBatched(&event{})
	}
	if n := bpftest.Wakeups(k, &ring); n != 3+3 {
		t.Errorf("%d wake-ups for 70 records with a mark of 10, want 6", n)
	}
	if ring.Size() != 4096 {
		t.Errorf("size %d", ring.Size())
	}
}

// A WakeupBytes of 0 makes every record wake the reader.
func TestRingBufUnbatched(t *testing.T) {
	k := bpftest.New(t)
	old := bpf.WakeupBytes
	defer func() { bpf.WakeupBytes = old }()
	bpf.WakeupBytes = 0
	for range 5 {
		ring.SubmitBatched(ring.Reserve())
	}
	if n := bpftest.Wakeups(k, &ring); n != 5 {
		t.Errorf("%d wake-ups, want 5", n)
	}
}

// A ring smaller than WakeupBytes wakes its reader too.
func TestRingBufSmall(t *testing.T) {
	k := bpftest.New(t)
	for range 4096 / 4 / 24 {
		ring.SubmitBatched(ring.Reserve())
	}
	if n := bpftest.Wakeups(k, &ring); n != 0 {
		t.Errorf("%d wake-ups below a quarter of the ring", n)
	}
	ring.SubmitBatched(ring.Reserve())
	ring.SubmitBatched(ring.Reserve())
	if n := bpftest.Wakeups(k, &ring); n != 1 {
		t.Errorf("%d wake-ups at a quarter of the ring, want 1", n)
	}
}

func TestPerfEventArray(t *testing.T) {
	k := bpftest.New(t)
	ctx := &embedded{}
	samples.Output(ctx, &event{N: 1})
	bpftest.FailSamples(k, &samples, 1)
	if err := samples.Output(ctx, &event{N: 2}); err.Ok() {
		t.Error("FailSamples did not make Output fail")
	}
	want := []bpftest.Sample[event]{{Value: event{N: 1}, Packet: []byte{}}}
	if diff := cmp.Diff(want, bpftest.Samples(k, &samples)); diff != "" {
		t.Error(diff)
	}
	if n := bpftest.LostSamples(k, &samples); n != 1 {
		t.Errorf("%d lost, want 1", n)
	}
}

func TestSkStorage(t *testing.T) {
	bpftest.New(t)
	a, b := new(bpf.Sock), new(bpf.Sock)
	if perSocket.Get(a) != nil {
		t.Error("a new socket has a value")
	}
	*perSocket.GetOrCreate(a) = 5
	if v := perSocket.GetOrCreate(a); *v != 5 || perSocket.Get(b) != nil {
		t.Errorf("value %d", *v)
	}
	if err := perSocket.Delete(a); !err.Ok() || perSocket.Get(a) != nil {
		t.Errorf("Delete: %v", err)
	}
}

func TestReset(t *testing.T) {
	k := bpftest.New(t)
	otherHash.Update(1, 1, bpf.Any)
	k.Reset()
	if otherHash.Lookup(1) != nil {
		t.Error("Reset left an entry")
	}
}

// Outside a simulated kernel, functions say what to do.
func TestOutside(t *testing.T) {
	defer func() {
		msg, _ := recover().(string)
		if !strings.Contains(msg, "Hash.Lookup") || !strings.Contains(msg, "bpftest.New") {
			t.Errorf("panic %q", msg)
		}
	}()
	hash.Lookup(padded{})
}
