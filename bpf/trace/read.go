package trace

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// ReadKernel copies a T from the kernel address addr into *dst; EFAULT if there
// is nothing, and then *dst is zero. Needs Linux 5.5.
//
//bpf:helper probe_read_kernel(dst, sizeof(T), addr)
func ReadKernel[T any](dst *T, addr uint64) bpf.Errno {
	return bpf.Errno(sim.Current("trace.ReadKernel").ReadMemory(sim.Memory(dst), addr))
}

// ReadUser copies a T from the current process's address addr into *dst; EFAULT
// if there is nothing or it is not in memory, and then *dst is zero. Needs
// Linux 5.5.
//
//bpf:helper probe_read_user(dst, sizeof(T), addr)
func ReadUser[T any](dst *T, addr uint64) bpf.Errno {
	return bpf.Errno(sim.Current("trace.ReadUser").ReadMemory(sim.Memory(dst), addr))
}

// ReadKernelBytes copies len(dst) bytes from the kernel address addr.
//
//bpf:helper probe_read_kernel(dst.ptr, dst.len, addr)
func ReadKernelBytes(dst []byte, addr uint64) bpf.Errno {
	return bpf.Errno(sim.Current("trace.ReadKernelBytes").ReadMemory(dst, addr))
}

// ReadUserBytes copies len(dst) bytes from the current process's address addr.
//
//bpf:helper probe_read_user(dst.ptr, dst.len, addr)
func ReadUserBytes(dst []byte, addr uint64) bpf.Errno {
	return bpf.Errno(sim.Current("trace.ReadUserBytes").ReadMemory(dst, addr))
}

// ReadKernelString copies a string that ends in a zero byte from the kernel
// address addr into dst, cut to its length. It returns the number of bytes with
// the zero, or a negative error number.
//
//bpf:helper probe_read_kernel_str(dst.ptr, dst.len, addr)
func ReadKernelString(dst []byte, addr uint64) int32 {
	return sim.Current("trace.ReadKernelString").ReadString(dst, addr)
}

// ReadUserString copies a string that ends in a zero byte from the current
// process's address addr into dst, cut to its length. It returns the number of
// bytes with the zero, or a negative error number.
//
//bpf:helper probe_read_user_str(dst.ptr, dst.len, addr)
func ReadUserString(dst []byte, addr uint64) int32 {
	return sim.Current("trace.ReadUserString").ReadString(dst, addr)
}

// AddressOf stores the kernel address of a socket in *addr, as a number to read
// from; 0 if s is nil.
//
//bpf:helper probe_read_kernel(addr, sizeof(addr), &s)
func AddressOf(addr *uint64, s *bpf.Sock) bpf.Errno {
	sim.Current("trace.AddressOf")
	*addr = uint64(uintptr(unsafe.Pointer(s)))
	return bpf.OK
}

// FuncIP returns the address of the probed function. Needs Linux 5.15.
//
//bpf:helper get_func_ip(ctx)
func FuncIP(ctx *Regs) uint64 {
	sim.Current("trace.FuncIP")
	return ctx.PC()
}

// Cookie returns the number that was given when the program was attached, to
// tell apart several attachments of one program. Needs Linux 5.15.
//
//bpf:helper get_attach_cookie(ctx)
func Cookie(ctx bpf.Context) uint64 {
	return sim.Current("trace.Cookie").Cookie(sim.PointerOf(ctx))
}

// StackFlag controls Stack; BPF_F_* in include/uapi/linux/bpf.h.
type StackFlag uint64

// The flags of Stack. The number of frames to skip, up to 255, may be or'ed.
const (
	KernelStack StackFlag = 0
	UserStack   StackFlag = 1 << 8
)

// Stack stores the addresses of the calls that led here, innermost first. It
// returns the number of bytes stored, or a negative error number. Needs Linux
// 4.18.
//
//bpf:helper get_stack(ctx, frames, sizeof(T), flags)
func Stack[T any](ctx bpf.Context, frames *T, flags StackFlag) int32 {
	sim.Unsupported("trace.Stack")
	return int32(bpf.EOPNOTSUPP)
}

// BPFContext marks Regs as a bpf.Context.
func (*Regs) BPFContext() {}

// PerfEventContext is the context of perf event programs: a sample. The layout
// is struct bpf_perf_event_data of include/uapi/linux/bpf_perf_event.h.
type PerfEventContext struct {
	Regs         Regs   // the interrupted code's registers
	SamplePeriod uint64 // events between samples
	Addr         uint64 // the address that the event is about, if any
}

// BPFContext marks PerfEventContext as a bpf.Context.
func (*PerfEventContext) BPFContext() {}

// RawContext is the context of raw tracepoint programs: the arguments of the
// tracepoint, as the kernel passes them.
type RawContext struct {
	Args [12]uint64
}

// BPFContext marks RawContext as a bpf.Context.
func (*RawContext) BPFContext() {}
