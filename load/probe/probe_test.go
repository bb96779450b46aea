package probe

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

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
		{fmt.Errorf("load: %w", syscall.EPERM), "5.5", "not permitted", "5.5"},
		{errors.New("strange"), "", "strange", ""},
	} {
		reason, version := reasonOf(tt.err, tt.min)
		if reason != tt.reason || version != tt.version {
			t.Errorf("%v: %q, %q", tt.err, reason, version)
		}
	}
}
