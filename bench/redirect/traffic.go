package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// traffic is a row that this program carries itself, in a process of its own.
func traffic(kind string, size, connections int) row {
	name := fmt.Sprintf("%s %d B", kind, size)
	if kind == "rtt" {
		name += fmt.Sprintf(" x %d", connections)
	}
	return row{kind, name, func(ctx context.Context, group string, seconds float64) (figures, error) {
		spec := fmt.Sprintf("%s %d %d %g", kind, size, connections, seconds)
		cmd, done, err := in(group, exec.CommandContext(ctx, "/proc/self/exe", "-traffic", spec))
		if err != nil {
			return nil, err
		}
		defer done()
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, err
		}
		var f figures
		return f, json.Unmarshal(out, &f)
	}}
}

// carry carries traffic and prints its figures.
func carry(spec string) error {
	var kind string
	var size, n int
	var seconds float64
	if _, err := fmt.Sscan(spec, &kind, &size, &n, &seconds); err != nil {
		return err
	}
	// One for each thread that Go does not see blocking. The garbage collector would
	// wait for these, and they for each other.
	runtime.GOMAXPROCS(8)
	debug.SetGCPercent(-1)
	near, far, err := connect(n)
	if err != nil {
		return err
	}
	window := time.Duration(seconds * float64(time.Second))
	var f figures
	if kind == "bulk" {
		f, err = bulk(near[0], far[0], size, window)
	} else {
		f, err = roundTrips(near, far, size, window)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// warmUp is how long traffic runs before it counts.
const warmUp = 200 * time.Millisecond

// socketType is that of sockets that don't block, as servers use them who have many.
const socketType = unix.SOCK_STREAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK

// connect makes connections over loopback.
func connect(n int) (near, far []int, err error) {
	l, err := unix.Socket(unix.AF_INET, socketType, 0)
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(l)
	addr := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := errors.Join(unix.Bind(l, addr), unix.Listen(l, n)); err != nil {
		return nil, nil, err
	}
	at, err := unix.Getsockname(l)
	if err != nil {
		return nil, nil, err
	}
	for range n {
		c, err := unix.Socket(unix.AF_INET, socketType, 0)
		if err != nil {
			return nil, nil, err
		}
		if err := unix.Connect(c, at); err != nil && err != unix.EINPROGRESS {
			return nil, nil, err
		}
		if err := wait(l, unix.POLLIN); err != nil {
			return nil, nil, err
		}
		s, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		if err != nil {
			return nil, nil, err
		}
		for _, fd := range []int{c, s} {
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
				return nil, nil, err
			}
		}
		near, far = append(near, c), append(far, s)
	}
	return near, far, nil
}

var errEnded = errors.New("the stream has ended early")

// The calls go past Go's scheduler: they cost what they cost a C program.

// wait waits until a socket can be read or written.
func wait(fd int, events int16) error {
	p := unix.PollFd{Fd: int32(fd), Events: events}
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, 0, 0, 0, 0)
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}

// move reads or writes once, when that is possible.
func move(call uintptr, events int16, fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch {
		case errno == unix.EAGAIN:
			if err := wait(fd, events); err != nil {
				return 0, err
			}
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, errEnded
		default:
			return int(n), nil
		}
	}
}

func read(fd int, b []byte) (int, error) { return move(unix.SYS_READ, unix.POLLIN, fd, b) }

func readFull(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := read(fd, b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := move(unix.SYS_WRITE, unix.POLLOUT, fd, b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// thread runs work on a thread of its own; an error ends the process.
func thread(work func() error) {
	go func() {
		runtime.LockOSThread()
		if err := work(); err != nil {
			fmt.Fprintln(os.Stderr, "redirect: carry traffic:", err)
			os.Exit(1)
		}
	}()
}

// each calls f for each socket that can be read, as long as it says so.
func each(fds []int, f func(fd int) (bool, error)) error {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	for _, fd := range fds {
		if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return err
		}
	}
	events := make([]unix.EpollEvent, len(fds))
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(poll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), ^uintptr(0), 0, 0)
		if errno != 0 && errno != unix.EINTR {
			return errno
		}
		for _, e := range events[:max(int(n), 0)] {
			if more, err := f(int(e.Fd)); err != nil || !more {
				return err
			}
		}
	}
}

// roundTrips lets messages go there and back on all connections; either side is a thread.
func roundTrips(near, far []int, size int, window time.Duration) (figures, error) {
	thread(func() error {
		b := make([]byte, size)
		return each(far, func(fd int) (bool, error) {
			if err := readFull(fd, b); err != nil {
				return false, err
			}
			return true, writeAll(fd, b)
		})
	})
	b := make([]byte, size)
	sent := make([]time.Time, slices.Max(near)+1)
	var times []time.Duration
	start := time.Now()
	var before, after usage
	done := make(chan struct{})
	thread(func() error {
		defer close(done)
		for _, fd := range near {
			sent[fd] = time.Now()
			if err := writeAll(fd, b); err != nil {
				return err
			}
		}
		return each(near, func(fd int) (bool, error) {
			if err := readFull(fd, b); err != nil {
				return false, err
			}
			now := time.Now()
			switch age := now.Sub(start); {
			case age > warmUp+window:
				return false, after.take()
			case age > warmUp:
				if before.at.IsZero() {
					if err := before.take(); err != nil {
						return false, err
					}
				}
				times = append(times, now.Sub(sent[fd]))
			}
			sent[fd] = time.Now()
			return true, writeAll(fd, b)
		})
	})
	<-done
	if len(times) < 10 {
		return nil, errors.New("the connections hardly move")
	}
	slices.Sort(times)
	n := float64(len(times))
	return figures{
		"p50 us":     times[len(times)/2].Seconds(),
		"p99 us":     times[len(times)*99/100].Seconds(),
		"per s":      n / after.at.Sub(before.at).Seconds(),
		"CPU s/M":    (after.cpu - before.cpu).Seconds() / (2 * n),
		"lo packets": float64(after.packets - before.packets),
	}, nil
}

// pin keeps a thread on a CPU, if there are that many.
func pin(cpu int) error {
	if cpu >= runtime.NumCPU() {
		return nil
	}
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(0, &set)
}

// bulk sends a stream. Either end has a CPU of its own: where the scheduler puts them
// makes a factor of two for TCP as well.
func bulk(near, far, size int, window time.Duration) (figures, error) {
	var received atomic.Int64
	thread(func() error {
		if err := pin(1); err != nil {
			return err
		}
		b := make([]byte, max(size, 64<<10))
		for {
			n, err := read(far, b)
			if err != nil {
				return err
			}
			received.Add(int64(n))
		}
	})
	thread(func() error {
		if err := pin(0); err != nil {
			return err
		}
		b := make([]byte, size)
		for {
			if err := writeAll(near, b); err != nil {
				return err
			}
		}
	})
	time.Sleep(warmUp)
	start, at := received.Load(), time.Now()
	time.Sleep(window)
	return figures{"Gb/s": float64(received.Load()-start) / time.Since(at).Seconds()}, nil
}

// usage is what the process and the loopback device have done up to a moment.
type usage struct {
	at      time.Time
	cpu     time.Duration
	packets uint64
}

func (u *usage) take() error {
	u.at = time.Now()
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return err
	}
	u.cpu = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	text, err := os.ReadFile("/proc/net/dev")
	if err != nil {
		return err
	}
	for line := range bytes.Lines(text) {
		name, rest, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		if f := strings.Fields(rest); name == "lo" && len(f) > 1 {
			u.packets, err = strconv.ParseUint(f[1], 10, 64)
			return err
		}
	}
	return errors.New("find loopback device: not there")
}
