package command

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// runEnv marks the process that is to be the command.
const runEnv = "WAGGLE_TEST_COMMAND"

// Main is testkit.Main for a package main: in a process made by Start it runs
// the package's main function instead of its tests.
func Main(m *testing.M, main func()) {
	if os.Getenv(runEnv) == "1" {
		main()
		os.Exit(0)
	}
	testkit.Main(m)
}

// Process is a running command.
type Process struct {
	t   testing.TB
	cmd *exec.Cmd

	mu    sync.Mutex
	lines []string // complete ones of both outputs
	more  chan struct{}
	next  int // the first line that Expect has not looked at
}

// patience is how long to wait for what should come soon.
const patience = 20 * time.Second

// Invocation is how another program may run the command: its arguments, and the variable
// that has to be in its environment.
func Invocation(t testing.TB, args ...string) (argv []string, variable string) {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{path}, args...), runEnv + "=1"
}

// Start runs the command until the test ends; its output goes to the test's log.
func Start(t testing.TB, args ...string) *Process {
	t.Helper()
	return StartIn(t, nil, args...)
}

// StartIn is Start with attributes of the process: another user, or namespaces.
func StartIn(t testing.TB, attr *syscall.SysProcAttr, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, cmd: exec.Command("/proc/self/exe", args...), more: make(chan struct{}, 1)}
	p.cmd.SysProcAttr = attr
	p.cmd.Env = append(os.Environ(), runEnv+"=1")
	p.cmd.Stdout, p.cmd.Stderr = &lineWriter{p: p}, &lineWriter{p: p}
	p.cmd.WaitDelay = 2 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	return p
}

// lineWriter cuts one of the outputs into lines.
type lineWriter struct {
	p    *Process
	rest string
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	lines := strings.Split(w.rest+string(b), "\n")
	last := len(lines) - 1
	w.rest = lines[last]
	for _, line := range lines[:last] {
		w.p.t.Log(line)
	}
	w.p.lines = append(w.p.lines, lines[:last]...)
	select {
	case w.p.more <- struct{}{}:
	default:
	}
	return len(b), nil
}

// Expect waits for a line of output that matches and returns what matched, with
// its groups. It looks at lines behind the one that the last call found.
func (p *Process) Expect(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for timeout := time.After(patience); ; {
		if found := p.find(re); found != nil {
			return found
		}
		select {
		case <-p.more:
		case <-timeout:
			p.t.Fatalf("no line matches %s", pattern)
		}
	}
}

func (p *Process) find(re *regexp.Regexp) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, line := range p.lines[p.next:] {
		if found := re.FindStringSubmatch(line); found != nil {
			p.next += i + 1
			return found
		}
	}
	return nil
}

// Interrupt presses Ctrl-C, waits for the command's clean end and returns all the
// lines it has written.
func (p *Process) Interrupt() []string {
	p.t.Helper()
	p.Signal(os.Interrupt)
	if code := p.Wait(); code != 0 {
		p.t.Errorf("exit code %d after Ctrl-C", code)
	}
	return p.output()
}

// Kill ends the command so that it can't do anything about it.
func (p *Process) Kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	p.Wait()
}

// PID is the command's process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends the command a signal.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// Wait waits for the command's end and returns its exit code.
func (p *Process) Wait() int {
	p.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case <-ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-ended
		p.t.Fatal("the command does not end")
	}
	panic("unreachable")
}

func (p *Process) output() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// Fails runs the command and wants it to end with exit code 1 and one line that
// contains text.
func Fails(t testing.TB, text string, args ...string) {
	t.Helper()
	p := Start(t, args...)
	code, lines := p.Wait(), p.output()
	if code != 1 || len(lines) != 1 || !strings.Contains(lines[0], text) {
		t.Errorf("exit code %d and %s, want 1 and one line with %q", code, fmt.Sprintf("%q", lines), text)
	}
}
