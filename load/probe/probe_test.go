package probe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestAll checks what every machine that tests run on has.
func TestAll(t *testing.T) {
	testkit.RequireRoot(t)
	found := map[string]Feature{}
	for _, f := range All() {
		t.Logf("%-10s %-32s %-5v %s%s", f.Group, f.Name, f.OK, f.Where, f.Reason)
		if f.OK != (f.Reason == "") || strings.Contains(f.Reason, "\n") {
			t.Errorf("%+v", f)
		}
		found[f.Name] = f
	}
	for _, name := range []string{
		"CAP_BPF", "CAP_NET_ADMIN", "bounded loops", "instruction set v3", "just-in-time compiler",
		"program type SocketFilter", "program type XDP", "program type SchedCLS", "program type TracePoint",
		"map type Hash", "map type RingBuf", "file system bpf", "file system tracefs", "performance events",
	} {
		if f, ok := found[name]; !ok || !f.OK {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if n := len(found); n < 60 {
		t.Errorf("%d features", n)
	}
}

// TestTCX compares with the version of the kernel.
func TestTCX(t *testing.T) {
	testkit.RequireRoot(t)
	err := TCX()
	var major, minor int
	if _, scanErr := fmt.Sscanf(testkit.KernelVersion(), "%d.%d", &major, &minor); scanErr != nil {
		t.Fatal(scanErr)
	}
	if has := major*100+minor >= 606; has != (err == nil) || !has && !errors.Is(err, ebpf.ErrNotSupported) {
		t.Errorf("Linux %d.%d: %v", major, minor, err)
	}
}

func TestMounts(t *testing.T) {
	testkit.RequireRoot(t)
	if dir, err := Cgroup2(); err != nil {
		testkit.Need(t, err)
	} else if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
		t.Error(err)
	}
	if dir, err := BPFFS(); dir != "/sys/fs/bpf" || err != nil {
		t.Errorf("bpf at %q, %v", dir, err)
	}
	dir, err := TraceFS()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "events", "syscalls")); err != nil {
		t.Error(err)
	}
	if _, err := mountOf("nofs", "/"); !errors.Is(err, ebpf.ErrNotSupported) {
		t.Errorf("unknown file system: %v", err)
	}
}

func TestParseMount(t *testing.T) {
	for _, tt := range []struct {
		line, path, typ string
		ok              bool
	}{
		{"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n", "/mnt2", "ext3", true},
		{"30 24 0:26 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/unified", "cgroup2", true},
		{`1 2 0:3 / /a\040b\134c rw shared:1 master:2 - bpf none rw`, `/a b\c`, "bpf", true},
		{"", "", "", false},
		{"1 2 0:3 / /a rw", "", "", false},
		{"1 2 0:3 / /a rw -", "", "", false},
		{"- bpf", "", "", false},
	} {
		path, typ, ok := parseMount(tt.line)
		if path != tt.path || typ != tt.typ || ok != tt.ok {
			t.Errorf("%q: %q, %q, %v", tt.line, path, typ, ok)
		}
	}
}

func TestReasons(t *testing.T) {
	for _, tt := range []struct {
		err             error
		min             string
		reason, version string
	}{
		{missing("switched off"), "", "switched off", ""},
		{fmt.Errorf("map: %w", ebpf.ErrNotSupported), "", "this kernel has not got it", ""},
		{fmt.Errorf("map not supported (requires >= v99.8): %w", ebpf.ErrNotSupported), "", "this kernel has not got it, Linux 99.8 has", "99.8"},
		{fmt.Errorf("tcx: %w", ebpf.ErrNotSupported), "99.6", "this kernel has not got it, Linux 99.6 has", "99.6"},
		{fmt.Errorf("kprobes: %w", ebpf.ErrNotSupported), "4.1", "this kernel was built without it", "4.1"},
		{fmt.Errorf("load: %w", syscall.EPERM), "5.5", "not permitted", "5.5"},
		{errors.New("strange"), "", "strange", ""},
	} {
		reason, version := reasonOf(tt.err, tt.min)
		if reason != tt.reason || version != tt.version {
			t.Errorf("%v: %q, %q", tt.err, reason, version)
		}
	}
}
