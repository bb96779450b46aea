//go:build linux

package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/cgroup"
)

// Options say how to run a service.
type Options struct {
	Command               []string // with its arguments
	Env                   []string
	Stdin, Stdout, Stderr *os.File
	// Group is where all of its processes are; nil for no cgroup of its own.
	Group *cgroup.Group
}

// Service is a command that serves, and what else has come of it.
type Service struct {
	*Child
	table    *Table
	group    *cgroup.Group
	terminal *os.File // which it has the foreground of; nil if there is none
}

// StartService starts a service in a process group of its own, and in the foreground if
// standard input is a terminal. It is killed should we be.
func (t *Table) StartService(o Options) (*Service, error) {
	cmd := exec.Command(o.Command[0], o.Command[1:]...)
	if o.Env != nil && !strings.Contains(o.Command[0], "/") {
		cmd.Path, cmd.Err = lookPath(o.Command[0], o.Env)
	}
	cmd.Env = o.Env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = o.Stdin, o.Stdout, o.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s := &Service{table: t, group: o.Group}
	if o.Stdin != nil && inForeground(o.Stdin) {
		s.terminal = o.Stdin
		cmd.SysProcAttr.Foreground, cmd.SysProcAttr.Ctty = true, int(o.Stdin.Fd())
	}
	into(cmd, o.Group)
	child, err := t.startTied(cmd)
	if err != nil {
		if err = reason(err); noCommand(err) {
			err = fmt.Errorf("%w: %w", ErrCommand, err)
		}
		return nil, fmt.Errorf("start %s: %w", o.Command[0], err)
	}
	s.Child = child
	return s, nil
}

// startTied starts a command from a thread that lives as long as it: the kernel takes the
// end of the thread for that of the parent (PR_SET_PDEATHSIG in prctl(2)).
func (t *Table) startTied(cmd *exec.Cmd) (c *Child, err error) {
	started := make(chan bool)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		c, err = t.Start(cmd)
		close(started)
		if err == nil {
			<-c.Done()
		}
	}()
	<-started
	return c, err
}

// lookPath finds a command in the directories that its own environment names, not this
// process's.
func lookPath(name string, env []string) (string, error) {
	list := ""
	for _, v := range env { // the last one counts
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			list = value
		}
	}
	for _, dir := range filepath.SplitList(list) {
		if path, err := exec.LookPath(filepath.Join(cmp.Or(dir, "."), name)); err == nil {
			return path, nil
		}
	}
	return name, &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// ErrCommand is that there is no such command, or none that can be run.
var ErrCommand = errors.New("not a command that can be run")

func noCommand(err error) bool {
	return errors.Is(err, exec.ErrNotFound) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOEXEC)
}

// into makes a command start in a cgroup.
func into(cmd *exec.Cmd, g *cgroup.Group) {
	if g != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, g.FD()
	}
}

// reason takes off what repeats the command's name.
func reason(err error) error {
	var e *exec.Error
	if errors.As(err, &e) {
		return e.Err
	}
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// RunHook runs a shell command to its end, in the service's cgroup. What it leaves
// running belongs to the service.
func (t *Table) RunHook(ctx context.Context, command string, o Options) error {
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Env = o.Env
	cmd.Stdout, cmd.Stderr = o.Stdout, o.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	into(cmd, o.Group)
	c, err := t.Start(cmd)
	if err != nil {
		return reason(err)
	}
	select {
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
		_ = unix.Kill(-c.PID, unix.SIGKILL)
		<-c.Done()
		return ctx.Err()
	}
}

// inForeground tells whether a file is a terminal whose foreground we have.
func inForeground(f *os.File) bool {
	pgrp, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err == nil && pgrp == unix.Getpgrp()
}

// Signal sends the command a signal.
func (s *Service) Signal(sig unix.Signal) {
	if !s.Ended() {
		_ = unix.Kill(s.PID, sig)
	}
}

// Stop ends the service: SIGTERM to the command, then to what it has left behind, and
// SIGKILL to what still runs after the grace time, or when now is closed.
func (s *Service) Stop(grace time.Duration, now <-chan struct{}) error {
	late := time.NewTimer(grace)
	defer late.Stop()
	over := make(chan struct{})
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(over)
		select {
		case <-late.C:
		case <-now:
		case <-stop:
		}
	}()
	if !s.Ended() {
		_ = unix.Kill(-s.PID, unix.SIGTERM)
	}
	select {
	case <-s.Done():
		s.endOthers(over)
	case <-over:
	}
	return s.Kill()
}

// endOthers asks what the command has left behind to end, too, and waits for it.
func (s *Service) endOthers(over <-chan struct{}) {
	if pids := s.others(); len(pids) > 0 {
		signal(pids, unix.SIGTERM)
	}
	for pause := time.Millisecond; len(s.others()) > 0; pause = min(2*pause, 50*time.Millisecond) {
		select {
		case <-over:
			return
		case <-time.After(pause):
		}
	}
}

// Kill ends at once whatever there is of the service. What the kernel can't end, because
// it waits for a device, is an error.
func (s *Service) Kill() error {
	defer s.takeTerminal()
	if !s.Ended() || s.group == nil {
		_ = unix.Kill(-s.PID, unix.SIGKILL)
	}
	if s.group != nil {
		_ = s.group.Kill() // removing it tells if that doesn't help
	}
	killAll(s.others)
	select {
	case <-s.Done():
		return nil
	case <-time.After(killPatience):
		return fmt.Errorf("kill process %d: it does not end", s.PID)
	}
}

// Left is how many processes beside the command there are of the service.
func (s *Service) Left() int { return len(s.others()) }

// killPatience bounds how long to wait for those that SIGKILL has not ended yet.
const killPatience = 5 * time.Second

// killAll kills those that are listed until there are none: the children of who is killed
// become ours.
func killAll(list func() []int) {
	for deadline := time.Now().Add(killPatience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		pids := list()
		if len(pids) == 0 {
			return
		}
		signal(pids, unix.SIGKILL)
	}
}

// Close kills what is left of this process's children if the table adopts: what start
// hooks have left running, and commands that were to be run to their end.
func (t *Table) Close() {
	if t.adopts {
		killAll(ownChildren)
	}
}

// takeTerminal takes back the terminal's foreground.
func (s *Service) takeTerminal() {
	if s.terminal == nil {
		return
	}
	// Who does that from the background is stopped, unless the signal is blocked.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set, old unix.Sigset_t
	set.Val[0] = 1 << (unix.SIGTTOU - 1)
	if unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old) == nil {
		_ = unix.IoctlSetPointerInt(int(s.terminal.Fd()), unix.TIOCSPGRP, unix.Getpgrp())
		_ = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	}
}

func signal(pids []int, sig unix.Signal) {
	for _, pid := range pids {
		_ = unix.Kill(pid, sig) // it may just have ended
	}
}

// others are the processes of the service beside the command.
func (s *Service) others() (pids []int) {
	if s.group != nil {
		pids, _ = s.group.Processes()
	} else if s.table.adopts {
		pids = ownChildren()
	}
	n := 0
	for _, pid := range pids {
		if pid != s.PID {
			pids[n] = pid
			n++
		}
	}
	return pids[:n]
}

// ownChildren lists this process's children that run, proc_pid_stat(5).
func ownChildren() (pids []int) {
	entries, _ := os.ReadDir("/proc")
	own := strconv.Itoa(os.Getpid())
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		// Behind the name, which may contain anything, in parentheses: the state,
		// the parent.
		tail := string(text[strings.LastIndexByte(string(text), ')')+1:])
		if f := strings.Fields(tail); len(f) > 1 && f[1] == own && f[0] != "Z" {
			pids = append(pids, pid)
		}
	}
	return pids
}
