package testkit

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
)

func TestMain(m *testing.M) { Main(m) }

// leakEnv makes a run of this test binary leak one of leakers.
const leakEnv = "WAGGLE_TEST_LEAK"

var leakers = map[string]struct {
	leak func(t *testing.T)
	want string
}{
	"nothing": {func(t *testing.T) {}, ""},
	"file":    {func(t *testing.T) { keep(os.Open("/dev/null"))(t) }, "/dev/null"},
	"map": {func(t *testing.T) {
		keep(ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1}))(t)
	}, "anon_inode:bpf-map (map_type 2"},
	"link": {func(t *testing.T) {
		l, err := link.AttachXDP(link.XDPOptions{Program: xdpPass(t), Interface: loopback})
		keep(l, err)(t)
	}, "XDP program on lo"},
	"device": {func(t *testing.T) {
		must(t, rtnl.Do(func(c *rtnl.Conn) error { return c.AddLink("left0", "ifb") }))
	}, "network device left0 ifb"},
	"qdisc": {func(t *testing.T) {
		RequireTool(t, "tc")
		must(t, exec.Command("tc", "qdisc", "add", "dev", "lo", "clsact").Run())
	}, "queueing discipline clsact on lo"},
	"pin":     {func(t *testing.T) { must(t, os.Mkdir(filepath.Join(bpfDir, "left"), 0o755)) }, "pin /sys/fs/bpf/left"},
	"netns":   {func(t *testing.T) { must(t, os.WriteFile(filepath.Join(netnsDir, "left"), nil, 0o600)) }, "pin /run/netns/left"},
	"process": {func(t *testing.T) { must(t, exec.Command("sleep", "60").Start()) }, "(sleep)"},
	"cgroup": {func(t *testing.T) {
		base, err := cgroupBase()
		must(t, err)
		must(t, os.MkdirAll(filepath.Join(base, "tleft"), 0o755))
	}, "/tleft"},
}

// kept holds what leakers open, so that no finalizer closes it.
var kept []any

func keep(v any, err error) func(*testing.T) {
	kept = append(kept, v)
	return func(t *testing.T) { must(t, err) }
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func xdpPass(t *testing.T) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type:         ebpf.XDP,
		License:      "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()},
	})
	Need(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

// TestLeakHelper is not a test of its own: TestLeaks runs it in another process.
func TestLeakHelper(t *testing.T) {
	if l, ok := leakers[os.Getenv(leakEnv)]; ok {
		l.leak(t)
	}
}

func TestLeaks(t *testing.T) {
	RequireRoot(t)
	if InVM() {
		t.Skip("starts programs that the machine hasn't got")
	}
	type process struct {
		*exec.Cmd
		out bytes.Buffer
	}
	running := make(map[string]*process) // all at a time: each waits for leaks to go
	for name := range leakers {
		p := &process{Cmd: helper(t, name, "-test.run=^TestLeakHelper$")}
		p.Stdout, p.Stderr = &p.out, &p.out
		must(t, p.Start())
		running[name] = p
	}
	for name, p := range running {
		t.Run(name, func(t *testing.T) {
			err, want := p.Wait(), leakers[name].want
			var exit *exec.ExitError
			switch {
			case want == "" && err != nil:
				t.Errorf("%v:\n%s", err, &p.out)
			case want != "" && (!errors.As(err, &exit) || exit.ExitCode() != exitLeak):
				t.Errorf("got %v, want exit status %d:\n%s", err, exitLeak, &p.out)
			case !strings.Contains(p.out.String(), want):
				t.Errorf("got %s, want it to name %q", &p.out, want)
			}
		})
	}
}

// helper is a process of this test binary, isolated by itself.
func helper(t *testing.T, leak string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), leakEnv+"="+leak, isolatedEnv+"=")
	return cmd
}

// TestTimeout runs out of time while a process has the pipe to the caller open:
// neither the process nor a cgroup stays.
func TestTimeout(t *testing.T) {
	RequireRoot(t)
	if InVM() {
		t.Skip("starts a program that the machine hasn't got")
	}
	out, err := helper(t, "everything", "-test.run=^TestTimeoutHelper$", "-test.timeout=1s").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "test timed out after 1s") {
		t.Fatalf("got %v, want exit status 2 and why:\n%s", err, out)
	}
	_, dir, _ := strings.Cut(string(out), "cgroup: ")
	dir, _, _ = strings.Cut(dir, "\n")
	if _, err := os.Stat(dir); dir == "" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("cgroup %q is still there: %v", dir, err)
	}
}

// TestTimeoutHelper is not a test of its own.
func TestTimeoutHelper(t *testing.T) {
	if os.Getenv(leakEnv) != "everything" {
		return
	}
	os.Stdout.WriteString("cgroup: " + NewCgroup(t).Path + "\n")
	cmd := exec.Command("sleep", "3600")
	cmd.Stdout = os.Stdout
	must(t, cmd.Run())
}

func TestIsolated(t *testing.T) {
	RequireRoot(t)
	devices, err := net.Interfaces()
	must(t, err)
	if len(devices) == 0 || devices[0].Name != "lo" || devices[0].Flags&net.FlagUp == 0 {
		t.Errorf("got devices %v, want lo, up", devices)
	}
	for _, d := range devices {
		if d.Flags&net.FlagUp != 0 && d.Name != "lo" {
			t.Errorf("device %s of the machine is here", d.Name)
		}
	}
}
