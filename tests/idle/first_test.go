//go:build linux

package idle

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

// startIn starts a service in a cgroup, without waggle idle.
func startIn(t *testing.T, group *testkit.Cgroup, port string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", serviceArg, port)
	cmd.Stderr = os.Stderr
	group.Use(t, cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd
}

// TestFirstProcess: in a process namespace of its own it is the first process. Orphans
// are waited for, start hooks run, and SIGTERM ends everything.
func TestFirstProcess(t *testing.T) {
	t.Parallel()
	testkit.RequireRoot(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"env": "# for the service\nWHO='the service'\n", "data": "volume\n"} {
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Twenty orphans that end at once, and one that stays.
	script := fmt.Sprintf(`echo I am $$, $WHO, with $(cat %s) and $(cat %s)
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do (true &) ; done
(sleep 1000 &)
mount -t proc proc /proc
while grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null; do sleep 0.01; done
echo no zombies
wait
while :; do sleep 0.01; done`, file("link"), file("hook"))
	p := command.StartIn(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS},
		"idle", "run", "--control", control(t), "--env-file", file("env"), "--link", file("data")+":"+file("link"),
		"--run", "echo $WHO, >"+file("hook"), "--run", "echo hooked >>"+file("hook"), "--", "/bin/sh", "-c", script)
	if got := p.Expect(`^I am (\d+), (.*)$`); got[1] == "1" || got[2] != "the service, with volume and the service, hooked" {
		t.Errorf("got %s", got[0])
	}
	p.Expect("^no zombies$")
	p.Signal(syscall.SIGTERM)
	p.Expect("stopping: told to")
	wantCode(t, p, 0)
}

// TestBadStart: what can't work is said in a line, and leaves nothing running.
func TestBadStart(t *testing.T) {
	testkit.RequireRoot(t)
	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")
	taken := freePort(t)
	startIn(t, testkit.NewCgroup(t), taken)
	dial(t, taken)
	dir := t.TempDir()
	marker := filepath.Join(dir, "started")
	touch := []string{"--", "/bin/sh", "-c", "touch " + marker}
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"port in use", append([]string{"--listen", "127.0.0.1:" + taken, "--to", "127.0.0.1:1"}, touch...), 1, "address already in use"},
		{"no command", []string{"--", "no-such-command"}, 2, `start no-such-command: not a command that can be run: executable file not found in $PATH`},
		{"no file", []string{"--", "/no/such/file"}, 2, `no such file or directory`},
		{"not executable", []string{"--", "/etc/passwd"}, 2, "permission denied"},
		{"hook fails", append([]string{"--run", "exit 7"}, touch...), 1, `start hook "exit 7": exit code 7`},
		{"no link", append([]string{"--link", "/no/such:" + dir + "/x"}, touch...), 1, "/no/such: no such file or directory"},
		{"control socket taken", append([]string{"--control", "/proc/x/y"}, touch...), 1, "open control socket"},
		{"nobody listens", []string{"--watch", "sockops", "--port", freePort(t)}, 1, "nobody listens on port"},
		{"root cgroup", []string{"--watch", "sockops", "--cgroup", mount(t)}, 1, "it is the root of all"},
		{"no cgroup", []string{"--cgroup", dir}, 2, "not a control group of version 2"},
		{"no container", append([]string{"--on-idle", "docker:web"}, touch...), 2, "--on-idle: look for container web: ask Docker: dial unix /nowhere/docker.sock: connect: no such file or directory"},
		{"no unit", append([]string{"--on-idle", "systemd:web"}, touch...), 2, "--on-idle: look for unit web.service: ask systemd: "},
		{"no hook", append([]string{"--on-idle", "exec:/no/where"}, touch...), 2, `--on-idle: look for command "/no/where": not found`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := waggle(t, test.args...)
			p.Expect("^waggle: .*" + quote(test.want))
			wantCode(t, p, test.code)
			if left := leftCgroups(t, p.PID()); left != nil {
				t.Errorf("left behind: %s", left)
			}
			if _, err := os.Stat(marker); err == nil {
				t.Error("the service was started")
			}
		})
	}
}

// TestBadAction: if what is to be done on idle fails, the service ends all the same.
func TestBadAction(t *testing.T) {
	t.Parallel()
	p := waggle(t, "--idle", "50ms", "--on-idle", "exec:exit 3", "--", "/bin/sleep", "1000")
	pid := p.Expect(`process (\d+)$`)[1]
	p.Expect(quote(`on idle: run "exit 3": exit code 3`))
	wantCode(t, p, 1)
	if _, err := os.Stat("/proc/" + pid); err == nil {
		t.Error("the service lives")
	}
}

// TestFreezeItself: waggle idle would never thaw itself.
func TestFreezeItself(t *testing.T) {
	t.Parallel()
	testkit.RequireRoot(t)
	group := testkit.NewCgroup(t)
	dir, err := os.Open(group.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	p := command.StartIn(t, &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())},
		"idle", "run", "--control", control(t), "--cgroup", group.Path, "--on-idle", "freeze")
	p.Expect("^waggle: --on-idle freeze: waggle idle is in cgroup " + group.Path + ", too")
	wantCode(t, p, 2)
}

// TestDenied: who lacks rights is told so, and what a start hook has left running ends.
func TestDenied(t *testing.T) {
	t.Parallel()
	testkit.RequireRoot(t)
	pid := filepath.Join(filepath.Dir(control(t)), "pid")
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"watcher", []string{"--watch", "sockops"}, 4, "permission denied; ask as root$"},
		{"freezer", []string{"--on-idle", "freeze"}, 4, "permission denied; ask as root$"},
		{"hook", []string{"--run", "sleep 1000 & echo $! >" + pid, "--run", "exit 3"}, 1, "exit code 3$"},
	} {
		args := append([]string{"idle", "run", "--control", control(t)}, test.args...)
		p := command.StartIn(t, nobody, append(args, "--", "/bin/true")...)
		p.Expect(test.want)
		wantCode(t, p, test.code)
	}
	left, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(left))); err != nil || syscall.Kill(n, 0) == nil {
		t.Errorf("the hook's process %d lives (%v)", n, err)
	}
}

// nobody is a user without rights.
var nobody = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}

// TestAuto: where the first choice doesn't work, the next one is taken, and it says why.
func TestAuto(t *testing.T) {
	t.Parallel()
	testkit.RequireRoot(t)
	port := freePort(t)
	p := command.StartIn(t, nobody,
		append([]string{"idle", "run", "--control", control(t), "--port", port, "--idle", "500ms"}, "--", "/bin/sleep", "1000")...)
	p.Expect(`watching port ` + port + ` by procfs .* because sockops doesn't work: `)
	p.Expect("stopping: idle for ")
	wantCode(t, p, 0)
}

func mount(t *testing.T) string {
	t.Helper()
	dir, err := testkit.CgroupMount()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func quote(s string) string {
	return strings.NewReplacer(`$`, `\$`, `(`, `\(`, `)`, `\)`, `.`, `\.`).Replace(s)
}
