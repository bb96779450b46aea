//go:build linux

package idle

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// TestStop: each watcher lets the service run as long as somebody is there, and stops it
// at the configured time after that.
func TestStop(t *testing.T) {
	t.Parallel()
	testkit.RequireRoot(t)
	for _, watcher := range []string{"sockops", "procfs", "proxy"} {
		t.Run(watcher, func(t *testing.T) {
			t.Parallel()
			port, at := freePort(t), freePort(t)
			args := []string{"--watch", watcher, "--port", port, "--idle", "1500ms"}
			if watcher == "proxy" {
				args = []string{"--listen", ":" + at, "--to", "127.0.0.1:" + port, "--idle", "1500ms"}
			} else {
				at = port
			}
			p := waggle(t, append(args, service(port)...)...)
			p.Expect(`^waggle: watching .* by ` + watcher)
			p.Expect(`^waggle: started exe, process \d+$`)
			dial(t, port).Close() // it serves
			c := dial(t, at)
			p.Expect(`^waggle: accepted 127\.0\.0\.1:\d+ on port ` + at + `; [12] open$`)
			for range 20 { // for longer than the idle time
				if _, err := c.Write([]byte("hello")); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Read(make([]byte, 5)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(100 * time.Millisecond)
			}
			closed := time.Now()
			c.Close()
			moved := "100 B in, 100 B out"
			if watcher == "procfs" { // which knows what it saw the last time it looked
				moved = `\d+ B in, \d+ B out`
			}
			p.Expect(`^waggle: closed 127\.0\.0\.1:\d+ after \d+(\.\d)?s: ` + moved + `; 0 open$`)
			p.Expect(`^waggle: idle for 1s of 1\.5s$`)
			p.Expect(`^waggle: stopping: idle for 1\.5s$`)
			after := time.Since(closed)
			p.Expect(`^waggle: exe ended after .*: killed by SIGTERM$`)
			wantCode(t, p, 0)
			t.Logf("stopped %v after the last one had left", after)
			if after < 1400*time.Millisecond || after > 2500*time.Millisecond+slack(watcher) {
				t.Errorf("stopped %v after the last one had left", after)
			}
			if left := leftCgroups(t, p.PID()); left != nil {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

// TestHold: a hold keeps the service up, and why tells of it.
func TestHold(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	p := waggle(t, append([]string{"--port", port, "--idle", "500ms", "--ignore", "127.0.0.0/8"}, service(port)...)...)
	p.Expect("started exe")
	dial(t, port) // which is ignored
	p.Expect("accepted 127.0.0.1")
	id := strings.TrimSpace(ask(t, "hold", "--ttl", "1h", "nightly", "backup"))
	p.Expect(`^waggle: held for 1h0m0s as ` + id + `: "nightly backup"$`)
	time.Sleep(800 * time.Millisecond) // longer than the idle time
	why := ask(t, "why")
	for _, want := range []string{"exe, up for ", ": busy\n", "watched by ", `"nightly backup", 59m`, "waggle idle release " + id, "doesn't count: ignored", "1 open, 0 of them count"} {
		if !strings.Contains(why, want) {
			t.Errorf("why does not say %q:\n%s", want, why)
		}
	}
	ask(t, "release", id)
	p.Expect("hold " + id + " released")
	p.Expect("stopping: idle for 500ms")
	wantCode(t, p, 0)
}

// TestFreeze: the service is frozen when nobody is there, and goes on when somebody
// comes, who doesn't notice. Before that it must have come so far that it listens.
func TestFreeze(t *testing.T) {
	t.Parallel()
	testkit.RequireRoot(t)
	port := freePort(t)
	p := waggle(t, append([]string{"--port", port, "--idle", "200ms", "--grace", "2s", "--on-idle", "freeze"}, service(port)...)...)
	pid := p.Expect(`process (\d+)$`)[1]
	for range 3 {
		p.Expect("frozen, until somebody comes")
		if !strings.Contains(ask(t, "why"), ": frozen\n") {
			t.Error("why does not say that it is frozen")
		}
		c := dial(t, port)
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 5)); err != nil {
			t.Fatalf("frozen service: %v", err)
		}
		p.Expect("thawed: somebody is there")
		c.Close()
	}
	p.Expect("frozen, until somebody comes")
	p.Signal(syscall.SIGTERM)
	p.Expect("stopping: told to")
	wantCode(t, p, 0)
	if n, _ := strconv.Atoi(pid); syscall.Kill(n, 0) == nil {
		t.Error("the service lives")
	}
}

// TestRunning: what runs already is found by its port, watched, and stopped by a hook.
func TestRunning(t *testing.T) {
	t.Parallel()
	testkit.RequireRoot(t)
	group := testkit.NewCgroup(t)
	port := freePort(t)
	other := startIn(t, group, port)
	early := dial(t, port)
	p := waggle(t, "--port", port, "--idle", "500ms", "--on-idle", "exec:kill "+strconv.Itoa(other.Process.Pid))
	p.Expect(`watching port ` + port + ` by sockops \(cgroup ` + group.Path + `\)`)
	p.Expect(`^waggle: found 127\.0\.0\.1:\d+ on port ` + port + `; 1 open$`)
	c := dial(t, port)
	p.Expect(`accepted 127.*; 2 open`)
	c.Close()
	p.Expect(`closed 127.*; 1 open`)
	early.Close()
	p.Expect(`closed 127.*; 0 open`)
	p.Expect(`stopping: idle for `)
	p.Expect(`done: exec:kill`)
	wantCode(t, p, 0)
	if err := other.Wait(); err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("the service ended with %v", err)
	}
}

// TestRestarted: others start the service anew, in a new cgroup of the same name. Who is
// there keeps it up as before.
func TestRestarted(t *testing.T) {
	t.Parallel()
	testkit.RequireRoot(t)
	group := testkit.NewCgroup(t)
	dir := filepath.Join(group.Path, "service")
	port := freePort(t)
	start := func() (end func()) {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		other := startIn(t, &testkit.Cgroup{Path: dir}, port)
		dial(t, port).Close()
		return func() {
			_ = other.Process.Kill()
			_ = other.Wait()
			eventually(t, "the cgroup goes", func() bool { return os.Remove(dir) == nil })
		}
	}
	end := start()
	p := waggle(t, "--port", port, "--idle", "2s", "--on-idle", "exec:true")
	p.Expect(`watching port ` + port + ` by sockops \(cgroup ` + dir + `\)`)
	end()
	p.Expect("the service has left cgroup " + dir)
	defer start()()
	p.Expect("the service is in cgroup " + dir)
	c := dial(t, port)
	p.Expect("accepted " + c.LocalAddr().String())
	time.Sleep(2300 * time.Millisecond) // longer than the idle time
	if why := ask(t, "why"); !strings.Contains(why, ": busy\n") {
		t.Errorf("not busy:\n%s", why)
	}
	c.Close()
	p.Expect("stopping: idle for ")
	wantCode(t, p, 0)
}

// TestSignals: signals are passed on; two to end don't wait for the service.
func TestSignals(t *testing.T) {
	t.Parallel()
	p := waggle(t, "--", "/bin/sh", "-c", `trap 'echo got HUP' HUP; trap 'echo got USR1' USR1; trap 'echo got TERM' TERM; echo ready; while :; do sleep 0.01; done`)
	p.Expect("^ready$")
	for _, s := range []struct {
		signal syscall.Signal
		text   string
	}{{syscall.SIGHUP, "got HUP"}, {syscall.SIGUSR1, "got USR1"}, {syscall.SIGTERM, "got TERM"}} {
		p.Signal(s.signal)
		p.Expect("^" + s.text)
	}
	// What comes at the same time is the same wish.
	time.Sleep(700 * time.Millisecond)
	began := time.Now()
	p.Signal(syscall.SIGTERM)
	p.Expect("sh ended after .*: killed by SIGKILL")
	wantCode(t, p, 0)
	if took := time.Since(began); took > 8*time.Second { // --kill-after is 10 s
		t.Errorf("took %v", took)
	}
}

// TestWrongPort: a service that is stopped because nobody could be seen is worth a word.
func TestWrongPort(t *testing.T) {
	t.Parallel()
	testkit.RequireRoot(t) // else the kernel may not answer
	wrong := freePort(t)
	p := waggle(t, append([]string{"--port", wrong, "--idle", "200ms"}, service(freePort(t))...)...)
	p.Expect("nobody has come, and nobody listens on port " + wrong + " here: is that the service's?")
	p.Expect("stopping: idle for 200ms")
	wantCode(t, p, 0)
}

// TestIgnored: the service ignores no signal that its starter has not: with SIGPIPE, the
// pipelines of its shells would not end.
func TestIgnored(t *testing.T) {
	t.Parallel()
	testkit.RequireTool(t, "grep")
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`(?m)^SigIgn:.*$`).FindString(string(own))
	p := waggle(t, "--run", "grep SigIgn /proc/self/status", "--", "/bin/grep", "SigIgn", "/proc/self/status")
	for _, who := range []string{"hook", "service"} {
		if got := p.Expect(`^SigIgn:.*$`)[0]; got != want {
			t.Errorf("%s: %s, want %s", who, got, want)
		}
	}
	wantCode(t, p, 0)
}

// TestStubborn: what doesn't end on SIGTERM is killed, and what it has left behind, in
// whatever session that is.
func TestStubborn(t *testing.T) {
	t.Parallel()
	testkit.RequireTool(t, "setsid")
	p := waggle(t, "--kill-after", "300ms", "--", "/bin/sh", "-c",
		`trap '' TERM; setsid sh -c 'trap "" TERM; echo child $$; while :; do sleep 0.01; done' & wait; while :; do sleep 0.01; done`)
	child, _ := strconv.Atoi(p.Expect(`^child (\d+)$`)[1])
	p.Signal(syscall.SIGTERM)
	p.Expect("sh ended after .*: killed by SIGKILL")
	wantCode(t, p, 0)
	if syscall.Kill(child, 0) == nil {
		t.Error("the child lives")
	}
}

// TestKilled: if waggle idle is killed, the service doesn't live on unwatched. What it has
// left behind does; the next one tells of it, and of nothing when that is gone. Others must
// not look after it at the same time.
func TestKilled(t *testing.T) {
	testkit.RequireRoot(t)
	p := waggle(t, "--", "/bin/sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo child $!; wait")
	child := p.Expect(`^child (\d+)$`)[1]
	p.Kill()
	left := leftCgroups(t, p.PID())
	if len(left) != 1 {
		t.Fatalf("left are %s", left)
	}
	holds := func(want string) func() bool { // only those that run are listed
		return func() bool {
			procs, err := os.ReadFile(filepath.Join(left[0], "cgroup.procs"))
			return err == nil && string(procs) == want
		}
	}
	eventually(t, "the service is gone, and the child is not", holds(child+"\n"))
	next := waggle(t, "--", "/bin/true")
	next.Expect(`^waggle: left by a service .*: 1 process in ` + left[0])
	wantCode(t, next, 0)
	if err := os.WriteFile(filepath.Join(left[0], "cgroup.kill"), []byte("1"), 0); err != nil {
		t.Error(err)
	}
	eventually(t, "the child is gone", holds(""))
	wantCode(t, waggle(t, "--", "/bin/true"), 0)
	if left := leftCgroups(t, p.PID()); left != nil {
		t.Errorf("left are %s", left)
	}
}

// TestTooEarly: told to end while it prepares is told to end.
func TestTooEarly(t *testing.T) {
	t.Parallel()
	p := waggle(t, "--run", "echo now; sleep 1000", "--", "/bin/true")
	p.Expect("^now$")
	p.Signal(syscall.SIGTERM)
	p.Expect("^waggle: not started: told to end$")
	wantCode(t, p, 0)
}

// TestEndsByItself: the service's own exit code counts when it ends by itself.
func TestEndsByItself(t *testing.T) {
	t.Parallel()
	p := waggle(t, "--", "/bin/sh", "-c", "exit 3")
	p.Expect(`^waggle: run sh: it ended by itself after .*: exit code 3$`)
	wantCode(t, p, 3)
	p = waggle(t, "--", "/bin/sh", "-c", "kill -9 $$")
	p.Expect(`exit code|killed by SIGKILL`)
	wantCode(t, p, 137)
	p = waggle(t, "--", "/bin/true")
	p.Expect(`true ended by itself after .*: exit code 0`)
	wantCode(t, p, 0)
	p = waggle(t, "--", "/bin/sh", "-c", "sleep 1000 & echo $!")
	child, _ := strconv.Atoi(p.Expect(`^(\d+)$`)[1])
	p.Expect("sh has left 1 process in the background")
	wantCode(t, p, 0)
	if syscall.Kill(child, 0) == nil {
		t.Error("the child lives")
	}
}

// slack is how much later than at once a watcher may notice.
func slack(watcher string) time.Duration {
	if watcher == "procfs" {
		return time.Second
	}
	return 0
}
