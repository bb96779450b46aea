//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cost measures what watching n connections takes.
func cost(ctx context.Context, o *options, watcher string, n int) (r *row, err error) {
	w, err := start(ctx, watcher, "1h")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	c, err := connect(watcher, n, o.rate)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	for deadline := time.Now().Add(patience); int(w.open.Load()) != n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%d connections are known", w.open.Load())
		}
	}
	if err := wait(ctx, time.Second); err != nil { // what opening them has set going
		return nil, err
	}
	pid := w.cmd.Process.Pid
	before, err := usageOf(pid)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, o.duration); err != nil {
		return nil, err
	}
	after, err := usageOf(pid)
	if err != nil {
		return nil, err
	}
	calls, err := callsOf(ctx, pid, o.duration)
	if err != nil {
		return nil, err
	}
	memory, err := memoryOf(pid)
	minutes := o.duration.Minutes()
	return &row{
		Watcher: watcher, Connections: n,
		CPU:     (after.cpu - before.cpu).Seconds() * 1e3 / minutes,
		Wakeups: float64(after.switches-before.switches) / minutes,
		Calls:   float64(calls) / minutes,
		Memory:  float64(memory) / 1e6,
	}, err
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// usage is what the threads of a process have used so far.
type usage struct {
	cpu      time.Duration
	switches int64 // times a thread has given up the processor of its own accord, to wait
}

// usageOf reads the kernel's counters, proc_pid_task(5): sched's first number is the
// time on a processor in ns.
func usageOf(pid int) (u usage, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) == 0 {
		return u, fmt.Errorf("process %d has no threads", pid)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task + "/schedstat")
		if err != nil {
			return u, err
		}
		first, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ns)
		n, err := field(task+"/status", "voluntary_ctxt_switches:")
		if err != nil {
			return u, err
		}
		u.switches += n
	}
	return u, nil
}

// field reads a number behind a name at the beginning of a line.
func field(file, name string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(name)); ok {
			f := strings.Fields(string(value))
			return strconv.ParseInt(f[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}

// memoryOf is the memory in bytes that is the process's own: what it has written to.
func memoryOf(pid int) (int64, error) {
	kb, err := field(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Anonymous:")
	return kb << 10, err
}

// callsOf counts the system calls of a process in a time, all of them: the Go runtime's
// own included, those left out in which a thread waits all the time.
func callsOf(ctx context.Context, pid int, d time.Duration) (n int, err error) {
	file, err := os.CreateTemp("", "calls")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	cmd := exec.CommandContext(ctx, "strace", "-f", "-q", "-e", "signal=none", "-o", file.Name(), "-p", strconv.Itoa(pid))
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	// Being attached to interrupts calls, which are made again.
	err = wait(ctx, time.Second)
	settled, sizeErr := file.Stat()
	if err = errors.Join(err, sizeErr); err == nil {
		err = wait(ctx, d)
	}
	_ = cmd.Process.Signal(syscall.SIGINT)
	_ = cmd.Wait()
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		return 0, err
	}
	return countCalls(text[settled.Size():]), nil
}

// countCalls counts the lines of strace in which a call begins.
func countCalls(text []byte) (n int) {
	for line := range bytes.Lines(text) {
		_, call, _ := bytes.Cut(line, []byte(" "))
		call = bytes.TrimLeft(call, " ")
		if !bytes.HasPrefix(call, []byte("<...")) && !bytes.HasPrefix(call, []byte("+++")) && !bytes.Contains(call, []byte("<detached")) {
			n++
		}
	}
	return n
}

// timeToStop is the time from the end of the last connection to the stop, beyond the
// idle time.
func timeToStop(ctx context.Context, watcher string) (time.Duration, error) {
	const idle = 2 * time.Second
	w, err := start(ctx, watcher, idle.String())
	if err != nil {
		return 0, err
	}
	c, err := connect(watcher, 10, 0)
	if err != nil {
		return 0, errors.Join(err, w.stop())
	}
	for deadline := time.Now().Add(patience); w.open.Load() != 10 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	closed := time.Now()
	if err := c.close(); err != nil {
		return 0, errors.Join(err, w.stop())
	}
	err = w.expect("stopping: ")
	took := time.Since(closed) - idle
	<-w.ended
	return took, errors.Join(err, w.cmd.Wait(), os.RemoveAll(w.dir))
}
