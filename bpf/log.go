package bpf

import (
	"fmt"

	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// Level says how much a program logs.
type Level uint32

// The levels, each including those before it.
const (
	LevelError Level = iota
	LevelWarn
	LevelInfo
	LevelDebug
)

// LogLevel is the level up to which Enabled says yes. Settable before load; the
// verifier then removes what is off.
//
//bpf:const
var LogLevel = LevelInfo

// Enabled reports whether messages of a level are wanted:
//
//	if bpf.Enabled(bpf.LevelDebug) {
//		bpf.Log("port %d", port)
//	}
func Enabled(level Level) bool { return level <= LogLevel }

// Log writes a line to the kernel's trace buffer
// (/sys/kernel/tracing/trace_pipe). It is for debugging: slow, and shared by the
// whole machine. The format is a constant with the verbs %d, %x, %v, %c and %p;
// the arguments are integers, bools and pointers. More than three need Linux
// 5.16.
//
//bpf:intrinsic log
func Log(format string, args ...any) {
	k := sim.Current("Log")
	if k.Log != nil {
		k.Log(fmt.Sprintf(format, args...))
	}
}
