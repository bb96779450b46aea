package bpf

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// RingFlag controls whether sending a record wakes the reader; BPF_RB_* in
// include/uapi/linux/bpf.h.
type RingFlag uint64

// The wake-up flags.
const (
	WakeupIfIdle RingFlag = 0      // wake a reader that has read all before
	NoWakeup     RingFlag = 1 << 0 // don't wake
	ForceWakeup  RingFlag = 1 << 1 // wake
)

// WakeupBytes is the amount of data after which Wakeup and the Batched methods of
// RingBuf wake the reader again; in rings below four times the size, a quarter of
// it is enough. Settable before load, by the name bpf_WakeupBytes.
//
//bpf:const
var WakeupBytes uint64 = 128 << 10

// RingBuf is a ring buffer of records of type T that user space reads in the
// order they were sent. One ring serves all CPUs.
//
// Fill a record in place:
//
//	if e := Events.Reserve(); e != nil {
//		e.Port = port
//		Events.Submit(e)
//	}
//
// A record that finds no room is counted as lost, and the loader reports it.
// Needs Linux 5.8.
type RingBuf[T any] struct {
	MaxEntries uint32 // the size in bytes, a power of two and a multiple of the page size
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Reserve returns room for a record, or nil if the ring is full: then the loss
// has been counted. Its memory holds old data: set every field. The record must
// be given to Submit or Discard.
func (m *RingBuf[T]) Reserve() *T {
	v := m.reserve()
	if v == nil {
		lost(m.index())
	}
	return v
}

// Submit sends a record from Reserve and wakes the reader if it had nothing
// left to read.
//
//bpf:helper ringbuf_submit(v, 0)
func (m *RingBuf[T]) Submit(v *T) {
	s := sim.Open[T](unsafe.Pointer(m), "RingBuf.Submit", sim.Ring, m.MaxEntries)
	s.Submit(unsafe.Pointer(v), sim.BytesOf(v), 0, false)
}

// SubmitFlags is Submit with control of the wake-up.
//
//bpf:helper ringbuf_submit(v, flags)
func (m *RingBuf[T]) SubmitFlags(v *T, flags RingFlag) {
	s := sim.Open[T](unsafe.Pointer(m), "RingBuf.SubmitFlags", sim.Ring, m.MaxEntries)
	s.Submit(unsafe.Pointer(v), sim.BytesOf(v), uint64(flags), false)
}

// SubmitBatched is Submit that wakes the reader only once for WakeupBytes. It is
// for streams of many records: a wake-up costs more than a record. The reader
// must poll on a timer too, as load's streams do.
func (m *RingBuf[T]) SubmitBatched(v *T) { m.SubmitFlags(v, m.Wakeup()) }

// Discard gives back a record from Reserve unsent.
//
//bpf:helper ringbuf_discard(v, 1)
func (m *RingBuf[T]) Discard(v *T) {
	s := sim.Open[T](unsafe.Pointer(m), "RingBuf.Discard", sim.Ring, m.MaxEntries)
	s.Submit(unsafe.Pointer(v), nil, uint64(NoWakeup), true)
}

// Output sends a copy of *v. A failure has been counted as a loss.
func (m *RingBuf[T]) Output(v *T) Errno { return m.OutputFlags(v, WakeupIfIdle) }

// OutputBatched is to Output what SubmitBatched is to Submit.
func (m *RingBuf[T]) OutputBatched(v *T) Errno { return m.OutputFlags(v, m.Wakeup()) }

// OutputFlags is Output with control of the wake-up.
func (m *RingBuf[T]) OutputFlags(v *T, flags RingFlag) Errno {
	err := m.output(v, flags)
	if err != OK {
		lost(m.index())
	}
	return err
}

// OutputN sends a copy of the first n bytes of *v: of a record that ends in a
// buffer, the part in use. n must be provably at most the size of T. A failure
// has been counted as a loss.
func (m *RingBuf[T]) OutputN(v *T, n uint32, flags RingFlag) Errno {
	err := m.outputN(v, n, flags)
	if err != OK {
		lost(m.index())
	}
	return err
}

// Wakeup returns the flag for the record that was reserved last, or comes next:
// ForceWakeup if the ring's end has just passed a multiple of WakeupBytes, or of a
// quarter of a small ring, else NoWakeup.
//
// What counts is what was sent, not what waits for the reader: if that fell
// behind, each record would wake it, which makes it no faster and the program slow.
func (m *RingBuf[T]) Wakeup() RingFlag {
	var v T
	record := (ringHeader + uint64(unsafe.Sizeof(v)) + 7) &^ 7
	if m.produced()%max(1, min(WakeupBytes, m.Size()/4)) < record {
		return ForceWakeup
	}
	return NoWakeup
}

// ringHeader is the size of a record's header, struct bpf_ringbuf_hdr in
// kernel/bpf/ringbuf.c.
const ringHeader = 8

// Size returns the size of the ring in bytes.
//
//bpf:helper ringbuf_query(m, 1)
func (m *RingBuf[T]) Size() uint64 {
	sim.Current("RingBuf.Size")
	return uint64(m.MaxEntries)
}

// Available returns how many bytes wait for the reader, the records' headers
// and those still being filled included.
//
//bpf:helper ringbuf_query(m, 0)
func (m *RingBuf[T]) Available() uint64 {
	return sim.Open[T](unsafe.Pointer(m), "RingBuf.Available", sim.Ring, m.MaxEntries).Available()
}

// produced returns how many bytes were ever reserved.
//
//bpf:helper ringbuf_query(m, 3)
func (m *RingBuf[T]) produced() uint64 {
	return sim.Open[T](unsafe.Pointer(m), "RingBuf.Wakeup", sim.Ring, m.MaxEntries).Produced()
}

//bpf:helper ringbuf_reserve(m, sizeof(T), 0)
func (m *RingBuf[T]) reserve() *T {
	s := sim.Open[T](unsafe.Pointer(m), "RingBuf.Reserve", sim.Ring, m.MaxEntries)
	v := new(T)
	if !s.Reserve(unsafe.Pointer(v), int(unsafe.Sizeof(*v))) {
		return nil
	}
	return v
}

//bpf:helper ringbuf_output(m, v, sizeof(T), flags)
func (m *RingBuf[T]) output(v *T, flags RingFlag) Errno {
	s := sim.Open[T](unsafe.Pointer(m), "RingBuf.Output", sim.Ring, m.MaxEntries)
	return Errno(s.Output(sim.BytesOf(v), uint64(flags)))
}

//bpf:helper ringbuf_output(m, v, n, flags)
func (m *RingBuf[T]) outputN(v *T, n uint32, flags RingFlag) Errno {
	s := sim.Open[T](unsafe.Pointer(m), "RingBuf.OutputN", sim.Ring, m.MaxEntries)
	return Errno(s.Output(sim.BytesOf(v)[:n], uint64(flags)))
}

//bpf:intrinsic map.index
func (m *RingBuf[T]) index() uint32 { return sim.Index(unsafe.Pointer(m)) }
