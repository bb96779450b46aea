//go:build linux

// Package vm runs a static Linux binary inside a virtual machine with a
// distribution's kernel, so that objects can be tried on kernels other than the
// host's. The machine is qemu in software emulation (it needs no /dev/kvm), its
// root file system an initramfs made here, and process 1 the small program in
// package guest: a run takes a few seconds, most of them the kernel's own boot.
//
//	k, err := vm.FetchKernel(ctx, ".cache")
//	code, err := vm.Run(ctx, vm.Config{Kernel: k, Argv: []string{"./load.test", "-test.v"}, Stdout: os.Stdout})
//
// Package vmrun is the command around it; it also serves as `go test -exec`.
package vm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit/vm/guest"
)

// Config says what to run, and on what.
type Config struct {
	Kernel *Kernel
	// Argv is the program and its arguments. The program is a file of the
	// host, statically linked; it is copied into the machine at its absolute path.
	Argv []string
	// Env is the program's environment; nil gives it PATH and HOME only.
	Env []string
	// Dir is the program's working directory, a directory of the host; empty
	// means /. Files says what of the host exists inside.
	Dir string
	// Files are copied into the machine at the same absolute path; directories
	// with all below them, less what Skip refuses.
	Files []string
	// Skip, if not nil, leaves out the file or directory it is true for.
	Skip func(path string) bool
	// Modules are loaded before the program starts, with what they depend on;
	// nil means DefaultModules.
	Modules []string
	// MemoryMiB is the machine's memory, 1024 by default; CPUs is 2 by default.
	MemoryMiB, CPUs int
	// Timeout bounds the program's run; 2 minutes by default.
	Timeout time.Duration
	// BootTimeout bounds the time until the program starts, 90 seconds by default.
	BootTimeout time.Duration
	// BeatTimeout bounds the time for which the machine may stand still while the
	// program runs, 30 seconds by default. In software emulation a kernel may hang,
	// mostly while it boots: a machine that doesn't come up or stands still is
	// started once more, and the program with it.
	BeatTimeout time.Duration
	// Stdout receives what the program writes to its standard output and
	// error, as it comes.
	Stdout io.Writer
	// Log receives a line, and the console's last ones, for a machine that hung and
	// is tried again.
	Log io.Writer
}

// DefaultModules are the kernel modules that network tests need and that
// Debian's cloud kernel doesn't have built in.
var DefaultModules = []string{"veth", "sch_ingress", "cls_bpf", "act_bpf", "8021q", "dummy"}

// Run boots a machine, runs the program in it and returns its exit code. The
// error tells that there was no exit code: the machine did not boot or stood still,
// twice, the kernel panicked or the time ran out; it ends with the last lines of the
// console.
func Run(ctx context.Context, cfg Config) (int, error) {
	if err := cfg.complete(); err != nil {
		return 0, err
	}
	tmp, err := os.MkdirTemp("", "waggle-vm-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(tmp)
	initrd := filepath.Join(tmp, "initrd")
	if err := writeInitrd(ctx, initrd, &cfg); err != nil {
		return 0, fmt.Errorf("make initramfs: %w", err)
	}
	code, err := boot(ctx, &cfg, tmp, initrd)
	if errors.Is(err, errNoBoot) || errors.Is(err, errHung) {
		fmt.Fprintf(cfg.Log, "%v\ntrying once more\n", err)
		code, err = boot(ctx, &cfg, tmp, initrd)
	}
	return code, err
}

// complete fills in the defaults and makes paths absolute.
func (c *Config) complete() (err error) {
	if c.Kernel == nil || len(c.Argv) == 0 {
		return errors.New("run machine: no kernel or no program")
	}
	c.Argv = append([]string(nil), c.Argv...)
	if c.Argv[0], err = filepath.Abs(c.Argv[0]); err != nil {
		return err
	}
	if c.Dir == "" {
		c.Dir = "/"
	}
	if c.Modules == nil {
		c.Modules = DefaultModules
	}
	if c.MemoryMiB == 0 {
		c.MemoryMiB = 1024
	}
	if c.CPUs == 0 {
		c.CPUs = 2
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Minute
	}
	if c.BootTimeout == 0 {
		c.BootTimeout = 90 * time.Second
	}
	if c.BeatTimeout == 0 {
		c.BeatTimeout = 30 * time.Second
	}
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	return nil
}

// What ends a machine that doesn't end by itself.
var (
	errNoBoot   = errors.New("it did not boot")
	errHung     = errors.New("it stood still")
	errNoResult = errors.New("no result")
)

// boot runs qemu until the machine ends. Each of the three serial lines has one
// use: the kernel's console, the program's output, the result.
func boot(ctx context.Context, cfg *Config, tmp, initrd string) (int, error) {
	console, result := filepath.Join(tmp, "console"), filepath.Join(tmp, "result")
	if err := os.RemoveAll(result); err != nil {
		return 0, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Processors that are threads of their own get stuck now and then while the kernel
	// changes its code, which it does whenever a tracepoint is used.
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-accel", "tcg,thread=single", "-cpu", "max", "-machine", "pc",
		"-m", strconv.Itoa(cfg.MemoryMiB), "-smp", strconv.Itoa(cfg.CPUs),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", cfg.Kernel.Image, "-initrd", initrd,
		"-append", "console=ttyS0 panic=-1 oops=panic sysctl.kernel.panic_on_rcu_stall=1 softlockup_panic=1 "+
			"reboot=k mitigations=off random.trust_cpu=on tsc=reliable",
		"-serial", "file:"+console,
		"-chardev", "file,id=out,path=/dev/fd/3", "-serial", "chardev:out",
		"-serial", "file:"+result,
		"-monitor", "none")
	cmd.ExtraFiles = []*os.File{w}
	// The machine must not outlive a test binary that is killed; the signal
	// comes when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var qemuErr strings.Builder
	cmd.Stderr = &qemuErr
	err = cmd.Start()
	w.Close()
	if err != nil {
		return 0, fmt.Errorf("start qemu: %w", err)
	}
	go func() { cancel(watch(ctx, cfg, result)) }()
	_, copyErr := io.Copy(cfg.Stdout, r)
	waitErr := cmd.Wait()
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return 0, fmt.Errorf("run machine: %w; console:\n%s", cause, tail(console))
	case waitErr != nil:
		return 0, fmt.Errorf("run qemu: %w: %s", waitErr, qemuErr.String())
	case copyErr != nil:
		return 0, fmt.Errorf("read the machine's output: %w", copyErr)
	}
	return readResult(result, console)
}

// watch follows a machine until ctx ends, or returns why the machine has to.
func watch(ctx context.Context, cfg *Config, result string) error {
	const interval = 100 * time.Millisecond
	look := time.NewTicker(interval)
	defer look.Stop()
	start := time.Now()
	up, beat, beats := start, start, 0
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-look.C:
		}
		now, isUp, n := time.Now(), up != start, told(result)
		switch {
		case !isUp && n > 0:
			up, beat, beats = now, now, n
		case n > beats:
			beat, beats = now, n
		}
		switch {
		case !isUp && n == 0 && now.Sub(start) >= cfg.BootTimeout:
			return fmt.Errorf("%w within %v", errNoBoot, cfg.BootTimeout)
		case isUp && now.Sub(up) >= cfg.Timeout:
			return fmt.Errorf("%w within %v", errNoResult, cfg.Timeout)
		case isUp && now.Sub(beat) >= cfg.BeatTimeout:
			return fmt.Errorf("%w for %v", errHung, cfg.BeatTimeout)
		}
	}
}

// told returns how much the machine has told: nothing before the program has been
// started, and then more every second.
func told(result string) int {
	data, err := os.ReadFile(result)
	if err != nil || !strings.HasPrefix(string(data), guest.Booted) {
		return 0
	}
	return len(data)
}

func readResult(path, console string) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	text, wasUp := strings.CutPrefix(string(data), guest.Booted)
	text = strings.TrimLeft(text, guest.Beat)
	var res guest.Result
	switch err := json.Unmarshal([]byte(text), &res); {
	case err != nil && !wasUp:
		return 0, fmt.Errorf("run machine: %w; console:\n%s", errNoBoot, tail(console))
	case err != nil && stalled(console):
		return 0, fmt.Errorf("run machine: %w; console:\n%s", errHung, tail(console))
	case err != nil:
		return 0, fmt.Errorf("machine stopped without a result; console:\n%s", tail(console))
	case res.Error != "":
		return 0, fmt.Errorf("run program in machine: %s", res.Error)
	}
	return res.Exit, nil
}

// stalled tells whether the kernel panicked because one of its processors did not get
// on, which is the emulation's doing.
func stalled(console string) bool {
	data, err := os.ReadFile(console)
	return err == nil && (bytes.Contains(data, []byte("RCU Stall")) || bytes.Contains(data, []byte("softlockup: hung tasks")))
}

// tail returns what a console says about the machine's end: the lines from the
// kernel's panic on, or else the last ones.
func tail(path string) string {
	const most = 30
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	from := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "Kernel panic") })
	if from < 0 {
		from = max(0, len(lines)-most)
	}
	return strings.Join(lines[from:min(len(lines), from+most)], "\n")
}
