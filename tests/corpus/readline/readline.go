// Package readline reports the lines that people type into bash: what a function
// of a program in user space returns.
package readline

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// Event is one line.
type Event struct {
	PID  uint32
	Len  int32 // bytes of Line with the zero at its end; below 0: it can't be read
	Line [80]byte
}

// Events carries the lines.
var Events bpf.PerfEventArray[Event]

// Readline reports a line.
//
//bpf:uretprobe /bin/bash:readline
func Readline(ctx *trace.Regs) int32 {
	line := ctx.Ret()
	if line == 0 {
		return 0
	}
	e := Event{PID: bpf.CurrentPID()}
	e.Len = trace.ReadUserString(e.Line[:], line)
	Events.Output(ctx, &e)
	return 0
}
