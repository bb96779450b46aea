package target

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// groupLives tells whether a process group has members that still run. Those that have
// ended and that nobody has asked about yet count for kill(2), too; orphans may stay
// so for as long as process 1 likes, which in containers often is for ever.
func groupLives(group int) bool {
	if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
		return false
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return true // a system without it
	}
	ended := false
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		switch state, of := processState(pid); {
		case of != group:
		case state == 'Z' || state == 'X':
			ended = true
		default:
			return true
		}
	}
	return !ended // with nobody to be seen, kill knows better
}

// processState returns the state of a process and its group, 0 for one that there is
// not (proc_pid_stat(5)).
func processState(pid int) (state byte, group int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	// The name before may have anything in it.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 3 {
		return 0, 0
	}
	group, _ = strconv.Atoi(string(fields[2]))
	return fields[0][0], group
}
