package bpf

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

const (
	perfCurrentCPU = 0xffffffff // BPF_F_CURRENT_CPU
	perfLenShift   = 32         // BPF_F_CTXLEN_MASK starts here
)

// PerfEventArray is a set of buffers, one for each CPU, of records of type T
// that user space reads. RingBuf is the better choice from Linux 5.8 on, except
// to send a piece of a packet without copying it first: OutputPacket.
//
// A record that finds no room is counted as lost, and the loader reports it.
type PerfEventArray[T any] struct {
	MaxEntries uint32 // leave it 0: the loader makes it the number of CPUs
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Output sends a copy of *v. ctx is the program's own context. A failure has
// been counted as a loss.
func (m *PerfEventArray[T]) Output(ctx Context, v *T) Errno {
	err := m.output(ctx, perfCurrentCPU, v)
	if err != OK {
		lost(m.index())
	}
	return err
}

// OutputPacket sends a copy of *v followed by the first n bytes of the packet.
// Only programs that work on packets can do so; n must not exceed the packet's
// length, or EFAULT is returned. A failure has been counted as a loss.
func (m *PerfEventArray[T]) OutputPacket(ctx Context, v *T, n uint32) Errno {
	err := m.output(ctx, uint64(n)<<perfLenShift|perfCurrentCPU, v)
	if err != OK {
		lost(m.index())
	}
	return err
}

//bpf:helper perf_event_output(ctx, m, flags, v, sizeof(T))
func (m *PerfEventArray[T]) output(ctx Context, flags uint64, v *T) Errno {
	s := sim.Open[T](unsafe.Pointer(m), "PerfEventArray.Output", sim.Perf, m.MaxEntries)
	record := sim.BytesOf(v)
	if n := int(flags >> perfLenShift); n > 0 {
		p := sim.State[*sim.Packet](sim.PointerOf(ctx), "PerfEventArray.OutputPacket")
		if n > p.Len() {
			return EFAULT
		}
		record = append(record, p.Bytes()[:n]...)
	}
	return Errno(s.Output(record, 0))
}

//bpf:intrinsic map.index
func (m *PerfEventArray[T]) index() uint32 { return sim.Index(unsafe.Pointer(m)) }
