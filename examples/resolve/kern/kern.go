// Package kern is the kernel half of resolve: it watches the C library look up
// host names.
package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// Lookup is one call of getaddrinfo.
type Lookup struct {
	PID    uint32
	Result int32  // 0, or one of EAI_* in netdb.h
	Took   uint64 // ns
	Comm   [16]byte
	Host   [256]byte // ends in a zero
}

// Lookups takes the calls to user space as they return.
var Lookups = bpf.RingBuf[Lookup]{MaxEntries: 256 << 10}

// call is a call that has not returned yet.
type call struct {
	start uint64 // ns since boot
	host  uint64 // address of the name
}

// calls holds them by thread. Those whose threads die meanwhile make room when
// it is needed.
var calls = bpf.LRUHash[uint32, call]{MaxEntries: 4096}

// Enter sees a call begin. Its first argument is the name.
//
//bpf:uprobe libc.so.6:getaddrinfo
func Enter(ctx *trace.Regs) int32 {
	calls.Update(bpf.CurrentTID(), call{start: bpf.KtimeGetNS(), host: ctx.Arg(0)}, bpf.Any)
	return 0
}

// Return sees it end. Only now the name is read: the library has just used it,
// so it is in memory.
//
//bpf:uretprobe libc.so.6:getaddrinfo
func Return(ctx *trace.Regs) int32 {
	c := calls.Lookup(bpf.CurrentTID())
	if c == nil {
		return 0 // it began before the probe was there
	}
	start, host := c.start, c.host
	calls.Delete(bpf.CurrentTID())
	e := Lookups.Reserve()
	if e == nil {
		return 0 // the buffer is full: counted as lost
	}
	e.PID = bpf.CurrentPID()
	e.Result = int32(ctx.Ret())
	e.Took = bpf.KtimeGetNS() - start
	bpf.GetCurrentComm(&e.Comm)
	e.Host[0] = 0 // the name may be nil or unreadable
	trace.ReadUserString(e.Host[:], host)
	Lookups.Submit(e)
	return 0
}
