package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/load"
)

// cpu is the CPU time of the peer's processes, those that have ended included.
func (r *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join(r.group, "cpu.stat"))
	if err != nil {
		return 0, err
	}
	n, err := field(text, "usage_usec")
	return time.Duration(n) * time.Microsecond, err
}

// field finds a number behind its name.
func field(text []byte, name string) (uint64, error) {
	for line := range bytes.Lines(text) {
		if f := strings.Fields(string(line)); len(f) >= 2 && f[0] == name {
			return strconv.ParseUint(f[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("find %s: not there", name)
}

// memory is the memory of the peer's processes, in bytes: what each has alone, and
// its share of the rest.
func (r *process) memory() (uint64, error) {
	pids, err := os.ReadFile(filepath.Join(r.group, "cgroup.procs"))
	if err != nil {
		return 0, err
	}
	var sum uint64
	for _, pid := range strings.Fields(string(pids)) {
		text, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
		if err != nil {
			continue // it has just ended
		}
		kib, err := field(text, "Pss:")
		if err != nil {
			return 0, err
		}
		sum += kib << 10
	}
	return sum, nil
}

// machine is the CPU time that all CPUs have been busy.
func machine() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	// proc_stat(5): user nice system idle iowait irq softirq, in ticks.
	line, _, _ := strings.Cut(string(text), "\n")
	f := strings.Fields(line)
	if len(f) < 8 {
		return 0, fmt.Errorf("read /proc/stat: %q", line)
	}
	const userHZ = 100 // in the kernel's ABI
	var ticks time.Duration
	for _, i := range []int{1, 2, 3, 6, 7} {
		n, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read /proc/stat: %w", err)
		}
		ticks += time.Duration(n)
	}
	return ticks * time.Second / userHZ, nil
}

// counter counts the system calls of a peer's processes.
type counter struct {
	handle *load.Handle
	calls  *load.PerCPUMap[uint32, uint64]
}

// count begins to count.
func (r *process) count(ctx context.Context) (*counter, error) {
	made, err := compile.Compile(ctx, compile.Config{Dir: "bench/forward/kern"})
	if err != nil {
		return nil, err
	}
	obj, err := load.OpenBytes("calls", made.ELF)
	if err != nil {
		return nil, err
	}
	var group syscall.Stat_t
	if err := syscall.Stat(r.group, &group); err != nil {
		return nil, err
	}
	if err := obj.Set("Cgroup", group.Ino); err != nil {
		return nil, err
	}
	h, err := obj.Load(load.Options{})
	if err != nil {
		return nil, err
	}
	c := &counter{handle: h}
	if c.calls, err = load.PerCPUMapOf[uint32, uint64](h, "Calls"); err == nil {
		_, err = h.AttachAll(load.Targets{})
	}
	if err != nil {
		h.Close()
		return nil, err
	}
	return c, nil
}

func (c *counter) read() (uint64, error) {
	values, err := c.calls.Get(0)
	var sum uint64
	for _, v := range values {
		sum += v
	}
	return sum, err
}

func (c *counter) close() { c.handle.Close() }
