//go:build linux

package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waggle-bpf/waggle/forward/admin"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
	"github.com/waggle-bpf/waggle/load/probe"
)

func TestMain(m *testing.M) {
	testscript.Main(kit{m}, map[string]func(){
		"waggle": func() { os.Exit(Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// kit runs the tests isolated, inside what testscript sets up.
type kit struct{ m *testing.M }

func (k kit) Run() int { return testkit.Run(k.m) }

// TestScript runs the command as its users do; see testdata/script.
func TestScript(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cache := goEnv(t)
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: testkit.Updating(),
		Setup: func(e *testscript.Env) error {
			if os.Geteuid() == 0 {
				// Scripts run at the same time, and what one attaches to its
				// loopback device is not for the others to see.
				testkit.NewNS(t).Enter(t)
			}
			e.Vars = append(e.Vars, "ROOT="+root, "SERVER4="+serve(t, "127.0.0.1:0"), "SERVER6="+serve(t, "[::1]:0"))
			e.Vars = append(e.Vars, cache...)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status, "waitxdp": waitXDP, "waittcx": waitTCX,
			"signals": signals, "udp": sendUDP, "get": get,
			"waitforward": waitForward, "signalforward": signalForward, "waitgone": waitGone, "waitgrep": waitGrep, "connect": connect,
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			case "tcx":
				_, err := link.QueryPrograms(link.QueryOptions{Target: 1, Attach: ebpf.AttachTCXIngress})
				return err == nil, nil
			case "may_goto":
				return probe.MayGoto() == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

// status CODE COMMAND... runs a command that has to exit with the code.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status code command...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("got exit code %d, want %s", code, args[0])
	}
}

// signals SIGNAL... sends signals to the commands in the background, one shortly
// after the other.
func signals(ts *testscript.TestScript, neg bool, args []string) {
	names := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "INT": syscall.SIGINT}
	if neg || len(args) == 0 {
		ts.Fatalf("usage: signals HUP|INT...")
	}
	for _, name := range args {
		for _, cmd := range ts.BackgroundCmds() {
			if err := cmd.Process.Signal(names[name]); err != nil && !errors.Is(err, os.ErrProcessDone) {
				ts.Fatalf("%v", err)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// waitXDP DEVICE waits until an XDP program is attached to it.
func waitXDP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitxdp device")
	}
	waitFor(ts, "an XDP program on "+args[0], func() bool {
		var links []rtnl.Link
		ts.Check(rtnl.Do(func(c *rtnl.Conn) (err error) {
			links, err = c.Links()
			return err
		}))
		return slices.ContainsFunc(links, func(l rtnl.Link) bool { return l.Name == args[0] && l.XDP })
	})
}

// waitTCX DEVICE waits until a program is attached to it, in whatever direction.
func waitTCX(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waittcx device")
	}
	device, err := net.InterfaceByName(args[0])
	ts.Check(err)
	waitFor(ts, "a tcx program on "+args[0], func() bool {
		n := 0
		for _, attach := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
			res, err := link.QueryPrograms(link.QueryOptions{Target: device.Index, Attach: attach})
			ts.Check(err)
			n += len(res.Programs)
		}
		return n > 0
	})
}

// patience is how long to wait for what should come soon: machines may be busy.
const patience = 30 * time.Second

func waitFor(ts *testscript.TestScript, what string, there func() bool) {
	for deadline := time.Now().Add(patience); !there(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("waited in vain for %s", what)
		}
	}
}

// serve runs a web server until the test ends and returns its address.
func serve(t *testing.T, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") })}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// get URL fetches a page on a connection of its own.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: get url")
	}
	req, err := http.NewRequest(http.MethodGet, args[0], nil)
	ts.Check(err)
	// An http.Client would dial on a goroutine, thus outside the script's namespace.
	c, err := net.Dial("tcp", req.URL.Host)
	ts.Check(err)
	defer c.Close()
	ts.Check(c.SetDeadline(time.Now().Add(patience)))
	req.Close = true
	ts.Check(req.Write(c))
	res, err := http.ReadResponse(bufio.NewReader(c), req)
	ts.Check(err)
	_, err = io.Copy(io.Discard, res.Body)
	ts.Check(errors.Join(err, res.Body.Close()))
}

// waitForward SOCKET waits until a forwarder answers at its admin socket.
func waitForward(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitforward socket")
	}
	waitFor(ts, "a forwarder at "+args[0], func() bool {
		_, err := admin.Status(ts.MkAbs(args[0]), 0)
		return err == nil
	})
}

// signalForward SIGNAL SOCKET sends a signal to the forwarder that has an admin socket,
// which the script need not have started itself.
func signalForward(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM}
	if neg || len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signalforward HUP|TERM socket")
	}
	s, err := admin.Status(ts.MkAbs(args[1]), 0)
	ts.Check(err)
	ts.Check(syscall.Kill(s.PID, signals[args[0]]))
}

// waitGrep REGEXP FILE waits until a file has a line that matches.
func waitGrep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitgrep regexp file")
	}
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	waitFor(ts, args[0]+" in "+args[1], func() bool {
		b, err := os.ReadFile(ts.MkAbs(args[1]))
		return err == nil && re.Match(b)
	})
}

// waitGone FILE waits until there is no such file.
func waitGone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitgone file")
	}
	waitFor(ts, "the end of "+args[0], func() bool {
		_, err := os.Lstat(ts.MkAbs(args[0]))
		return errors.Is(err, fs.ErrNotExist)
	})
}

// connect ADDRESS [N] makes N connections at the same time, and waits until the other
// side ends them, in whatever way.
func connect(ts *testscript.TestScript, neg bool, args []string) {
	n := 1
	if len(args) == 2 {
		var err error
		n, err = strconv.Atoi(args[1])
		ts.Check(err)
	} else if neg || len(args) != 1 {
		ts.Fatalf("usage: connect address [n]")
	}
	var conns []net.Conn
	for range n {
		if c, err := net.Dial("tcp", args[0]); err == nil {
			conns = append(conns, c)
		} else if !errors.Is(err, syscall.ECONNRESET) {
			ts.Fatalf("%v", err)
		}
	}
	for _, c := range conns {
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			ts.Fatalf("the connection does not end")
		}
		c.Close()
	}
}

// sendUDP ADDRESS TEXT sends a datagram.
func sendUDP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: udp address text")
	}
	c, err := net.Dial("udp", args[0])
	ts.Check(err)
	defer c.Close()
	_, err = c.Write([]byte(args[1]))
	ts.Check(err)
}

// goEnv is what the go command needs besides a home directory.
func goEnv(t *testing.T) (vars []string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		return nil // in a virtual machine: no script there runs it
	}
	names := []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS"}
	out, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range strings.Split(strings.TrimRight(string(out), "\n"), "\n") {
		vars = append(vars, names[i]+"="+v)
	}
	return vars
}
