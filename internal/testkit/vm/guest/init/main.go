//go:build linux

// Init is process 1 of a test machine: it mounts the kernel's file systems,
// inserts modules, runs one program and powers off. See package vm.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit/vm/guest"
)

func main() {
	res := guest.Result{}
	code, err := run()
	if err != nil {
		res.Error = err.Error()
	}
	res.Exit = code
	text, err := json.Marshal(&res)
	if err == nil {
		err = report(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "init: report result:", err)
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART); err != nil {
		fmt.Fprintln(os.Stderr, "init: reboot:", err)
	}
	select {} // process 1 must not end
}

// mounts are the file systems a BPF program's tests may look at. Nothing is
// mounted on /tmp: the host's files may lie there, and the root is memory anyway.
var mounts = []struct{ kind, dir string }{
	{"proc", "/proc"},
	{"sysfs", "/sys"},
	{"devtmpfs", "/dev"},
	{"devpts", "/dev/pts"},
	{"bpf", "/sys/fs/bpf"},
	{"cgroup2", "/sys/fs/cgroup"},
	{"debugfs", "/sys/kernel/debug"},
	{"tracefs", "/sys/kernel/tracing"},
}

func run() (int, error) {
	if err := os.MkdirAll("/tmp", 0o1777); err != nil {
		return 0, err
	}
	for _, m := range mounts {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return 0, err
		}
		if err := unix.Mount(m.kind, m.dir, m.kind, 0, ""); err != nil {
			return 0, fmt.Errorf("mount %s: %w", m.dir, err)
		}
	}
	data, err := os.ReadFile("/" + guest.JobFile)
	if err != nil {
		return 0, err
	}
	var job guest.Job
	if err := json.Unmarshal(data, &job); err != nil {
		return 0, err
	}
	for _, m := range job.Modules {
		if err := insert(m); err != nil {
			return 0, fmt.Errorf("insert %s: %w", filepath.Base(m), err)
		}
	}
	if err := raiseLoopback(); err != nil {
		return 0, fmt.Errorf("raise loopback: %w", err)
	}
	if err := report([]byte(guest.Booted)); err != nil {
		return 0, fmt.Errorf("report boot: %w", err)
	}
	stop := beat()
	defer stop()
	return start(&job)
}

// beat tells the host every second that the machine works, until stop returns.
func beat() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	tick := time.NewTicker(time.Second)
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				if err := report([]byte(guest.Beat)); err != nil {
					fmt.Fprintln(os.Stderr, "init: report beat:", err)
				}
			}
		}
	}()
	return func() { tick.Stop(); close(quit); <-done }
}

func insert(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

// raiseLoopback does what `ip link set lo up` does.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

// start runs the program to its end.
func start(job *guest.Job) (int, error) {
	out, err := openRaw(guest.OutputLine)
	if err != nil {
		return 0, err
	}
	defer drain(out)
	cmd := exec.Command(job.Argv[0], job.Argv[1:]...)
	cmd.Dir = job.Dir
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"}, job.Env...)
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// openRaw opens a serial line for writing bytes as they are: by default the
// line discipline would turn \n into \r\n.
func openRaw(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("get mode of %s: %w", path, err)
	}
	t.Oflag, t.Lflag = 0, 0
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t); err != nil {
		return nil, fmt.Errorf("set mode of %s: %w", path, err)
	}
	return f, nil
}

// drain waits until the line has sent all.
func drain(f *os.File) {
	// TCSBRK with an argument other than 0 is tcdrain(3).
	_ = unix.IoctlSetInt(int(f.Fd()), unix.TCSBRK, 1)
	f.Close()
}

// report tells the host.
func report(text []byte) error {
	out, err := openRaw(guest.ResultLine)
	if err != nil {
		return err
	}
	defer drain(out)
	_, err = out.Write(text)
	return err
}
