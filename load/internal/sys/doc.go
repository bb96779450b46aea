// Package sys makes the system calls that package load needs and cilium/ebpf
// does not offer: ring buffer memory and waiting for it, network namespaces,
// packet sockets, performance events. On systems other than Linux all of them
// fail with [ErrUnsupported], so that package load builds there.
package sys

import (
	"fmt"
	"runtime"

	"github.com/cilium/ebpf"
)

// ErrUnsupported is every function's answer where there is no Linux.
// errors.Is finds ebpf.ErrNotSupported in it.
var ErrUnsupported = fmt.Errorf("%w on %s", ebpf.ErrNotSupported, runtime.GOOS)

// PerfEvent is what OpenPerfEvent opens, see struct perf_event_attr.
type PerfEvent struct {
	Type              uint32
	Config            uint64
	Period, Frequency uint64 // the frequency counts if the period is 0
	PID               int    // 0: all processes
	CPU               int
}
