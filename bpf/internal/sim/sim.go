// Package sim is the kernel that kernel packages meet when they run natively:
// maps, ring buffers, packets, clock and current task, in plain Go. Package
// bpf's function bodies call it; package bpftest starts it and looks inside.
//
// It is found by the address of a map variable or a context, so that the types
// of package bpf need no hidden fields and contexts keep the kernel's layout.
//
// The compiler never sees this package: only bodies it drops refer to it.
package sim

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"
)

// NumCPU is the number of CPUs of the simulated machine.
const NumCPU = 4

// Kernel is one simulated kernel. Its fields may be set between calls.
type Kernel struct {
	CPU  int    // the CPU programs run on, below NumCPU
	Now  uint64 // CLOCK_MONOTONIC in ns
	Boot uint64 // what CLOCK_BOOTTIME is ahead of Now, in ns
	Wall uint64 // CLOCK_TAI in ns
	Task Task
	Rand uint64 // state of the random number generator
	Log  func(line string)
	// TailCalls is how many more tail calls the running program may make.
	TailCalls int
	FIB       func(query unsafe.Pointer) int32 // answers route look-ups

	mu       sync.Mutex
	maps     map[unsafe.Pointer]*Map
	contexts map[unsafe.Pointer]any
	indices  map[unsafe.Pointer]uint32
	memory   map[uint64][]byte
	sockets  map[string]unsafe.Pointer
	cookies  map[unsafe.Pointer]uint64 // by context
	// tcpStates holds the state of TCP sockets, by socket.
	tcpStates map[unsafe.Pointer]unsafe.Pointer
}

// Task is the task that programs find themselves in.
type Task struct {
	PID, TGID, UID, GID uint32
	Comm                string
	CgroupID            uint64
}

var current atomic.Pointer[Kernel]

// Start makes a new kernel the current one. It reports false if there is one
// already: kernel packages keep their maps in package variables, so there can
// be only one at a time.
func Start() (*Kernel, bool) {
	k := &Kernel{}
	k.Reset()
	return k, current.CompareAndSwap(nil, k)
}

// Stop ends k.
func (k *Kernel) Stop() { current.CompareAndSwap(k, nil) }

// Reset empties all maps and puts clock, task and random numbers back to their
// start.
func (k *Kernel) Reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.FIB = nil
	k.CPU, k.Now, k.Boot, k.Wall = 0, 1e9, 0, 1_700_000_000e9
	k.Task = Task{PID: 1000, TGID: 1000, Comm: "bpftest", CgroupID: 1}
	k.Rand = 1
	k.cookies = map[unsafe.Pointer]uint64{}
	k.maps = map[unsafe.Pointer]*Map{}
	k.contexts = map[unsafe.Pointer]any{}
	k.indices = map[unsafe.Pointer]uint32{}
	k.memory = map[uint64][]byte{}
	k.sockets = map[string]unsafe.Pointer{}
	k.tcpStates = map[unsafe.Pointer]unsafe.Pointer{}
}

// Current returns the running kernel; what names the function that needs it.
func Current(what string) *Kernel {
	k := current.Load()
	if k == nil {
		panic(fmt.Sprintf("bpf: %s was called outside the kernel: compile this package with waggle, "+
			"or call bpftest.New(t) first to run it in a test", what))
	}
	return k
}

// Unsupported ends a call that the simulation has no model of.
func Unsupported(what string) {
	Current(what)
	panic(fmt.Sprintf("bpf: bpftest has no model of %s: run this program in the kernel to test it", what))
}

// Leaks describes what programs have taken and not given back.
func (k *Kernel) Leaks() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []string
	for _, m := range k.maps {
		if n := len(m.Ring.reserved); n > 0 {
			list = append(list, fmt.Sprintf("%d ring buffer records were reserved, but neither submitted nor discarded", n))
		}
	}
	return list
}

// Bind makes state findable by the address of a context.
func (k *Kernel) Bind(ctx unsafe.Pointer, state any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.contexts[ctx] = state
}

// Unbind forgets a context.
func (k *Kernel) Unbind(ctx unsafe.Pointer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.contexts, ctx)
}

// State returns what was bound to a context; what names the caller.
func State[S any](ctx unsafe.Pointer, what string) S {
	k := Current(what)
	k.mu.Lock()
	defer k.mu.Unlock()
	s, ok := k.contexts[ctx].(S)
	if !ok {
		panic(fmt.Sprintf("bpf: %s was called on a context that no program runs on: run the program with bpftest", what))
	}
	return s
}

// Index returns a small number unique to the map variable at m.
func Index(m unsafe.Pointer) uint32 {
	k := Current("a map")
	k.mu.Lock()
	defer k.mu.Unlock()
	i, ok := k.indices[m]
	if !ok {
		i = uint32(len(k.indices))
		k.indices[m] = i
	}
	return i
}

// Random returns the next random number (splitmix64).
func (k *Kernel) Random() uint64 {
	s := atomic.AddUint64(&k.Rand, 0x9e3779b97f4a7c15)
	s = (s ^ s>>30) * 0xbf58476d1ce4e5b9
	s = (s ^ s>>27) * 0x94d049bb133111eb
	return s ^ s>>31
}
