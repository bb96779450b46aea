// Package runqlat measures how long tasks wait for a CPU after they were woken, as
// a histogram with a bar for each power of two.
package runqlat

import (
	"math/bits"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// Slots is the number of bars.
const Slots = 27

// PID, if not 0, is the only thread that is measured. Settable before load.
//
//bpf:const
var PID int32

// Histogram counts waits: bar n those of 2^n us up to 2^(n+1).
type Histogram struct {
	Counts [Slots]uint64
}

var (
	// Woken holds when threads were woken.
	Woken = bpf.Hash[int32, uint64]{MaxEntries: 10240}
	// Waits holds the histogram.
	Waits = bpf.Array[Histogram]{MaxEntries: 1}
)

// wakeup is the context of tracepoint sched/sched_wakeup and its relatives.
type wakeup struct {
	trace.Common
	Comm      [16]byte
	PID       int32
	Prio      int32
	TargetCPU int32
}

// sched is the context of tracepoint sched/sched_switch.
type sched struct {
	trace.Common
	PrevComm  [16]byte
	PrevPID   int32
	PrevPrio  int32
	PrevState int64
	NextComm  [16]byte
	NextPID   int32
	NextPrio  int32
}

// Wakeup sees a thread woken.
//
//bpf:tracepoint sched/sched_wakeup
func Wakeup(ctx *wakeup) int32 { return wake(ctx.PID) }

// WakeupNew sees a new thread woken.
//
//bpf:tracepoint sched/sched_wakeup_new
func WakeupNew(ctx *wakeup) int32 { return wake(ctx.PID) }

func wake(pid int32) int32 {
	if pid != 0 && (PID == 0 || PID == pid) {
		Woken.Update(pid, bpf.KtimeGetNS(), bpf.Any)
	}
	return 0
}

const taskRunning = 0

// Switch sees a thread get a CPU.
//
//bpf:tracepoint sched/sched_switch
func Switch(ctx *sched) int32 {
	if ctx.PrevState == taskRunning {
		wake(ctx.PrevPID) // it would have gone on
	}
	woken := Woken.Lookup(ctx.NextPID)
	if woken == nil {
		return 0
	}
	us := (bpf.KtimeGetNS() - *woken) / 1000
	Woken.Delete(ctx.NextPID)
	h := Waits.Lookup(0)
	if h == nil {
		return 0
	}
	slot := min(log2(us), Slots-1)
	bpf.AtomicAdd(&h.Counts[slot], 1)
	return 0
}

// log2 returns the logarithm of v, rounded down; 0 if v is 0.
func log2(v uint64) uint { return uint(bits.Len64(v|1)) - 1 }
