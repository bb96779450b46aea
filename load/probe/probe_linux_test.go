package probe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

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

func TestReasonOfConfiguration(t *testing.T) {
	reason, version := reasonOf(fmt.Errorf("kprobes: %w", ebpf.ErrNotSupported), "4.1")
	if reason != "this kernel was built without it" || version != "4.1" {
		t.Errorf("%q, %q", reason, version)
	}
}
