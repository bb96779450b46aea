package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/bench/events/kern"
	"github.com/waggle-bpf/waggle/load"
)

// figures are what one round of a variant gives.
type figures struct {
	sent     float64 // per second
	received float64 // per second
	lost     float64 // share of those sent
	cpu      float64 // nanoseconds of the reader for an event received
}

// measure runs one round: so many events, at a rate, or as fast as possible if
// it is 0.
func (v *variant) measure(ctx context.Context, obj *load.Object, events int, rate float64) (_ figures, err error) {
	h, err := obj.Load(load.Options{Programs: []string{v.program}})
	if err != nil {
		return figures{}, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	prog, err := h.Program(v.program)
	if err != nil {
		return figures{}, err
	}
	r, err := v.open(h)
	if err != nil {
		return figures{}, err
	}
	var emitErr error
	var emitted time.Duration
	start := time.Now()
	go func() {
		emitErr = emit(ctx, prog, events/kern.PerRun, rate)
		emitted = time.Since(start)
		r.stop()
	}()
	var got account
	cpu, readErr := got.readAll(r)
	took := time.Since(start)
	unread, closeErr := r.close()
	if err := errors.Join(emitErr, readErr, closeErr); err != nil {
		return figures{}, err
	}
	sent, lost, err := counters(h)
	if err != nil {
		return figures{}, err
	}
	if err := got.check(sent, lost, unread); err != nil {
		return figures{}, err
	}
	return figures{
		sent:     float64(sent) / emitted.Seconds(),
		received: float64(got.received) / took.Seconds(),
		lost:     float64(lost) / float64(sent),
		cpu:      float64(cpu.Nanoseconds()) / float64(got.received),
	}, nil
}

// account checks the events as they come.
type account struct {
	received, next uint64
	disorder       uint64
}

// readAll reads on a thread and CPU of its own, and returns the CPU time it took.
func (a *account) readAll(r reader) (cpu time.Duration, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err = pin(readCPU); err == nil {
			before := threadTime()
			err = r.read(a.add)
			cpu = threadTime() - before
		}
	}()
	<-done
	return cpu, err
}

func (a *account) add(e *kern.Event) {
	a.received++
	if e.Seq < a.next {
		a.disorder++
	}
	a.next = e.Seq + 1
}

func (a *account) check(sent, lost, unread uint64) error {
	if a.received+lost != sent || unread > 0 || a.disorder > 0 {
		return fmt.Errorf("%d events sent, but %d received and %d lost; %d unread, %d out of order",
			sent, a.received, lost, unread, a.disorder)
	}
	return nil
}

// counters reads what the program counted.
func counters(h *load.Handle) (sent, lost uint64, err error) {
	v, err := load.VariableOf[uint64](h, "Sent")
	if err != nil {
		return 0, 0, err
	}
	sent, err = v.Get()
	if err != nil {
		return 0, 0, err
	}
	all, err := h.Lost()
	for _, l := range all {
		lost += l.Count
	}
	return sent, lost, err
}

// emit runs the program, at a rate of events or, if that is 0, at a stretch. The
// kernel starts a test run over when a signal of the Go runtime interrupts it,
// so it may be more runs. All are on one CPU: perf buffers keep no order between
// CPUs.
func emit(ctx context.Context, p *ebpf.Program, runs int, rate float64) error {
	if err := pin(emitCPU); err != nil {
		return err
	}
	group := runs
	if rate > 0 {
		group = 20
	}
	start := time.Now()
	for done := 0; done < runs && ctx.Err() == nil; done += group {
		_, err := p.Run(&ebpf.RunOptions{Data: make([]byte, 64), Repeat: uint32(group)})
		if err != nil {
			return fmt.Errorf("run program: %w", err)
		}
		if rate == 0 {
			break
		}
		// Sleeping is too coarse for a few microseconds.
		due := start.Add(time.Duration(float64((done+group)*kern.PerRun) / rate * 1e9))
		for time.Now().Before(due) {
		}
	}
	return ctx.Err()
}

// The program and the reader have a CPU each.
const (
	emitCPU = 0
	readCPU = 1
)

// pin binds the goroutine to a thread and the thread to a CPU; both end together.
func pin(cpu int) error {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("choose CPU %d: %w", cpu, err)
	}
	return nil
}

// threadTime is what this thread has used of its CPU, in the kernel and outside.
func threadTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		panic("BUG: " + err.Error())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
