package sys

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Event is an open performance event.
type Event struct{ fd int }

// OpenPerfEvent opens an event that is running.
func OpenPerfEvent(e PerfEvent) (*Event, error) {
	attr := unix.PerfEventAttr{
		Type:   e.Type,
		Config: e.Config,
		Size:   uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Sample: e.Period,
	}
	if e.Period == 0 {
		attr.Sample = e.Frequency
		attr.Bits |= unix.PerfBitFreq
	}
	pid := e.PID
	if pid == 0 {
		pid = -1
	}
	fd, err := unix.PerfEventOpen(&attr, pid, e.CPU, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &Event{fd}, nil
}

// FD is the event's file descriptor.
func (e *Event) FD() int { return e.fd }

// Close ends the event.
func (e *Event) Close() error { return unix.Close(e.fd) }

// OnlineCPUs lists the numbers of the CPUs that run.
func OnlineCPUs() ([]int, error) {
	const path = "/sys/devices/system/cpu/online"
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("list CPUs: %w", err)
	}
	cpus, err := parseRanges(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("list CPUs in %s: %w", path, err)
	}
	return cpus, nil
}

// parseRanges reads the kernel's notation for sets of numbers, "0-3,8".
func parseRanges(text string) ([]int, error) {
	var all []int
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		if err != nil {
			return nil, err
		}
		to := from
		if isRange {
			if to, err = strconv.Atoi(last); err != nil {
				return nil, err
			}
		}
		for n := from; n <= to; n++ {
			all = append(all, n)
		}
	}
	return all, nil
}
