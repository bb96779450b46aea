//go:build linux

package redirect

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

// pair makes a connection of this process with itself. Its listener is plain TCP.
func pair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp4", at(0))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return d.(*net.TCPConn), a.(*net.TCPConn)
}

// converse lets both ends say something in turn.
func converse(t *testing.T, a, b net.Conn, turns int) {
	t.Helper()
	for i := range turns {
		text := "line " + strconv.Itoa(i)
		for _, dir := range [][2]net.Conn{{a, b}, {b, a}} {
			if _, err := io.WriteString(dir[0], text); err != nil {
				t.Fatal(err)
			}
			hear(t, dir[1], text)
		}
	}
}

func hear(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("heard %.40q, %v, want %.40q", got, err, text)
	}
}

// attached counts the sockops programs of a group.
func attached(t *testing.T, dir string) int {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	res, err := link.QueryPrograms(link.QueryOptions{Target: int(f.Fd()), Attach: ebpf.AttachCGroupSockOps})
	testkit.Need(t, err)
	return len(res.Programs)
}

// TestEnds ends the command in several ways, while a connection is open whose reader has
// not read all: nothing is lost, and nothing stays attached.
func TestEnds(t *testing.T) {
	unread := strings.Repeat("unread ", 1000)
	for name, end := range map[string]func(*command.Process){
		"SIGINT":  func(p *command.Process) { p.Signal(os.Interrupt); p.Wait() },
		"SIGTERM": func(p *command.Process) { p.Signal(syscall.SIGTERM); p.Wait() },
		"SIGKILL": func(p *command.Process) { p.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			s := startShort(t)
			s.Join(t)
			client, server := pair(t)
			converse(t, client, server, 10)
			if _, err := io.WriteString(client, unread); err != nil {
				t.Fatal(err)
			}
			end(s.Process)
			eventually(t, "the program to be detached", func() bool { return attached(t, s.Path) == 0 })
			if _, err := io.WriteString(client, "and more"); err != nil {
				t.Fatal(err)
			}
			hear(t, server, unread+"and more")
			converse(t, client, server, 10)
			fresh, freshServer := pair(t)
			converse(t, fresh, freshServer, 10)
		})
	}
}

// TestCommand runs a command in a group of its own, which goes with it; what it has left
// running goes on.
func TestCommand(t *testing.T) {
	testkit.RequireTool(t, "sh")
	file := filepath.Join(t.TempDir(), "pid")
	const script = `sleep 60 >/dev/null 2>&1 & echo $! > "$0"; grep 0:: /proc/self/cgroup`
	p := command.Start(t, "redirect", "--", "sh", "-c", script, file)
	group := p.Expect("^0::.*/(waggle-redirect-[0-9]+)$")[1]
	p.Expect("^0 connections")
	if code := p.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	where, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil || strings.Contains(string(where), group) {
		t.Errorf("what it has left: %s, %v", where, err)
	}
	mount, err := testkit.CgroupMount()
	if err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(mount, "*", group))
	more, _ := filepath.Glob(filepath.Join(mount, group))
	if len(left)+len(more) > 0 {
		t.Errorf("left: %v %v", left, more)
	}
}

// TestCommandFails: the exit code is the command's.
func TestCommandFails(t *testing.T) {
	testkit.RequireTool(t, "sh")
	testkit.RequireRoot(t)
	p := command.Start(t, "redirect", "--", "sh", "-c", "exit 7")
	if code := p.Wait(); code != 7 {
		t.Errorf("exit code %d, want 7", code)
	}
	p.Expect("^waggle: sh ended with exit code 7$")
}

// TestPIDs takes the connection that one named process makes to another one, and not
// the one that this process makes to the first.
func TestPIDs(t *testing.T) {
	g := &short{Cgroup: testkit.NewCgroup(t)}
	server := exec.Command(testkit.RequireTool(t, "python3"), "testdata/echo.py", strconv.Itoa(int(pythonPort)))
	g.daemon(t, pythonPort, server)
	between := proxy(proxyPort, pythonPort)
	g.daemon(t, proxyPort, between)
	p := command.Start(t, "redirect", "--pid", strconv.Itoa(server.Process.Pid), "--pid", strconv.Itoa(between.Process.Pid), "--json", "--every", "100ms")
	p.Expect("^short-cutting")
	g.Join(t)
	c, err := net.Dial("tcp4", at(proxyPort))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p.Expect(`"connections":1,`)
	var last struct{ Connections, Open int }
	lines := p.Interrupt()
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Connections != 1 || last.Open != 1 {
		t.Errorf("got %+v, %v", last, err)
	}
}
