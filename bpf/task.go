package bpf

import "github.com/waggle-bpf/waggle/bpf/internal/sim"

// KtimeGetNS returns the time since boot in ns, without time suspended: what
// clock_gettime gives for CLOCK_MONOTONIC.
//
//bpf:helper ktime_get_ns()
func KtimeGetNS() uint64 { return sim.Current("KtimeGetNS").Now }

// KtimeGetBootNS returns the time since boot in ns, time suspended included:
// CLOCK_BOOTTIME.
//
//bpf:helper ktime_get_boot_ns()
func KtimeGetBootNS() uint64 {
	k := sim.Current("KtimeGetBootNS")
	return k.Now + k.Boot
}

// KtimeGetTaiNS returns international atomic time in ns: CLOCK_TAI, wall time
// without leap seconds. Needs Linux 6.1.
//
//bpf:helper ktime_get_tai_ns()
func KtimeGetTaiNS() uint64 { return sim.Current("KtimeGetTaiNS").Wall }

// SmpProcessorID returns the number of the CPU that the program runs on.
//
//bpf:helper get_smp_processor_id()
func SmpProcessorID() uint32 { return uint32(sim.Current("SmpProcessorID").CPU) }

// GetPrandomU32 returns a pseudo-random number.
//
//bpf:helper get_prandom_u32()
func GetPrandomU32() uint32 { return uint32(sim.Current("GetPrandomU32").Random()) }

// GetCurrentPidTgid returns the thread in the lower and the process in the upper
// half: in user space's words, the thread ID and the process ID.
//
//bpf:helper get_current_pid_tgid()
func GetCurrentPidTgid() uint64 {
	t := sim.Current("GetCurrentPidTgid").Task
	return uint64(t.TGID)<<32 | uint64(t.PID)
}

// CurrentPID returns the process ID of the current task.
func CurrentPID() uint32 { return uint32(GetCurrentPidTgid() >> 32) }

// CurrentTID returns the thread ID of the current task.
func CurrentTID() uint32 { return uint32(GetCurrentPidTgid()) }

// GetCurrentUidGid returns the user ID in the lower and the group ID in the
// upper half.
//
//bpf:helper get_current_uid_gid()
func GetCurrentUidGid() uint64 {
	t := sim.Current("GetCurrentUidGid").Task
	return uint64(t.GID)<<32 | uint64(t.UID)
}

// GetCurrentCgroupID returns the ID of the current task's cgroup: the inode
// number of its directory in the cgroup2 file system.
//
//bpf:helper get_current_cgroup_id()
func GetCurrentCgroupID() uint64 { return sim.Current("GetCurrentCgroupID").Task.CgroupID }

// GetCurrentComm stores the name of the current task, up to 15 bytes and zeros.
//
//bpf:helper get_current_comm(comm, sizeof(comm))
func GetCurrentComm(comm *[16]byte) Errno {
	clear(comm[:])
	copy(comm[:15], sim.Current("GetCurrentComm").Task.Comm)
	return OK
}

// GetCurrentTask returns the address of the current task_struct, for probe
// reads.
//
//bpf:helper get_current_task()
func GetCurrentTask() uint64 {
	sim.Unsupported("GetCurrentTask")
	return 0
}
