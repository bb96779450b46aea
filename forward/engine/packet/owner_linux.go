package packet

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// owner names a process for good: its number, and when it was started, because
// numbers come again.
type owner uint64

// nobody owns what is free.
const nobody owner = 0

// processOwner returns the name of a process; an error if it does not run.
func processOwner(pid int) (owner, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nobody, err
	}
	// The command, in parentheses, may hold anything. Behind it, the start time
	// is field 22 of proc_pid_stat(5), and the state field 3.
	rest := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const startTime, state = 22 - 3, 0
	if len(rest) <= startTime {
		return nobody, fmt.Errorf("read start time of process %d: %q", pid, stat)
	}
	if rest[state][0] == 'Z' || rest[state][0] == 'X' {
		return nobody, os.ErrProcessDone
	}
	ticks, err := strconv.ParseUint(string(rest[startTime]), 10, 64)
	if err != nil {
		return nobody, fmt.Errorf("read start time of process %d: %w", pid, err)
	}
	return owner(uint64(pid)<<32 | ticks&0xffffffff), nil
}

// lives reports whether the process still runs.
func (o owner) lives() bool {
	now, err := processOwner(int(o >> 32))
	return err == nil && now == o
}
