// Package trace is for programs that watch: tracepoints, raw tracepoints,
// kprobes, uprobes and perf events. They change nothing; what they return is
// ignored but for 0 at perf events, which drops the sample.
//
// A tracepoint's context is a struct of your own with the fields that
// /sys/kernel/tracing/events/GROUP/NAME/format lists, behind Common:
//
//	// openat is the context of tracepoint syscalls/sys_enter_openat.
//	type openat struct {
//		trace.Common
//		Nr       int64
//		Dfd      int64
//		Filename uint64
//		Flags    int64
//		Mode     int64
//	}
//
//	//bpf:tracepoint syscalls/sys_enter_openat
//	func Open(ctx *openat) int32 {
//		e := Events.Reserve()
//		if e == nil {
//			return 0
//		}
//		e.PID = bpf.CurrentPID()
//		trace.ReadUserString(e.Name[:], ctx.Filename)
//		Events.Submit(e)
//		return 0
//	}
package trace

// Common stands for the 8 bytes at the start of every tracepoint's context,
// which the kernel keeps to itself.
type Common struct {
	_ [8]byte
}

// BPFContext marks every struct that embeds Common as a bpf.Context.
func (*Common) BPFContext() {}

// DataLoc is a field that the format calls __data_loc: a string or array
// elsewhere in the context.
type DataLoc uint32

// Offset returns where the data starts, from the start of the context in bytes.
func (d DataLoc) Offset() uint32 { return uint32(d) & 0xffff }

// Len returns the length of the data in bytes.
func (d DataLoc) Len() uint32 { return uint32(d) >> 16 }
