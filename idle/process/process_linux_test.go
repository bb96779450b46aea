package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/cgroup"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

// adopter marks the process that adopts: the tests' own must not, it has children
// that others wait for.
const adopter = "WAGGLE_TEST_ADOPTER"

func TestMain(m *testing.M) {
	if os.Getenv(adopter) == "1" {
		os.Unsetenv(adopter)
		if err := adopt(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testkit.Main(m)
}

func shell(script string) *exec.Cmd { return exec.Command("/bin/sh", "-c", script) }

// startMany starts many children at the same time and checks that each one's end is its
// own.
func startMany(t *Table) error {
	var wg sync.WaitGroup
	errs := make([]error, 40)
	for i := range errs {
		wg.Go(func() {
			script, how, code := fmt.Sprintf("exit %d", i), fmt.Sprintf("exit code %d", i), i
			if i%4 == 3 {
				script, how, code = "kill -9 $$", "killed by SIGKILL", 137
			}
			c, err := t.Start(shell(script))
			if err != nil {
				errs[i] = err
				return
			}
			<-c.Done()
			if c.How() != how || c.Code() != code || (c.Err() == nil) != (code == 0) {
				errs[i] = fmt.Errorf("%s: %s, code %d", script, c.How(), c.Code())
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func TestChildren(t *testing.T) {
	testkit.RequireTool(t, "sh")
	table, err := NewTable(false)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := startMany(table); err != nil {
			t.Error(err)
		}
	}
	if _, err := table.Start(exec.Command("/no/such/file")); err == nil {
		t.Error("what isn't there was started")
	}
	wait, err := table.Begin(shell("exit 5"))
	if err != nil {
		t.Fatal(err)
	}
	if err := wait(); err == nil || err.Error() != "exit code 5" {
		t.Errorf("got %v", err)
	}
}

// TestAdopt runs adopt in a process of its own.
func TestAdopt(t *testing.T) {
	testkit.RequireTool(t, "sh")
	testkit.RequireTool(t, "setsid")
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), adopter+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// adopt starts children that leave orphans behind, and sees that none of them stays as
// a zombie.
func adopt() error {
	t, err := NewTable(true)
	if err != nil {
		return err
	}
	for range 3 {
		if err := startMany(t); err != nil {
			return err
		}
	}
	if _, err := t.Start(exec.Command("/no/such/file")); err == nil {
		return errors.New("what isn't there was started")
	}
	s, err := t.StartService(Options{Command: []string{"/bin/sh", "-c", `for i in 1 2 3 4 5; do (sleep 0.01 &) ; done; (trap '' TERM; sleep 1000 & wait) & trap '' TERM; wait`}})
	if err != nil {
		return err
	}
	time.Sleep(50 * time.Millisecond)
	if err := s.Stop(50*time.Millisecond, nil); err != nil {
		return err
	}
	if err := t.RunHook(context.Background(), "(trap '' TERM; sleep 1000 & setsid sleep 1000) & exit 0", Options{}); err != nil {
		return err
	}
	if len(ownChildren()) == 0 {
		return errors.New("what a hook leaves is not adopted")
	}
	t.Close()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		var ws unix.WaitStatus
		// Children that are left, dead or alive, would be found.
		_, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		if errors.Is(err, unix.ECHILD) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("children are left: %w", err)
		}
	}
}

// TestStop: what is asked to end, and what is killed.
func TestStop(t *testing.T) {
	testkit.RequireTool(t, "sh")
	for _, test := range []struct {
		name, script, how string
		grace             time.Duration
		hurry             bool
	}{
		{"ends", "echo >$READY; exec sleep 1000", "killed by SIGTERM", time.Hour, false},
		{"ends in order", "trap 'exit 4' TERM; echo >$READY; while :; do sleep 0.01; done", "exit code 4", time.Hour, false},
		{"doesn't end", "trap '' TERM; echo >$READY; while :; do sleep 0.01; done", "killed by SIGKILL", 50 * time.Millisecond, false},
		{"doesn't end in time", "trap '' TERM; echo >$READY; while :; do sleep 0.01; done", "killed by SIGKILL", time.Hour, true},
		{"has ended", "echo >$READY; exit 6", "exit code 6", time.Hour, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			table, _ := NewTable(false)
			ready := filepath.Join(t.TempDir(), "ready")
			s, err := table.StartService(Options{Command: []string{"/bin/sh", "-c", test.script}, Env: append(os.Environ(), "READY="+ready)})
			if err != nil {
				t.Fatal(err)
			}
			await(t, ready)
			if test.name == "has ended" {
				<-s.Done()
			}
			now := make(chan struct{})
			if test.hurry {
				close(now)
			}
			if err := s.Stop(test.grace, now); err != nil {
				t.Error(err)
			}
			if s.How() != test.how {
				t.Errorf("%s, want %s", s.How(), test.how)
			}
		})
	}
}

// TestOthers: in a cgroup nothing gets away, and what is left behind is asked first, too.
func TestOthers(t *testing.T) {
	testkit.RequireTool(t, "sh")
	parent := testkit.NewCgroup(t)
	testkit.RequireTool(t, "setsid")
	g, err := cgroup.Make(parent.Path, "service-")
	if err != nil {
		t.Fatal(err)
	}
	table, _ := NewTable(false)
	dir := t.TempDir()
	ready, asked := filepath.Join(dir, "ready"), filepath.Join(dir, "asked")
	s, err := table.StartService(Options{Group: g, Env: append(os.Environ(), "READY="+ready, "ASKED="+asked), Command: []string{"/bin/sh", "-c",
		`setsid sh -c 'trap "echo >$ASKED; exit" TERM; echo >$READY; while :; do sleep 0.01; done' & wait`}})
	if err != nil {
		t.Fatal(err)
	}
	await(t, ready)
	if left := s.Left(); left == 0 {
		t.Error("nobody is left beside the command")
	}
	if err := s.Stop(20*time.Second, nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(asked); err != nil {
		t.Errorf("the one left behind was not asked to end: %v", err)
	}
	if pids, err := g.Processes(); err != nil || len(pids) > 0 {
		t.Errorf("left are %v, %v", pids, err)
	}
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
}

func TestHook(t *testing.T) {
	testkit.RequireTool(t, "sh")
	table, _ := NewTable(false)
	if err := table.RunHook(t.Context(), "true", Options{}); err != nil {
		t.Error(err)
	}
	if err := table.RunHook(t.Context(), "exit 9", Options{}); err == nil || err.Error() != "exit code 9" {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := table.RunHook(ctx, "sleep 1000 & wait", Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestNoCommand(t *testing.T) {
	testkit.RequireTool(t, "sh")
	table, _ := NewTable(false)
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("neither program nor script"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"no-such-command": "executable file not found in $PATH",
		"/no/such/file":   "no such file or directory",
		"/etc/passwd":     "permission denied",
		text:              "exec format error",
	} {
		_, err := table.StartService(Options{Command: []string{name}})
		if !errors.Is(err, ErrCommand) || !strings.HasSuffix(err.Error(), want) || !strings.HasPrefix(err.Error(), "start "+name+": ") {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// TestPath: the command is looked for where the service's environment says.
func TestPath(t *testing.T) {
	testkit.RequireTool(t, "sh")
	table, _ := NewTable(false)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "only-here"), []byte("#!/bin/sh\nexit 7\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := table.StartService(Options{Command: []string{"only-here"}, Env: []string{"PATH=/nowhere", "PATH=/nowhere:" + dir}})
	if err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if s.Code() != 7 {
		t.Errorf("exit code %d", s.Code())
	}
	for _, env := range [][]string{{}, {"PATH=/nowhere"}} {
		if _, err := table.StartService(Options{Command: []string{"sh"}, Env: env}); !errors.Is(err, ErrCommand) {
			t.Errorf("%s: got %v", env, err)
		}
	}
}

// TestTied: the service does not end with the thread that asked for it.
func TestTied(t *testing.T) {
	testkit.RequireTool(t, "sleep")
	table, _ := NewTable(false)
	var s *Service
	var err error
	started := make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this
		s, err = table.StartService(Options{Command: []string{"/bin/sleep", "1000"}})
		close(started)
	}()
	<-started
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
		t.Errorf("it ended: %s", s.How())
	case <-time.After(100 * time.Millisecond):
	}
	if err := s.Kill(); err != nil {
		t.Error(err)
	}
}

func await(t *testing.T, file string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			return
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
