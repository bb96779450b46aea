//go:build linux

package wake

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

// furnish is what a shell does before it becomes a manager of services: such a one takes the
// control groups that it sees for its own, so it sees those below ours only. The root of all
// has no type.
const furnish = `set -e
mount -t tmpfs tmpfs /run
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
test -e /sys/fs/cgroup/cgroup.type
`

// confined runs a shell script until the test ends, in a control group and with mounts of
// its own: what it leaves there ends with it.
func confined(t *testing.T, dir, script string) {
	t.Helper()
	group := testkit.NewCgroup(t)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", furnish+script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWCGROUP}
	group.Use(t, cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(filepath.Join(group.Path, "cgroup.kill"), []byte("1"), 0); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
		removeGroups(t, group.Path)
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s", text)
		}
		log.Close()
	})
}

// removeGroups removes the control groups below one, as soon as nobody is in them.
func removeGroups(t *testing.T, root string) {
	var dirs []string
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root {
			dirs = append(dirs, path)
		}
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		until(t, "nobody is in "+dirs[i], func() bool { return os.Remove(dirs[i]) == nil })
	}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// answers tells whether somebody listens at a socket.
func answers(path string) bool {
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// write writes files to a directory.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// startSystemd starts a systemd with these units, and makes its bus the system's.
func startSystemd(t *testing.T, units map[string]string) {
	t.Helper()
	systemd, bus := testkit.RequireTool(t, "systemd"), testkit.RequireTool(t, "dbus-daemon")
	dir := t.TempDir()
	socket := filepath.Join(dir, "bus")
	write(t, dir, map[string]string{
		"bus.conf":        testkit.BusConfig(socket),
		"default.target":  "[Unit]\nRequires=dbus.service\n",
		"basic.target":    "[Unit]\n",
		"sockets.target":  "[Unit]\n",
		"shutdown.target": "[Unit]\n",
		"dbus.socket":     "[Socket]\nListenStream=" + socket + "\n",
		"dbus.service": "[Unit]\nRequires=dbus.socket\n[Service]\nType=notify\nNotifyAccess=all\n" +
			"ExecStart=" + bus + " --config-file=" + dir + "/bus.conf --address=systemd: --nofork --nopidfile --systemd-activation\n",
	})
	write(t, dir, units)
	// It wants to see a system that was started by its like.
	confined(t, dir, "mkdir -p /run/systemd/system\n"+
		"SYSTEMD_UNIT_PATH="+dir+" DBUS_SESSION_BUS_ADDRESS=unix:path="+socket+" exec "+systemd+" --user --log-target=console")
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+socket)
	until(t, "systemd has a bus", func() bool { return answers(socket) })
}

// TestSystemd starts and stops units of a real systemd.
func TestSystemd(t *testing.T) {
	testkit.RequireRoot(t)
	run, _ := strings.CutPrefix(server(t, at(back), 0), "exec:")
	startSystemd(t, map[string]string{
		"echo.service": "[Service]\nExecStart=/bin/sh -c \"" + run + "\"\n",
		"ends.service": "[Service]\nExecStart=/bin/false\n",
	})
	p := startWake(t, "--start", "systemd:echo", "--idle", "50ms", "--log", "none")
	for range 3 {
		if err := talk(); err != nil {
			t.Fatal(err)
		}
		p.Expect("target stopped in")
		nothingLeft(t)
	}
	p.Interrupt()

	p = startWake(t, "--start", "systemd:ends", "--log", "none")
	if err := talk(); err == nil {
		t.Error("served by nobody")
	}
	p.Expect(`(unit ends.service failed|start unit ends.service: the unit failed); systemctl status tells more; 1 client turned away`)
	p.Interrupt()

	p = command.Start(t, "wake", "--listen", at(front), "--to", at(back), "--start", "systemd:nothing")
	p.Expect(`^waggle: look for unit nothing.service: there is no such unit$`)
}

// startDocker starts a Docker daemon and makes an image for it that has busybox. What it
// needs is much to install, and no other test does.
func startDocker(t *testing.T) (docker func(args ...string) string) {
	t.Helper()
	if !testkit.Long() {
		t.Skip("only in long runs, with the packages docker.io and busybox-static")
	}
	for _, tool := range []string{"dockerd", "containerd", "runc", "docker", "busybox"} {
		testkit.RequireTool(t, tool)
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "docker.sock")
	confined(t, dir, fmt.Sprintf(`exec dockerd --iptables=false --ip6tables=false --bridge=none --storage-driver vfs --data-root %s/data --exec-root /run/docker --pidfile /run/dockerd.pid -H unix://%s`, dir, socket))
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	until(t, "Docker is there", func() bool { return exec.Command("docker", "version").Run() == nil })
	docker = func(args ...string) string {
		t.Helper()
		out, err := exec.Command("docker", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	image := exec.Command("sh", "-c", `mkdir -p image/bin && cp "$(command -v busybox)" image/bin && tar -C image -cf image.tar .`)
	image.Dir = dir
	if out, err := image.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	docker("import", filepath.Join(dir, "image.tar"), "busybox")
	return docker
}

// TestDocker starts and stops containers of a real Docker.
func TestDocker(t *testing.T) {
	testkit.RequireRoot(t)
	docker := startDocker(t)
	create := func(name string, args ...string) {
		docker(append([]string{"create", "--name", name, "--network", "host", "--stop-signal", "KILL", "busybox", "/bin/busybox"}, args...)...)
	}
	create("echo", "nc", "-ll", "-p", fmt.Sprint(back), "-e", "/bin/busybox", "cat")
	create("ends", "sh", "-c", "exit 7")

	p := startWake(t, "--start", "docker:echo", "--idle", "50ms", "--log", "none")
	for range 3 {
		if err := talk(); err != nil {
			t.Fatal(err)
		}
		p.Expect("target stopped in")
		nothingLeft(t)
	}
	p.Interrupt()

	p = startWake(t, "--start", "docker:echo", "--log", "none")
	if err := talk(); err != nil {
		t.Fatal(err)
	}
	docker("kill", "echo")
	p.Expect(`target has ended by itself: container echo has ended with status 137`)
	if err := talk(); err != nil {
		t.Fatal(err)
	}
	p.Interrupt()
	if state := docker("inspect", "-f", "{{.State.Status}}", "echo"); state != "running" {
		t.Errorf("in the end the container is %s", state)
	}
	docker("kill", "echo")

	p = startWake(t, "--start", "docker:ends", "--log", "none")
	if err := talk(); err == nil {
		t.Error("served by nobody")
	}
	p.Expect(`its process has ended after .*: container ends has ended with status 7; 1 client turned away`)
	p.Interrupt()
}
