// Package minimalns logs the writes of one process, whose ID is that which the
// process has in its own namespace, as in a container.
package minimalns

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/helper"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// PID is the process that is watched; Dev and Ino are device and inode of its PID
// namespace: /proc/self/ns/pid.
var (
	PID      uint32
	Dev, Ino uint64
)

// Writes counts its writes.
var Writes uint64

// pidns is struct bpf_pidns_info.
type pidns struct {
	PID  uint32 // of the thread
	TGID uint32 // of the process
}

// sysEnter is the context of the tracepoints below syscalls/sys_enter.
type sysEnter struct {
	trace.Common
	Nr   int64
	Args [6]uint64
}

// Write sees a call of write.
//
//bpf:tracepoint syscalls/sys_enter_write
func Write(*sysEnter) int32 {
	var ns pidns
	if helper.GetNSCurrentPidTgid(Dev, Ino, unsafe.Pointer(&ns), uint32(unsafe.Sizeof(ns))) != 0 {
		return 0 // in another namespace
	}
	if ns.TGID != PID {
		return 0
	}
	bpf.AtomicAdd(&Writes, 1)
	bpf.Log("write from PID %d", ns.TGID)
	return 0
}
