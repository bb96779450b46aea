//go:build linux

package cli

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
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
			e.Vars = append(e.Vars, "ROOT="+root)
			e.Vars = append(e.Vars, cache...)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status, "waitxdp": waitXDP, "udp": sendUDP,
		},
		Condition: func(cond string) (bool, error) {
			return cond == "root" && os.Geteuid() == 0, nil
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

// waitXDP DEVICE waits until an XDP program is attached to it.
func waitXDP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitxdp device")
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var links []rtnl.Link
		ts.Check(rtnl.Do(func(c *rtnl.Conn) (err error) {
			links, err = c.Links()
			return err
		}))
		if slices.ContainsFunc(links, func(l rtnl.Link) bool { return l.Name == args[0] && l.XDP }) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no XDP program on %s", args[0])
		}
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
