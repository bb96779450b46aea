package bpftest

import (
	"fmt"
	"testing"
	"time"
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf/internal/sim"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// NumCPU is the number of CPUs of the simulated kernel.
const NumCPU = sim.NumCPU

// Kernel is the simulated kernel that programs run in.
type Kernel struct {
	t   testing.TB
	sim *sim.Kernel
	log []string
}

// New starts a kernel, which lives until the test ends. There can be one at a
// time, because maps are package variables: tests that use it can't be parallel,
// and a subtest uses the kernel of its parent.
func New(t testing.TB) *Kernel {
	t.Helper()
	s, ok := sim.Start()
	if !ok {
		t.Fatal("bpftest: there is a simulated kernel already: " +
			"use one in a test and its subtests, and no parallel tests")
	}
	k := &Kernel{t: t, sim: s}
	s.Log = func(line string) { k.log = append(k.log, line) }
	t.Cleanup(func() {
		s.Stop()
		for _, m := range s.Leaks() {
			t.Errorf("bpftest: %s", m)
		}
	})
	return k
}

// Reset empties all maps and puts clock, task and random numbers back to their
// start.
func (k *Kernel) Reset() {
	k.sim.Reset()
	k.log = nil
}

// Task describes the current task: the one whose system call, probe or packet a
// program runs for.
type Task struct {
	PID      uint32 // what user space calls the process ID
	TID      uint32 // thread ID; 0 means PID
	UID, GID uint32
	Comm     string // up to 15 bytes count
	CgroupID uint64
}

// SetTask makes programs run for task.
func (k *Kernel) SetTask(task Task) {
	if task.TID == 0 {
		task.TID = task.PID
	}
	k.sim.Task = sim.Task{
		PID: task.TID, TGID: task.PID, UID: task.UID, GID: task.GID,
		Comm: task.Comm, CgroupID: task.CgroupID,
	}
}

// SetCPU makes programs run on the given CPU, below NumCPU.
func (k *Kernel) SetCPU(cpu int) {
	if cpu < 0 || cpu >= NumCPU {
		panic(fmt.Sprintf("bpftest: there is no CPU %d", cpu))
	}
	k.sim.CPU = cpu
}

// Now returns the clock: CLOCK_MONOTONIC in ns. It stands still between calls of
// Advance.
func (k *Kernel) Now() uint64 { return k.sim.Now }

// Advance moves all clocks on.
func (k *Kernel) Advance(d time.Duration) {
	k.sim.Now += uint64(d)
	k.sim.Wall += uint64(d)
}

// SetMemory puts bytes at an address that programs read with the functions of
// package trace.
func (k *Kernel) SetMemory(addr uint64, b []byte) { k.sim.Poke(addr, b) }

// SetFIB makes answer the kernel's routing tables.
func (k *Kernel) SetFIB(answer func(*sk.FIBLookup) sk.FIBResult) {
	k.sim.FIB = func(q unsafe.Pointer) int32 { return int32(answer((*sk.FIBLookup)(q))) }
}

// SetCookie sets the socket cookie that programs find on a context, and the
// cookie of a probe's attachment.
func SetCookie[C any](k *Kernel, ctx *C, cookie uint64) { k.sim.SetCookie(unsafe.Pointer(ctx), cookie) }

// SetTCP makes a socket that sk.FindTCP and sk.FindAnyTCP find.
func SetTCP[T sk.Tuple](k *Kernel, tuple T, s *sk.Sock) {
	k.sim.SetSocket("tcp", sim.BytesOf(&tuple), unsafe.Pointer(s))
}

// SetUDP makes a socket that sk.FindUDP finds.
func SetUDP[T sk.Tuple](k *Kernel, tuple T, s *sk.Sock) {
	k.sim.SetSocket("udp", sim.BytesOf(&tuple), unsafe.Pointer(s))
}

// SetTCPSock makes s a full TCP socket: state is what its method TCP returns.
func (k *Kernel) SetTCPSock(s *sk.Sock, state *sk.TCPSock) {
	k.sim.SetTCPState(unsafe.Pointer(s), unsafe.Pointer(state))
}

// Log returns the lines that programs logged.
func (k *Kernel) Log() []string { return k.log }
