// Package xdpmonitor counts what becomes of the packets that XDP programs redirect
// or drop with an error, on the whole machine: six tracepoints in one object.
package xdpmonitor

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// CPUs is how many CPUs Enqueued has room for.
const CPUs = 64

// Work counts the packets of a device or CPU.
type Work struct {
	Processed uint64
	Dropped   uint64
	Info      uint64 // of a CPU, how often it went to sleep; of a device, batches that were not full
	Errors    uint64 // batches that failed
}

var (
	// Redirected counts packets by error: 0 success, 1 error.
	Redirected = bpf.PerCPUArray[uint64]{MaxEntries: 2}
	// Exceptions counts packets by verdict, 5 for any unknown one.
	Exceptions = bpf.PerCPUArray[uint64]{MaxEntries: unknown + 1}
	// Enqueued counts packets handed to a CPU, which is the index.
	Enqueued = bpf.PerCPUArray[Work]{MaxEntries: CPUs}
	// Received counts packets that CPUs took over.
	Received = bpf.PerCPUArray[Work]{MaxEntries: 1}
	// Transmitted counts packets that devices sent.
	Transmitted = bpf.PerCPUArray[Work]{MaxEntries: 1}
)

const unknown = uint32(xdp.Redirect) + 1

// redirect is the context of the tracepoints xdp/xdp_redirect and its relatives.
type redirect struct {
	trace.Common
	ProgID    int32
	Act       uint32
	IfIndex   int32
	Err       int32
	ToIfIndex int32
	MapID     uint32
	MapIndex  int32
}

// Redirect counts a redirected packet.
//
//bpf:tracepoint xdp/xdp_redirect
func Redirect(ctx *redirect) int32 { return redirected(ctx) }

// RedirectErr counts a packet that could not be redirected.
//
//bpf:tracepoint xdp/xdp_redirect_err
func RedirectErr(ctx *redirect) int32 { return redirected(ctx) }

func redirected(ctx *redirect) int32 {
	index := uint32(0)
	if ctx.Err != 0 {
		index = 1
	}
	if n := Redirected.Lookup(index); n != nil {
		*n++
	}
	return 0
}

// exception is the context of tracepoint xdp/xdp_exception.
type exception struct {
	trace.Common
	ProgID  int32
	Act     uint32
	IfIndex int32
}

// Exception counts a packet that a program failed on.
//
//bpf:tracepoint xdp/xdp_exception
func Exception(ctx *exception) int32 {
	if n := Exceptions.Lookup(min(ctx.Act, unknown)); n != nil {
		*n++
	}
	return 0
}

// enqueue is the context of tracepoint xdp/xdp_cpumap_enqueue.
type enqueue struct {
	trace.Common
	MapID     int32
	Act       uint32
	CPU       int32
	Drops     uint32
	Processed uint32
	ToCPU     int32
}

// Enqueue counts packets handed to a CPU.
//
//bpf:tracepoint xdp/xdp_cpumap_enqueue
func Enqueue(ctx *enqueue) int32 {
	w := Enqueued.Lookup(uint32(ctx.ToCPU))
	if w == nil {
		return 0
	}
	w.Processed += uint64(ctx.Processed)
	w.Dropped += uint64(ctx.Drops)
	if ctx.Processed > 0 {
		w.Info++
	}
	return 0
}

// kthread is the context of tracepoint xdp/xdp_cpumap_kthread.
type kthread struct {
	trace.Common
	MapID     int32
	Act       uint32
	CPU       int32
	Drops     uint32
	Processed uint32
	Sched     int32
}

// Receive counts packets that a CPU took over.
//
//bpf:tracepoint xdp/xdp_cpumap_kthread
func Receive(ctx *kthread) int32 {
	w := Received.Lookup(0)
	if w == nil {
		return 0
	}
	w.Processed += uint64(ctx.Processed)
	w.Dropped += uint64(ctx.Drops)
	if ctx.Sched != 0 {
		w.Info++
	}
	return 0
}

// transmit is the context of tracepoint xdp/xdp_devmap_xmit.
type transmit struct {
	trace.Common
	FromIfIndex int32
	Act         uint32
	ToIfIndex   int32
	Drops       int32
	Sent        int32
	Err         int32
}

// Transmit counts packets that a device sent.
//
//bpf:tracepoint xdp/xdp_devmap_xmit
func Transmit(ctx *transmit) int32 {
	w := Transmitted.Lookup(0)
	if w == nil {
		return 0
	}
	w.Processed += uint64(ctx.Sent)
	w.Dropped += uint64(ctx.Drops)
	w.Info++
	if ctx.Err != 0 {
		w.Errors++
	}
	return 0
}
