package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// tracer is a running tracer.
type tracer struct {
	cmd *exec.Cmd
	out *bufio.Scanner // what it says
}

// startTracer returns when the tracer watches.
func startTracer() (*tracer, error) {
	t := &tracer{cmd: exec.Command("/proc/self/exe", "-role=watch")}
	t.cmd.Stderr = os.Stderr
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := t.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start tracer: %w", err)
	}
	t.out = bufio.NewScanner(out)
	if line := t.line(); line != watching {
		return nil, fmt.Errorf("start tracer: %q, %w", line, t.cmd.Wait())
	}
	return t, nil
}

// line is the next line that the tracer says; empty at its end.
func (t *tracer) line() string {
	t.out.Scan()
	return t.out.Text()
}

// result is what a tracer has seen.
type result struct {
	lines   uint64
	cpu     time.Duration // since it began to watch
	summary string
}

// end stops the tracer.
func (t *tracer) end() (r result, err error) {
	if err := t.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return r, err
	}
	lines, cpu := t.line(), t.line()
	r.summary = t.line()
	if err := t.cmd.Wait(); err != nil {
		return r, fmt.Errorf("tracer: %w", err)
	}
	var cpuErr error
	r.lines, err = strconv.ParseUint(lines, 10, 64)
	r.cpu, cpuErr = time.ParseDuration(cpu)
	return r, errors.Join(err, cpuErr)
}
