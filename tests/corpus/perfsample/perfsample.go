// Package perfsample is a sampling profiler: at each tick of a perf event it notes
// which process runs, and where.
package perfsample

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// MaxFrames is the depth of a stack.
const MaxFrames = 16

// Sample is what is running at a tick.
type Sample struct {
	PID, CPU  uint32
	Period    uint64
	PC        uint64
	Comm      [16]byte
	StackSize int32 // bytes of Stack, below 0: an error number
	_         [4]byte
	Stack     [MaxFrames]uint64
}

// Samples carries the samples.
var Samples = bpf.RingBuf[Sample]{MaxEntries: 1 << 20}

// Ticks counts samples by CPU.
var Ticks = bpf.PerCPUArray[uint64]{MaxEntries: 1}

// Tick takes a sample.
//
//bpf:perf_event
func Tick(ctx *trace.PerfEventContext) int32 {
	if n := Ticks.Lookup(0); n != nil {
		*n++
	}
	s := Samples.Reserve()
	if s == nil {
		return 0
	}
	s.PID, s.CPU = bpf.CurrentPID(), bpf.SmpProcessorID()
	s.Period, s.PC = ctx.SamplePeriod, ctx.Regs.PC()
	bpf.GetCurrentComm(&s.Comm)
	s.StackSize = trace.Stack(ctx, &s.Stack, trace.UserStack)
	Samples.Submit(s)
	return 0
}
