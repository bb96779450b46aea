package target

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestParse(t *testing.T) {
	for _, text := range []string{"exec:sleep 1 | cat", "systemd:sshd", "docker:web", "freeze:/sys/fs/cgroup/x"} {
		got, err := Parse(text)
		if err != nil || got.String() != text {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"exec:":   "COMMAND is missing; write exec:COMMAND",
		"docker":  "NAME is missing",
		"podman:": "begins with none of exec:COMMAND, systemd:UNIT, docker:NAME, freeze:CGROUP",
		"":        "begins with none of",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// output is a buffer that a process and a test share.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		o.mu.Lock()
		got := o.b.String()
		o.mu.Unlock()
		if strings.Contains(got, text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q in %q", text, got)
		}
	}
}

func TestExec(t *testing.T) {
	ctx := t.Context()
	out := new(output)
	e := &Exec{Command: `trap 'echo bye; exit 0' TERM; echo $WHO; while :; do sleep 0.01; done`, Env: []string{"WHO=me"}, Output: out}
	if err := e.Stop(ctx); err != nil {
		t.Errorf("stop before the start: %v", err)
	}
	if err := e.Wait(ctx); err == nil {
		t.Error("wait before the start: no error")
	}
	for range 2 { // the second one does nothing
		if err := e.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	out.await(t, "me\n")
	for range 2 {
		if err := e.Stop(ctx); err != nil {
			t.Fatal(err)
		}
	}
	out.await(t, "bye\n")
	if err := e.Wait(ctx); err != nil {
		t.Errorf("ended with %v", err)
	}
	if err := e.Start(ctx); err != nil { // again
		t.Fatal(err)
	}
	if err := e.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestExecStubborn: who ignores SIGTERM is killed after the grace time, or when the
// context ends, with all its group.
func TestExecStubborn(t *testing.T) {
	for name, grace := range map[string]time.Duration{"grace": 10 * time.Millisecond, "context": time.Hour} {
		t.Run(name, func(t *testing.T) {
			out := new(output)
			e := &Exec{Command: `trap '' TERM; (echo ready; exec sleep 1000) & wait`, Output: out, Grace: grace}
			if err := e.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			out.await(t, "ready")
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := e.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(20 * time.Second); groupLives(e.last().pid); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the group lives")
				}
			}
		})
	}
}

// TestExecGraceful: a shell that ends at once does not take from what it has started
// the time to end well.
func TestExecGraceful(t *testing.T) {
	out := new(output)
	e := &Exec{Command: `(trap 'sleep 0.2; echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done) & wait`, Output: out}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	out.await(t, "ready")
	if err := e.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	out.await(t, "bye")
	if !e.last().gone.Load() {
		t.Error("the group is still there")
	}
}

func TestExecRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out")
	if err := (&Exec{Command: "echo done >" + file}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "done\n" {
		t.Errorf("got %q, %v", b, err)
	}
	for command, want := range map[string]string{
		"exit 3":               `run "exit 3": exit status 3`,
		"kill -9 $$":           "signal: killed",
		"/nowhere 2>/dev/null": "exit status 127",
	} {
		if err := (&Exec{Command: command}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", command, err, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := (&Exec{Command: "sleep 1000"}).Run(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "takes too long") {
		t.Errorf("got %v", err)
	}
}

// groupOf waits until a command has written the number of its group's first process.
func groupOf(t *testing.T, file string) int {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(file)
		if pid, perr := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && perr == nil {
			return pid
		}
		if time.Now().After(deadline) {
			t.Fatalf("no process in %q: %v", text, err)
		}
	}
}

// TestExecCrash: when the first process ends with an error, nothing is left of its group,
// not even when the next one starts at once.
func TestExecCrash(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	e := &Exec{Command: "sleep 1000 & echo $$ >" + file + "; exit 3"}
	var before int
	for range 3 {
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if before != 0 && groupLives(before) {
			t.Error("the last run goes on beside this one")
		}
		if err := e.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 3") {
			t.Errorf("ended with %v", err)
		}
		before = groupOf(t, file)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); groupLives(before); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the group lives")
		}
	}
}

// TestExecStarter: what a command leaves running that ends well is not forgotten when the
// command is run again: stopping ends all of it.
func TestExecStarter(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	e := &Exec{Command: "sleep 1000 & echo $$ >" + file}
	var groups []int
	for range 2 {
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := e.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		groups = append(groups, groupOf(t, file))
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range groups {
		if !groupLives(g) {
			t.Errorf("group %d has been ended", g)
		}
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if groupLives(g) {
			t.Errorf("group %d is left", g)
			_ = syscall.Kill(-g, syscall.SIGKILL)
		}
	}
}

// TestExecAskedOnce: who takes a second SIGTERM for impatience gets none.
func TestExecAskedOnce(t *testing.T) {
	out := new(output)
	e := &Exec{Command: `(n=0; trap 'n=$((n+1))' TERM; echo ready; while [ $n = 0 ]; do sleep 0.01; done; sleep 0.2; echo got $n) & wait`, Output: out}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	out.await(t, "ready")
	if err := e.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	out.await(t, "got 1\n")
}

// TestExecEnvironment: what a service manager tells us is not for those whom we start.
func TestExecEnvironment(t *testing.T) {
	for _, name := range ownVars {
		t.Setenv(name, "1")
	}
	t.Setenv("NOTIFY_SOCKETS", "theirs")
	out := new(output)
	command := `echo "[$NOTIFY_SOCKET$WATCHDOG_PID$WATCHDOG_USEC$LISTEN_PID$LISTEN_FDS$LISTEN_FDNAMES] $NOTIFY_SOCKETS $MORE"`
	if err := (&Exec{Command: command, Env: []string{"MORE=more"}, Output: out}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	out.await(t, "[] theirs more\n")
}
